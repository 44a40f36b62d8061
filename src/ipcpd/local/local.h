/*
 * local.h - the layer of one host: whoever asks for a name is joined with whoever answers for it.
 *
 * No packet passes through it, and no flow is known to it: it knows which names are registered. irmd, which
 * knows both ends, gives them the same port.
 */
#ifndef O7S_IPCPD_LOCAL_LOCAL_H
#define O7S_IPCPD_LOCAL_LOCAL_H

#include <stddef.h>

#include "ipcpd/common/ops.h"

extern const struct ipcp_ops local_ops;

/* Names that are registered. */
size_t local_count(const void *layer);

#endif
