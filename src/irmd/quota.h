/* quota.h - what each user holds of the daemon, so that none can take it from the others. Pure counting. */
#ifndef O7S_IRMD_QUOTA_H
#define O7S_IRMD_QUOTA_H

#include <stdint.h>
#include <sys/types.h>

#include "conf.h"

struct quotas; /* private to quota.c */
struct quota;  /* one user's account; lives as long as anything is counted on it */

struct quotas *quotas_create(const struct limits *limits);
void           quotas_destroy(struct quotas *qs); /* takes NULL */

/* Counts one connection of @uid. 0 and the account, or -EUSERS, -ENOMEM. */
int quota_connect(struct quotas *qs, uid_t uid, struct quota **q);

/* Gives it back; @q is gone when nothing else is counted on it. */
void quota_disconnect(struct quotas *qs, struct quota *q);

/* Counts one end of a flow, of a process that has @of_process of them. 0 or -EUSERS (the user's limit) or
 * -EMFILE (the process's). */
int  quota_take_port(struct quotas *qs, struct quota *q, uint64_t of_process);
void quota_give_port(struct quotas *qs, struct quota *q);

/* Counts shared memory. 0 or -EUSERS. */
int  quota_take_bytes(struct quotas *qs, struct quota *q, uint64_t bytes);
void quota_give_bytes(struct quotas *qs, struct quota *q, uint64_t bytes);

#endif
