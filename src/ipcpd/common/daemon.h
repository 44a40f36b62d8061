/* daemon.h - the process around a layer: loop, connection to irmd, signals, log. */
#ifndef O7S_IPCPD_COMMON_DAEMON_H
#define O7S_IPCPD_COMMON_DAEMON_H

#include "ipcpd/common/ops.h"

/* The connection to irmd, which starts us with it. */
#define DAEMON_FD 3

/* All of main(). Runs until irmd wants us to end or has gone, or a signal comes. Returns the exit status. */
int daemon_main(const struct ipcp_ops *ops, int argc, char *argv[]);

#endif
