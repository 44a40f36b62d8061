#include "quota.h"

#include <errno.h>
#include <stdlib.h>
#include <uthash.h>

struct quota {
        uid_t          uid;
        uint64_t       connections, ports, bytes;
        UT_hash_handle hh;
};

struct quotas {
        const struct limits *limits;
        struct quota        *by_uid;
};

struct quotas *quotas_create(const struct limits *limits)
{
        struct quotas *qs = calloc(1, sizeof(*qs));

        if (qs != NULL)
                qs->limits = limits;
        return qs;
}

void quotas_destroy(struct quotas *qs)
{
        struct quota *q, *next;

        if (qs == NULL)
                return;
        HASH_ITER (hh, qs->by_uid, q, next) {
                HASH_DEL(qs->by_uid, q);
                free(q);
        }
        free(qs);
}

static void drop_if_unused(struct quotas *qs, struct quota *q)
{
        if (q->connections > 0 || q->ports > 0 || q->bytes > 0)
                return;
        HASH_DEL(qs->by_uid, q);
        free(q);
}

int quota_connect(struct quotas *qs, uid_t uid, struct quota **out)
{
        struct quota *q;

        HASH_FIND(hh, qs->by_uid, &uid, sizeof(uid), q);
        if (q == NULL) {
                q = calloc(1, sizeof(*q));
                if (q == NULL)
                        return -ENOMEM;
                q->uid = uid;
                HASH_ADD(hh, qs->by_uid, uid, sizeof(uid), q);
        }
        if (q->connections >= qs->limits->connections_per_user) {
                drop_if_unused(qs, q);
                return -EUSERS;
        }
        q->connections++;
        *out = q;
        return 0;
}

void quota_disconnect(struct quotas *qs, struct quota *q)
{
        q->connections--;
        drop_if_unused(qs, q);
}

int quota_take_port(struct quotas *qs, struct quota *q, uint64_t of_process)
{
        if (of_process >= qs->limits->ports_per_process)
                return -EMFILE;
        if (q->ports >= qs->limits->ports_per_user)
                return -EUSERS;
        q->ports++;
        return 0;
}

void quota_give_port(struct quotas *qs, struct quota *q)
{
        q->ports--;
        drop_if_unused(qs, q);
}

int quota_take_bytes(struct quotas *qs, struct quota *q, uint64_t bytes)
{
        if (bytes > qs->limits->bytes_per_user || q->bytes > qs->limits->bytes_per_user - bytes)
                return -EUSERS;
        q->bytes += bytes;
        return 0;
}

void quota_give_bytes(struct quotas *qs, struct quota *q, uint64_t bytes)
{
        q->bytes -= bytes;
        drop_if_unused(qs, q);
}
