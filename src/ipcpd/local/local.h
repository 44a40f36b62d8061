/*
 * local.h - the layer of one host: whoever asks for a name is joined with whoever answers for it.
 *
 * No packet passes through it. It knows which names are registered and asks irmd to bring each new flow to a
 * server; irmd gives both ends the same port. An open flow is no business of the layer.
 */
#ifndef O7S_IPCPD_LOCAL_LOCAL_H
#define O7S_IPCPD_LOCAL_LOCAL_H

#include <stddef.h>

#include "ipcpd/common/ops.h"

extern const struct ipcp_ops local_ops;

struct local_counts {
        size_t names;
        size_t arrivals; /* that irmd has not answered */
};

struct local_counts local_count(const void *layer);

#endif
