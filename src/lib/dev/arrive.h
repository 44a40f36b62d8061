/*
 * arrive.h - an answer of irmd that brings a flow (FlowUp and its descriptors) becomes one.
 */
#ifndef O7S_DEV_ARRIVE_H
#define O7S_DEV_ARRIVE_H

#include <ouroboros/dev.h>
#include <ouroboros/qos.h>

#include "dev/ask.h"
#include "dev/slot.h"

/*
 * Takes the answer to @a, which brings everything, and makes it a flow. *@qs, unless NULL, is what was
 * granted. @data is what was asked with, NULL: no first data; what the peer sent is put there if it may be
 * read already and fits, and left for flow_read() otherwise. Returns the flow descriptor, or -EPROTO (not what
 * was agreed with irmd), -EMFILE, -ENOMEM, -errno.
 */
int arrive(struct ask *a, const struct answer *ans, qosspec_t *qs, struct flow_data *data);

/*
 * The same for the pending slot @s, both of whose locks are held: the flow descriptor is there already. 0 or
 * as above.
 */
int arrive_pending(struct slot *s, const struct answer *ans, qosspec_t *qs);

/*
 * The descriptor number @i of @ans, moved out of the way of standard input, output and error, which a program
 * may have closed. It stays the answer's until that is made -1. -EMFILE when it is too large for the table,
 * -errno.
 */
int arrive_fd(const struct answer *ans, size_t i);

/* The free slot for the new descriptor @fd, with both locks. 0, -ENOMEM, -EBADF. */
int arrive_slot(int fd, struct slot **out);

#endif
