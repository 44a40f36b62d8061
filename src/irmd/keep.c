#include "keep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <uthash.h>

#include "base/fd.h"
#include "shm/port.h"

#define FDS_PER_FLOW   3
#define ASIDE_MAX      32 /* of one pair of processes */
#define PAIRS_MAX      256
#define ASIDE_USED_MAX (64 * 1024) /* bytes that were touched */
#define ASIDE_SURE_MAX 1024        /* bytes a side that touch no more, even as messages of one byte each */

struct pair {
        uint64_t serial[2];
        size_t   n;
        TAILQ_HEAD(, keep) aside; /* last in, first out: the warmest */
        UT_hash_handle hh;
};

void keeps_init(struct keeps *ks, struct quotas *qs, size_t fds)
{
        *ks = (struct keeps){.quotas = qs, .with_bells_max = fds / 2 / FDS_PER_FLOW, .aside_max = fds / 8};
        ks->fd_dir = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
        /* A process that outlives us must not take the memory of the next irmd for one that it knows. */
        (void)!getrandom(&ks->last_port_id, sizeof(ks->last_port_id), 0);
}

static void close_bells(struct keep *k, struct keeps *ks)
{
        if (k->has_bells)
                ks->with_bells--;
        k->has_bells = false;
        bell_close(&k->bell[0]);
        bell_close(&k->bell[1]);
}

static void keep_free(struct keep *k, struct keeps *ks)
{
        close_bells(k, ks);
        quota_give_bytes(ks->quotas, k->payer, PORT_SIZE);
        fd_close(&k->memfd);
        free(k);
}

/* -- set aside ------------------------------------------------------------- */

static struct pair *find_pair(const struct keeps *ks, const uint64_t serial[2])
{
        struct pair *p;

        HASH_FIND(hh, ks->pairs, serial, sizeof(p->serial), p);
        return p;
}

static struct pair *make_pair(struct keeps *ks, const uint64_t serial[2])
{
        struct pair *p = find_pair(ks, serial);

        if (p != NULL || HASH_COUNT(ks->pairs) >= PAIRS_MAX)
                return p;
        p = calloc(1, sizeof(*p));
        if (p == NULL)
                return NULL;
        memcpy(p->serial, serial, sizeof(p->serial));
        TAILQ_INIT(&p->aside);
        HASH_ADD(hh, ks->pairs, serial, sizeof(p->serial), p);
        return p;
}

static struct keep *take_aside(struct keeps *ks, const uint64_t serial[2])
{
        struct pair *p = find_pair(ks, serial);
        struct keep *k = p == NULL ? NULL : TAILQ_FIRST(&p->aside);

        if (k == NULL)
                return NULL;
        TAILQ_REMOVE(&p->aside, k, of_pair);
        p->n--;
        ks->aside--;
        return k;
}

/*
 * Memory that saw few bytes is small for sure, unless its processes lie; but they pay for all of it in any
 * case, and have it where it is, so only the others cost a system call.
 */
static bool used_little(const struct keep *k)
{
        struct stat st;

        if (k->facts.bytes[0] <= ASIDE_SURE_MAX && k->facts.bytes[1] <= ASIDE_SURE_MAX)
                return true;
        return fstat(k->memfd, &st) == 0 && st.st_blocks * 512 <= ASIDE_USED_MAX;
}

/* The last side has parted. */
static void set_aside(struct keep *k, struct keeps *ks)
{
        struct pair *p = k->unfit || !used_little(k) ? NULL : make_pair(ks, k->serial);

        if (p == NULL || p->n >= ASIDE_MAX || ks->aside >= ks->aside_max) {
                keep_free(k, ks);
                return;
        }
        close_bells(k, ks);
        TAILQ_INSERT_HEAD(&p->aside, k, of_pair);
        p->n++;
        ks->aside++;
}

static void empty_pair(struct keeps *ks, struct pair *p)
{
        struct keep *k;

        while ((k = TAILQ_FIRST(&p->aside)) != NULL) {
                TAILQ_REMOVE(&p->aside, k, of_pair);
                ks->aside--;
                keep_free(k, ks);
        }
        HASH_DEL(ks->pairs, p);
        free(p);
}

void keeps_forget(struct keeps *ks, uint64_t serial)
{
        struct pair *p, *next;

        HASH_ITER (hh, ks->pairs, p, next) {
                if (p->serial[0] == serial || p->serial[1] == serial)
                        empty_pair(ks, p);
        }
}

/* Makes room in the quota of @payer. True: there is some now. */
static bool give_up_aside(struct keeps *ks, const struct quota *payer)
{
        struct pair *p, *next;
        bool         any = false;

        HASH_ITER (hh, ks->pairs, p, next) {
                const struct keep *k = TAILQ_FIRST(&p->aside);

                if (k != NULL && k->payer == payer) {
                        empty_pair(ks, p);
                        any = true;
                }
        }
        return any;
}

void keeps_fini(struct keeps *ks)
{
        while (ks->pairs != NULL)
                empty_pair(ks, ks->pairs);
        fd_close(&ks->fd_dir);
}

/* -- in use ---------------------------------------------------------------- */

static int make_bells(struct keep *k, const struct keeps *ks, struct bell *bell0)
{
        int r = 0;

        if (bell0->own >= 0) {
                k->bell[0] = *bell0;
                *bell0     = BELL_NONE;
        } else {
                r = bell_create_at(&k->bell[0], ks->fd_dir);
        }
        return r < 0 ? r : bell_create_at(&k->bell[1], ks->fd_dir);
}

/* 0, -EUSERS, -ENOMEM, -errno. */
static int make(struct keep **out, struct keeps *ks, struct quota *payer)
{
        struct keep *k = calloc(1, sizeof(*k));
        int          r;

        if (k == NULL)
                return -ENOMEM;
        r = quota_take_bytes(ks->quotas, payer, PORT_SIZE);
        if (r == -EUSERS && give_up_aside(ks, payer))
                r = quota_take_bytes(ks->quotas, payer, PORT_SIZE);
        if (r < 0) {
                free(k);
                return r;
        }
        *k = (struct keep){.payer = payer, .port_id = ++ks->last_port_id, .bell = {BELL_NONE, BELL_NONE}};
        k->memfd = port_create();
        if (k->memfd < 0) {
                r = k->memfd;
                keep_free(k, ks);
                return r;
        }
        *out = k;
        return 0;
}

int keep_create(struct keep **out, struct keeps *ks, struct quota *payer, const uint64_t serial[2],
                struct bell *bell0)
{
        struct keep *k = serial[1] != 0 ? take_aside(ks, serial) : NULL;
        int          r = k != NULL ? port_reset(k->memfd) : make(&k, ks, payer);

        if (r == 0) {
                k->refs  = serial[1] != 0 ? 2 : 1;
                k->unfit = serial[1] == 0;
                memcpy(k->serial, serial, sizeof(k->serial));
                memset(k->handed, 0, sizeof(k->handed));
                memset(k->over, 0, sizeof(k->over));
                r = make_bells(k, ks, bell0);
        }
        if (r == 0)
                *out = k;
        else if (k != NULL)
                keep_free(k, ks);
        return r;
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
        k->unfit = true;
        for (unsigned side = 0; side < 2; side++) {
                if (!k->over[!side])
                        port_bury(k->memfd, side, k->bell[!side].keeper);
        }
}

const struct port_facts *keep_look(struct keep *k)
{
        port_inspect(k->memfd, &k->facts);
        return &k->facts;
}

void keep_over(struct keep *k, struct keeps *ks, unsigned side, bool alive)
{
        k->over[side] = true;
        if (!alive || !k->handed[side])
                k->unfit = true;
        if (--k->refs == 0)
                set_aside(k, ks);
        else if (!alive || !k->facts.ended[side])
                port_bury(k->memfd, side, k->bell[!side].keeper);
}
