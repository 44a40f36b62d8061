#include "frct_world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#include "random.h"

#define AT_ONCE_MAX 300000u /* packets of one end, or steps, in no time: more than any window */

void world_init(struct world *w, uint64_t seed, int64_t now_ns)
{
        *w = (struct world){.now_ns = now_ns, .seed = seed, .random = ~seed, .watched = true};
}

void world_fini(struct world *w)
{
        for (unsigned i = 0; i < w->n_ends; i++) {
                frct_destroy(w->ends[i].f);
                watch_fini(&w->ends[i].watch);
        }
        link_destroy(w->links[0]);
        link_destroy(w->links[1]);
}

void world_set_link(struct world *w, unsigned way, const struct link_conf *conf, size_t packet)
{
        w->links[way] = link_create(conf, packet, random_next(&w->random));
}

struct world_end *world_add(struct world *w, const struct frct_conf *conf, int64_t ahead_ns, int64_t lag_ns)
{
        struct world_end *e  = &w->ends[w->n_ends];
        struct watch_conf wc = {.packet   = conf->packet,
                                .mpl_ns   = conf->mpl_ns,
                                .lag_ns   = lag_ns,
                                .reliable = conf->reliable,
                                .foul     = w->foul};

        *e = (struct world_end){.conf     = *conf,
                                .number   = w->n_ends++,
                                .ahead_ns = ahead_ns,
                                .lag_ns   = lag_ns,
                                .due_ns   = w->now_ns,
                                .app_ns   = w->now_ns};
        watch_init(&e->watch, &wc, world_time(w, e));
        e->f = frct_create(conf, world_time(w, e));
        if (e->f == NULL)
                world_fail(w, e, "frct_create");
        return e;
}

struct world_end *world_peer(struct world *w, const struct world_end *e)
{
        return &w->ends[e->number ^ 1];
}

/* -- what is printed ----------------------------------------------------------- */

static void print_place(const struct world *w, const struct world_end *e, FILE *to)
{
        fprintf(to, "%4lld.%09lld", (long long)(w->now_ns / NS_PER_S), (long long)(w->now_ns % NS_PER_S));
        if (e != NULL)
                fprintf(to, " end %u", e->number);
}

void world_fail(const struct world *w, const struct world_end *e, const char *what)
{
        fflush(stdout);
        fprintf(stderr, "seed %llu: ", (unsigned long long)w->seed);
        print_place(w, e, stderr);
        fprintf(stderr, ": %s\nto see it: sim_frct -n 1 -s %llu -v\n", what, (unsigned long long)w->seed);
        _Exit(EXIT_FAILURE);
}

void world_say(const struct world *w, const struct world_end *e, const char *format, ...)
{
        va_list args;

        if (!w->trace)
                return;
        print_place(w, e, stdout);
        printf(" ");
        va_start(args, format);
        vprintf(format, args);
        va_end(args);
        printf("\n");
}

static void say_packet(const struct world *w, const struct world_end *e, const char *what,
                       const uint8_t *packet, size_t n)
{
        if (!w->trace)
                return;
        print_place(w, e, stdout);
        printf(" %s ", what);
        watch_print(packet, n);
}

static void check(const struct world *w, const struct world_end *e, const char *fault)
{
        if (fault != NULL)
                world_fail(w, e, fault);
}

/* -- packets out ------------------------------------------------------------------ */

static void look_at(struct world *w, struct world_end *e, const uint8_t *packet, size_t n)
{
        say_packet(w, e, "->", packet, n);
        if (e->over)
                world_fail(w, e, "sends after an error");
        check(w, e, watch_sends(&e->watch, &world_peer(w, e)->watch, packet, n, world_time(w, e)));
}

/* A timer runs when its thread does: up to lag_ns late. */
static void set_due(struct world *w, struct world_end *e)
{
        int64_t due_ns = frct_due_ns(e->f);

        if (due_ns <= world_time(w, e))
                world_fail(w, e, "frct_due_ns() is not in the future after frct_tx() returned 0");
        e->due_ns = due_ns == CLOCK_NEVER ? CLOCK_NEVER : due_ns - e->ahead_ns;
        if (e->due_ns != CLOCK_NEVER && e->lag_ns > 0)
                e->due_ns += (int64_t)random_below(&w->random, (uint64_t)e->lag_ns);
}

static void check_memory(struct world *w, const struct world_end *e)
{
        struct frct_stats s;
        uint64_t          tx_max = e->conf.tx_bytes > 0 ? e->conf.tx_bytes : FRCT_QUEUE_BYTES;
        uint64_t          rx_max = e->conf.rx_bytes > 0 ? e->conf.rx_bytes : FRCT_QUEUE_BYTES;

        frct_stats(e->f, &s);
        if (s.tx_queued > tx_max && s.tx_queued > FRCT_MESSAGE_MAX)
                world_fail(w, e, "more is queued than allowed");
        if (s.rx_queued > rx_max + FRCT_MESSAGE_MAX)
                world_fail(w, e, "more was received than allowed");
}

static void send_all(struct world *w, struct world_end *e)
{
        uint8_t packet[UINT16_MAX + 1];
        size_t  n;

        for (unsigned i = 0; (n = frct_tx(e->f, packet, world_time(w, e))) > 0; i++) {
                if (w->watched)
                        look_at(w, e, packet, n);
                w->packets++;
                link_send(w->links[e->number & 1], e->number ^ 1, packet, n, w->now_ns);
                if (i > AT_ONCE_MAX)
                        world_fail(w, e, "sends without end");
        }
        set_due(w, e);
}

/* -- steps -------------------------------------------------------------------------- */

static void turn(struct world *w, struct world_end *e)
{
        if (e->due_ns <= w->now_ns)
                send_all(w, e);
        e->app_ns = e->app(w, e);
        send_all(w, e);
        if (w->watched) {
                check_memory(w, e);
                if (!e->over)
                        check(w, e, watch_waits(&e->watch, world_time(w, e)));
        }
}

/* What was altered is dropped by the check sum or the record layer, unless the world is foul. */
static void arrive(struct world *w, const struct link_packet *p)
{
        struct world_end *e = &w->ends[p->flow];
        bool              good;

        if (e->dead || (p->altered && !w->foul))
                return;
        say_packet(w, e, p->marked ? "<- (marked)" : "<-", p->bytes, p->n);
        if (w->watched && !p->altered)
                check(w, e,
                      watch_hears(&e->watch, &world_peer(w, e)->watch, p->bytes, p->n, world_time(w, e)));
        good = frct_rx(e->f, p->bytes, p->n, p->marked, world_time(w, e));
        if (!good && !e->over && !w->foul && w->watched && frct_look(e->f) >= 0)
                world_fail(w, e, "a good packet was refused");
        turn(w, e);
}

static int64_t end_due_ns(const struct world_end *e)
{
        if (e->dead)
                return CLOCK_NEVER;
        return e->due_ns < e->app_ns ? e->due_ns : e->app_ns;
}

int64_t world_due_ns(const struct world *w)
{
        int64_t a = link_due_ns(w->links[0]), b = link_due_ns(w->links[1]);
        int64_t due_ns = a < b ? a : b;

        for (unsigned i = 0; i < w->n_ends; i++) {
                int64_t end_ns = end_due_ns(&w->ends[i]);

                due_ns = end_ns < due_ns ? end_ns : due_ns;
        }
        return due_ns;
}

static void step(struct world *w)
{
        const struct link_packet *p;

        for (unsigned i = 0; i < 2; i++)
                if ((p = link_take(w->links[i], w->now_ns)) != NULL)
                        arrive(w, p);
        for (unsigned i = 0; i < w->n_ends; i++)
                if (end_due_ns(&w->ends[i]) <= w->now_ns)
                        turn(w, &w->ends[i]);
        w->steps++;
        if (++w->at_once > AT_ONCE_MAX)
                world_fail(w, NULL, "the world goes round in no time");
}

void world_run(struct world *w, int64_t until_ns)
{
        int64_t due_ns;

        while ((due_ns = world_due_ns(w)) <= until_ns) {
                if (due_ns > w->now_ns) {
                        w->now_ns  = due_ns;
                        w->at_once = 0;
                }
                step(w);
        }
        w->now_ns = until_ns;
}
