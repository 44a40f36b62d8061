/*
 * local.h - the layer of one host: whoever asks for a name is joined with whoever answers for it.
 *
 * No packet passes through it. It knows which names are registered, asks irmd to bring each new flow to a
 * server, and remembers which two ends belong together; irmd gives both the same port.
 */
#ifndef O7S_IPCPD_LOCAL_LOCAL_H
#define O7S_IPCPD_LOCAL_LOCAL_H

#include <stddef.h>

#include "ipcpd/common/ops.h"

extern const struct ipcp_ops local_ops;

struct local_counts {
        size_t names;
        size_t ends;     /* clients' from the request on, servers' from the answer on, until they are over */
        size_t arrivals; /* that irmd has not answered */
};

struct local_counts local_count(const void *layer);

#endif
