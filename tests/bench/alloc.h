/*
 * alloc.h - connections made and ended: flow_alloc() and flow_dealloc() against connect() and close(). The
 * server accepts in several threads and closes at once.
 *
 * The comparison flatters AF_UNIX: connect() is one system call that puts the connection in the server's
 * backlog and returns before anybody has accepted it, whereas flow_alloc() returns when the server's process
 * has been chosen, by way of the daemon and the IPCP. Against TLS both do the same: each side has proved who it
 * is, and the server has accepted.
 */
#ifndef BENCH_ALLOC_H
#define BENCH_ALLOC_H

#include <stdbool.h>

#include "contest.h"
#include "options.h"

int alloc_run(const struct options *o);

/* A slice of it: as many connections as there is time for, o->in_flight at once. */
bool alloc_slice(struct lane *l, const struct options *o, struct slice *s);

#endif
