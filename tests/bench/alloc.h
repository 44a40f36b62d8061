/*
 * alloc.h - connections made and ended: flow_alloc() and flow_dealloc() against connect() and close(). The
 * server accepts in several threads and closes at once.
 *
 * The comparison flatters AF_UNIX: connect() is one system call that puts the connection in the server's
 * backlog and returns before anybody has accepted it, whereas flow_alloc() returns when the server's process
 * has been chosen, by way of the daemon and the IPCP.
 */
#ifndef BENCH_ALLOC_H
#define BENCH_ALLOC_H

#include "options.h"

int alloc_run(const struct options *o);

#endif
