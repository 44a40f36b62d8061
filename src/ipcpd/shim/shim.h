/*
 * shim.h - a layer straight on a technology (doc/protocols/shim.md): an implementation of struct ipcp_ops
 * over any struct link_ops. It ties together the handshake transport (transport.h), the names (names.h),
 * the flows (flows.h) and the packets (pump.h).
 */
#ifndef O7S_IPCPD_SHIM_SHIM_H
#define O7S_IPCPD_SHIM_SHIM_H

#include "ipcpd/shim/link.h"
#include "ipcpd/common/ops.h"

/* The layer, as the daemon around it takes it. @link is borrowed for life. */
void shim_ops(struct ipcp_ops *out, const struct link_ops *link);

/* All of main() of an IPCP that is a shim on @link. Returns the exit status. */
int shim_main(const struct link_ops *link, int argc, char *argv[]);

#endif
