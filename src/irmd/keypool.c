#include "keypool.h"

#include <stdlib.h>

#include "base/clock.h"

#define AHEAD    32        /* key pairs of a suite and role */
#define ENOUGH   24        /* with that many, none are made */
#define BATCH_NS NS_PER_MS /* handing work over costs too: several are made at once, for as long as this */

struct shelf {
        struct kex *at[AHEAD];
        size_t      n;
        bool        used;
};

struct keypool {
        struct job   job;
        struct work *work;
        bool         busy;
        struct shelf shelf[2][SUITE_N]; /* by role and suite */

        /* of the job */
        enum role   role;
        enum suite  suite;
        struct kex *made[AHEAD];
        size_t      n_made, n_wanted;
};

struct keypool *keypool_open(struct work *w)
{
        struct keypool *p = calloc(1, sizeof(*p));

        if (p != NULL)
                p->work = w;
        return p;
}

void keypool_close(struct keypool *p)
{
        if (p == NULL)
                return;
        for (size_t i = 0; i < SUITE_N; i++) {
                for (size_t k = 0; k < AHEAD; k++) {
                        kex_destroy(p->shelf[ROLE_SERVER][i].at[k]);
                        kex_destroy(p->shelf[ROLE_CLIENT][i].at[k]);
                }
        }
        free(p);
}

struct kex *keypool_take(struct keypool *p, enum role role, enum suite s)
{
        struct shelf *sh = &p->shelf[role][s];
        struct kex   *k;

        sh->used = true;
        if (sh->n == 0)
                return NULL;
        k             = sh->at[--sh->n];
        sh->at[sh->n] = NULL;
        return k;
}

static void run(struct job *j)
{
        struct keypool *p     = (struct keypool *)(void *)j;
        int64_t         until = clock_now_ns() + BATCH_NS;

        do {
                struct kex *k = p->role == ROLE_CLIENT ? kex_client(p->suite) : kex_server(p->suite);

                if (k == NULL)
                        break;
                p->made[p->n_made++] = k;
        } while (p->n_made < p->n_wanted && clock_now_ns() < until);
}

static void done(struct job *j)
{
        struct keypool *p  = (struct keypool *)(void *)j;
        struct shelf   *sh = &p->shelf[p->role][p->suite];

        p->busy = false;
        if (p->n_made == 0)
                sh->used = false; /* out of memory: not again before somebody asks */
        while (p->n_made > 0)
                sh->at[sh->n++] = p->made[--p->n_made];
}

/* The emptiest of those that are used. */
static struct shelf *emptiest(struct keypool *p)
{
        struct shelf *best = NULL;

        for (int role = 0; role < 2; role++) {
                for (int s = SUITE_PLAIN + 1; s < SUITE_N; s++) {
                        struct shelf *sh = &p->shelf[role][s];

                        if (!sh->used || sh->n >= ENOUGH || (best != NULL && sh->n >= best->n))
                                continue;
                        best        = sh;
                        p->n_wanted = AHEAD - sh->n;
                        p->role     = (enum role)role;
                        p->suite    = (enum suite)s;
                }
        }
        return best;
}

void keypool_fill(struct keypool *p)
{
        if (p->busy || emptiest(p) == NULL)
                return;
        p->job.run  = run;
        p->job.done = done;
        p->busy     = work_start(p->work, &p->job, false) == 0;
}
