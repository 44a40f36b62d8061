#include "alloc.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#include "contest.h"

#define IN_FLIGHT_MAX 256
#define TIMES         10000 /* at most that many are kept of a slice */

/* One slice, shared by the threads that work for it. */
struct churn {
        const struct lane *lane;
        int64_t            end_ns;
        atomic_uint        done, failed;
        atomic_int         first_error;
};

static void note_failure(struct churn *c, int result)
{
        int none = 0;

        atomic_compare_exchange_strong(&c->first_error, &none, result);
        atomic_fetch_add(&c->failed, 1);
}

static void note(struct churn *c, int result)
{
        if (result < 0)
                note_failure(c, result);
        else
                atomic_fetch_add(&c->done, 1);
}

/* One after the other until the slice is over, but one at least: it may be over before a thread gets to run. */
static void *churn_blocking(void *arg)
{
        struct churn           *c = arg;
        const struct transport *t = c->lane->transport;

        do {
                int fd = t->connect(c->lane->peer.address);

                if (fd >= 0)
                        t->close(fd);
                note(c, fd);
        } while (clock_now_ns() < c->end_ns);
        return NULL;
}

static bool churn_threads(struct churn *c, unsigned n)
{
        pthread_t thread[IN_FLIGHT_MAX];
        unsigned  n_started = 0;

        while (n_started < n && pthread_create(&thread[n_started], NULL, churn_blocking, c) == 0)
                n_started++;
        for (unsigned i = 0; i < n_started; i++)
                pthread_join(thread[i], NULL);
        return n_started == n;
}

/* Starts one in the empty place @p; it stays empty where that fails. */
static void start_one(struct churn *c, struct pollfd *p)
{
        const struct transport *t = c->lane->transport;

        *p = (struct pollfd){.fd = t->start(c->lane->peer.address), .events = t->started};
        if (p->fd < 0)
                note_failure(c, p->fd);
}

static void finish_one(struct churn *c, struct pollfd *p)
{
        const struct transport *t  = c->lane->transport;
        int                     fd = t->finish(p->fd);

        if (fd == -EAGAIN)
                return;
        if (fd >= 0)
                t->close(fd);
        note(c, fd);
        p->fd = -1;
}

/* Keeps @n under way from one thread, and lets those under way at the end finish. */
static bool churn_polling(struct churn *c, unsigned n)
{
        struct pollfd p[IN_FLIGHT_MAX];
        bool          more = true;

        for (unsigned i = 0; i < n; i++)
                p[i].fd = -1;
        for (unsigned n_open = 0; more || n_open > 0;) {
                n_open = 0;
                more   = clock_now_ns() < c->end_ns;
                for (unsigned i = 0; i < n; i++) {
                        if (p[i].fd >= 0 && p[i].revents != 0)
                                finish_one(c, &p[i]);
                        if (p[i].fd < 0 && more)
                                start_one(c, &p[i]);
                        n_open += p[i].fd >= 0;
                }
                if (n_open > 0 && poll(p, n, -1) < 0)
                        return false;
        }
        return true;
}

bool alloc_slice(struct lane *l, const struct options *o, struct slice *s)
{
        int64_t      start = clock_now_ns();
        struct churn c     = {.lane = l, .end_ns = start + o->slice_ns};
        bool         ok    = strcmp(o->mode, "start") == 0 ? churn_polling(&c, o->in_flight)
                                                           : churn_threads(&c, o->in_flight);

        s->ops    = c.done;
        s->failed = c.failed;
        s->figure = (double)s->ops / ((double)(clock_now_ns() - start) / NS_PER_S);
        if (c.failed > 0)
                lane_failed(l, "always connect", c.first_error);
        return (ok && s->ops > 0) || lane_failed(l, "go on", c.first_error);
}

/* One after the other from one thread; each is timed, without its end. */
static bool slice_single(struct lane *l, const struct options *o, struct slice *s)
{
        static double           us[TIMES], sorted[TIMES];
        const struct transport *t   = l->transport;
        int64_t                 end = clock_now_ns() + o->slice_ns;

        do {
                int64_t start = clock_now_ns();
                int     fd    = t->connect(l->peer.address);

                if (fd < 0)
                        return lane_failed(l, "connect", fd);
                us[s->ops++] = (double)(clock_now_ns() - start) / NS_PER_US;
                t->close(fd);
        } while (s->ops < TIMES && clock_now_ns() < end);
        s->times   = us;
        s->n_times = s->ops;
        memcpy(sorted, us, s->ops * sizeof(*us));
        s->figure = stats_quantile(sorted, s->ops, 0.5);
        return true;
}

static int single_run(const struct options *o)
{
        struct contest c = {
                .bench        = "alloc",
                .unit         = "us",
                .smaller_wins = true,
                .role         = "close",
                .n_threads    = o->acceptors,
                .free_range   = true,
                .slice        = slice_single,
        };

        snprintf(c.title, sizeof(c.title), "one at a time, against %s", o->rival->name);
        return contest_run(&c, o);
}

int alloc_run(const struct options *o)
{
        struct contest c = {
                .bench      = "alloc",
                .unit       = "/s",
                .role       = "close",
                .n_threads  = o->acceptors,
                .free_range = true,
                .slice      = alloc_slice,
        };

        if (strcmp(o->mode, "single") == 0)
                return single_run(o);
        if (strcmp(o->mode, "start") == 0 && o->rival->start == NULL) {
                fprintf(stderr, "o7s_bench: %s cannot be started only\n", o->rival->name);
                return 2;
        }
        if (o->in_flight < 1 || o->in_flight > IN_FLIGHT_MAX) {
                fprintf(stderr, "o7s_bench: 1 to %d in flight\n", IN_FLIGHT_MAX);
                return 2;
        }
        snprintf(c.title, sizeof(c.title), "allocate %u at once, %s", o->in_flight, o->mode);
        return contest_run(&c, o);
}
