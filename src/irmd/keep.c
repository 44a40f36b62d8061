#include "keep.h"

#include <errno.h>
#include <stdlib.h>

#include "base/fd.h"
#include "shm/port.h"

#define FDS_PER_FLOW 3

void keeps_init(struct keeps *ks, struct quotas *qs, size_t fds)
{
        *ks = (struct keeps){.quotas = qs, .with_bells_max = fds / 2 / FDS_PER_FLOW};
}

static void keep_free(struct keep *k, struct keeps *ks)
{
        if (k->has_bells)
                ks->with_bells--;
        quota_give_bytes(ks->quotas, k->payer, PORT_SIZE);
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

int keep_create(struct keep **out, struct keeps *ks, struct quota *payer, struct bell *bell0)
{
        struct keep *k = calloc(1, sizeof(*k));
        int          r;

        if (k == NULL)
                return -ENOMEM;
        *k = (struct keep){.memfd = -1, .bell = {BELL_NONE, BELL_NONE}, .refs = 2, .payer = payer};
        r  = quota_take_bytes(ks->quotas, payer, PORT_SIZE);
        if (r < 0) {
                free(k);
                return r;
        }
        r = make(k, bell0);
        if (r < 0) {
                keep_free(k, ks);
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

void keep_handed(struct keep *k, struct keeps *ks, unsigned side)
{
        fd_close(&k->bell[!side].other);
        fd_close(&k->bell[side].own);
        k->handed[side] = true;
        if (!k->handed[!side])
                return;
        if (ks->with_bells < ks->with_bells_max) {
                ks->with_bells++;
                k->has_bells = true;
                return;
        }
        fd_close(&k->bell[0].keeper);
        fd_close(&k->bell[1].keeper);
}

void keep_down(struct keep *k)
{
        for (unsigned side = 0; side < 2; side++) {
                if (!k->over[!side])
                        port_bury(k->memfd, side, k->bell[!side].keeper);
        }
}

void keep_over(struct keep *k, struct keeps *ks, unsigned side, bool alive)
{
        k->over[side] = true;
        if (--k->refs == 0)
                keep_free(k, ks);
        else if (!alive || !port_has_ended(k->memfd, side))
                port_bury(k->memfd, side, k->bell[!side].keeper);
}
