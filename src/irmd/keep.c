#include "keep.h"

#include <errno.h>
#include <stdlib.h>

#include "base/fd.h"
#include "shm/port.h"

static void keep_free(struct keep *k, struct quotas *qs)
{
        quota_give_bytes(qs, k->payer, PORT_SIZE);
        fd_close(&k->memfd);
        bell_close(&k->bell[0]);
        bell_close(&k->bell[1]);
        free(k);
}

static int make(struct keep *k, struct bell *bell0)
{
        int r;

        k->memfd = port_create();
        if (k->memfd < 0)
                return k->memfd;
        if (bell0->own >= 0) {
                k->bell[0] = *bell0;
                *bell0     = BELL_NONE;
        } else if ((r = bell_create(&k->bell[0])) < 0) {
                return r;
        }
        return bell_create(&k->bell[1]);
}

int keep_create(struct keep **out, struct quotas *qs, struct quota *payer, struct bell *bell0, unsigned refs)
{
        struct keep *k = calloc(1, sizeof(*k));
        int          r;

        if (k == NULL)
                return -ENOMEM;
        *k = (struct keep){.memfd = -1, .bell = {BELL_NONE, BELL_NONE}, .refs = refs, .payer = payer};
        r  = quota_take_bytes(qs, payer, PORT_SIZE);
        if (r < 0) {
                free(k);
                return r;
        }
        r = make(k, bell0);
        if (r < 0) {
                keep_free(k, qs);
                return r;
        }
        *out = k;
        return 0;
}

void keep_fds(const struct keep *k, unsigned side, int fds[3])
{
        fds[0] = k->memfd;
        fds[1] = k->bell[!side].other;
        fds[2] = k->bell[side].own;
}

void keep_handed(struct keep *k, unsigned side)
{
        fd_close(&k->bell[!side].other);
        fd_close(&k->bell[side].own);
}

void keep_down(struct keep *k)
{
        for (unsigned side = 0; side < 2; side++) {
                if (!k->over[!side])
                        port_bury(k->memfd, side, k->bell[!side].keeper);
        }
}

void keep_over(struct keep *k, struct quotas *qs, unsigned side)
{
        k->over[side] = true;
        if (--k->refs == 0) {
                keep_free(k, qs);
                return;
        }
        if (!k->over[!side] && !port_has_ended(k->memfd, side))
                port_bury(k->memfd, side, k->bell[!side].keeper);
}
