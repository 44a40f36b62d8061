/* name.h - names of services: the table of them, and the flows that wait for somebody to accept. */
#ifndef O7S_IRMD_NAME_H
#define O7S_IRMD_NAME_H

#include <uthash.h>

#include <ouroboros/name.h>

#include "irmd.h"

struct link;
struct prog_bind;
struct pid_bind;
struct reg;

struct name {
        struct irmd     *irmd;
        char             name[NAME_SIZE + 1];
        enum pol_balance lb;

        /* who may accept: bind.h */
        LIST_HEAD(, prog_bind) progs;
        LIST_HEAD(, pid_bind) pids;
        TAILQ_HEAD(, link) links; /* processes that are there; the next one in turn first */

        /* where it is reachable: ipcp.h */
        LIST_HEAD(, reg) regs;

        TAILQ_HEAD(, flow) arrivals; /* server ends that wait, oldest first */
        uint64_t       n_arrivals;
        UT_hash_handle hh;
};

/* NULL: unknown. */
struct name *name_find(struct irmd *d, const char *name);

/* 0, -EEXIST (*@out is the existing one), or -ENOMEM. @name has been checked. */
int name_create(struct irmd *d, const char *name, enum pol_balance lb, struct name **out);

/* Forgets it, its bindings and registrations; flows that wait for it are refused, open ones go on. */
void name_destroy(struct name *n);

#endif
