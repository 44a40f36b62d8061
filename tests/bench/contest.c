#include "contest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ouroboros/errno.h>

#include "base/clock.h"

#include "cpu.h"
#include "progress.h"
#include "report.h"

#define WARM_UP_NS (NS_PER_MS * 50)

struct run {
        const struct contest *contest;
        const struct options *options;
        struct lane           lane[N_LANES];
        struct outcome        outcome;
};

bool lane_failed(const struct lane *l, const char *what, int result)
{
        fprintf(stderr, "o7s_bench: %s: cannot %s: %s\n", l->transport->name, what, o7s_strerror(result));
        return false;
}

static bool wanted(const struct options *o, const struct transport *t)
{
        return o->only == NULL || strcmp(o->only, t->name) == 0;
}

static void pin_daemons(const struct options *o, int cpu)
{
        for (size_t i = 0; i < o->n_daemons; i++)
                cpu_pin(o->daemons[i], cpu);
}

/* Gives everybody a place. *@peer_cpu is the peers'. */
static bool place(const struct run *r, int *peer_cpu)
{
        int  cpus[2];
        int  n    = cpu_choose(cpus);
        bool free = r->options->cores > 1 && r->contest->free_range;

        if (n < (int)r->options->cores) {
                fprintf(stderr, "o7s_bench: needs %u processors, may use %d\n", r->options->cores, n);
                return false;
        }
        *peer_cpu = free ? CPU_ANY : cpus[0];
        cpu_pin(getpid(), free ? CPU_ANY : cpus[r->options->cores - 1]);
        pin_daemons(r->options, r->options->cores > 1 ? CPU_ANY : cpus[0]);
        return true;
}

/* Whether a connection is as safe as it should be: a comparison with one that is not would prove nothing. */
static bool is_secured(const struct lane *l, const struct options *o, int fd)
{
        const char *suite;

        if (o->suite == NULL || l->transport->suite == NULL)
                return true;
        suite = l->transport->suite(fd);
        if (suite != NULL && strcmp(suite, o->suite) == 0)
                return true;
        fprintf(stderr, "o7s_bench: %s: not authenticated with %s but %s\n", l->transport->name, o->suite,
                suite != NULL ? suite : "not at all");
        return false;
}

int lane_connect(struct lane *l, const struct options *o)
{
        int fd = peer_connect(&l->peer);

        if (fd < 0) {
                lane_failed(l, "connect", fd);
                return fd;
        }
        if (is_secured(l, o, fd))
                return fd;
        l->transport->close(fd);
        return -EAUTH;
}

static bool lane_open(struct lane *l, const struct contest *c, const struct options *o, const char *address,
                      int peer_cpu)
{
        l->fd = -1;
        if (!peer_start(&l->peer, l->transport, c->role, address, c->n_threads, peer_cpu))
                return false;
        l->fd = lane_connect(l, o);
        if (l->fd < 0)
                return false;
        if (c->connected) {
                l->transport->tune(l->fd);
        } else {
                l->transport->close(l->fd);
                l->fd = -1;
        }
        return true;
}

static void lane_close(struct lane *l)
{
        if (l->fd >= 0)
                l->transport->close(l->fd);
        l->fd = -1;
        peer_stop(&l->peer);
}

/* What everybody who works for the lane has used so far. */
static struct usage usage_now(const struct run *r, const struct lane *l)
{
        struct usage u = usage_self();

        usage_add(&u, usage_of(l->peer.pid));
        for (size_t i = 0; l->transport == &transport_flow && i < r->options->n_daemons; i++)
                usage_add(&u, usage_of(r->options->daemons[i]));
        return u;
}

/* Without memory for them, the times of a slice are missing. */
static void times_add(struct times *t, const double *v, size_t n)
{
        double *grown = n > 0 ? realloc(t->v, (t->n + n) * sizeof(*v)) : NULL;

        if (grown == NULL)
                return;
        memcpy(grown + t->n, v, n * sizeof(*v));
        t->v = grown;
        t->n += n;
}

static bool run_slice(struct run *r, enum lane_id id, unsigned pair)
{
        struct lane *l      = &r->lane[id];
        struct slice s      = {0};
        struct usage before = usage_now(r, l);

        if (!r->contest->slice(l, r->options, &s))
                return false;
        usage_add(&r->outcome.usage[id], usage_now(r, l));
        usage_sub(&r->outcome.usage[id], before);
        r->outcome.figure[id][pair] = s.figure;
        times_add(&r->outcome.times[id], s.times, s.n_times);
        r->outcome.ops[id] += s.ops;
        r->outcome.failed[id] += s.failed;
        return true;
}

static bool warm_up(struct run *r)
{
        struct options brief = *r->options;

        brief.slice_ns = WARM_UP_NS;
        for (int id = 0; id < N_LANES; id++) {
                struct slice s = {0};

                if (r->outcome.ran[id] && !r->contest->slice(&r->lane[id], &brief, &s))
                        return false;
        }
        return true;
}

static bool run_pair(struct run *r, unsigned pair)
{
        for (int i = 0; i < N_LANES; i++) {
                int id = pair % 2 == 0 ? i : N_LANES - 1 - i;

                if (r->outcome.ran[id] && !run_slice(r, (enum lane_id)id, pair))
                        return false;
        }
        return true;
}

static bool run_pairs(struct run *r)
{
        bool ok = warm_up(r);

        for (unsigned pair = 0; ok && pair < r->options->pairs; pair++) {
                progress(r->contest->title, pair, r->options->pairs);
                ok = run_pair(r, pair);
        }
        progress_done();
        return ok;
}

static void prepare_lanes(struct run *r)
{
        const struct transport *rival               = r->options->rival;
        const struct transport *transports[N_LANES] = {rival, rival, &transport_flow};

        for (int id = 0; id < N_LANES; id++) {
                r->lane[id]        = (struct lane){.transport = transports[id], .fd = -1};
                r->outcome.ran[id] = wanted(r->options, transports[id]);
        }
}

static bool open_lanes(struct run *r, int peer_cpu)
{
        for (int id = 0; id < N_LANES; id++) {
                const char *address = id == LANE_SUBJECT ? r->options->name : NULL;

                if (r->outcome.ran[id] && !lane_open(&r->lane[id], r->contest, r->options, address, peer_cpu))
                        return false;
        }
        return true;
}

int contest_run(const struct contest *c, const struct options *o)
{
        static struct run r;
        int               peer_cpu;
        bool              ok;

        r = (struct run){.contest = c, .options = o, .outcome.n_pairs = o->pairs};
        if (c->connected && o->rival->send == NULL) {
                fprintf(stderr, "o7s_bench: %s only makes connections\n", o->rival->name);
                return 2;
        }
        prepare_lanes(&r);
        ok = place(&r, &peer_cpu) && open_lanes(&r, peer_cpu) && run_pairs(&r);
        for (int id = 0; id < N_LANES; id++)
                lane_close(&r.lane[id]);
        pin_daemons(o, CPU_ANY);
        if (ok)
                report_contest(c, o, &r.outcome);
        for (int id = 0; id < N_LANES; id++)
                free(r.outcome.times[id].v);
        return ok ? 0 : 1;
}
