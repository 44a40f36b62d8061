/*
 * mgmt.h - who asked for something that takes a while: the request is answered when it is done, if the
 * process is still there.
 */
#ifndef O7S_IRMD_MGMT_H
#define O7S_IRMD_MGMT_H

#include "irmd.h"

struct mgmt {
        struct irmd *irmd;
        uint64_t     serial; /* of the process */
        uint32_t     id;     /* of the request */
};

/* Remembers that request @id of @p will be answered. NULL: out of memory, and the request was answered so. */
struct mgmt *mgmt_create(struct proc *p, uint32_t id);

/* Answers who asked, if still there, and frees @m. Takes NULL. */
void mgmt_done(struct mgmt *m, int result, const char *why);

#endif
