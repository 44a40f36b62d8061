/*
 * bench_frct.c - what FRCT makes of a link, in virtual time: goodput as a part of the link's rate, for
 * rates of loss, round-trip times and congestion controllers; and how flows share a link. Nothing depends
 * on the machine but the CPU time.
 *
 *     bench_frct [--rate MBIT] [--queue PERCENT] [--seconds N] [--apart MS] [--seed N]
 *                [--only goodput|share] [--json]
 *
 * Packets of 1400 bytes, header included; a queue of one round trip (or --queue of it), at least 20 packets;
 * loss in the direction of the data. Goodput counts from two seconds and twenty round trips after the start.
 * Shares count over the last two thirds; flows begin half a second apart, or as --apart says.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"

#include "frct_world.h"

#define PACKET    1400u
#define MESSAGE   65536u
#define FLOWS_MAX (WORLD_ENDS / 2)

struct options {
        uint64_t    mbit;
        int64_t     seconds;
        uint64_t    seed;
        uint64_t    percent; /* of a round trip, the queue */
        int64_t     apart_ns;
        const char *only;
        bool        json;
};

struct sender {
        int64_t start_ns;
};

struct reader {
        uint64_t bytes;
};

/* A link and the flows on it. */
struct rig {
        struct world  w;
        int64_t       rtt_ns;
        struct sender senders[FLOWS_MAX];
        struct reader readers[FLOWS_MAX];
        uint64_t      rate;   /* bytes per second */
        int64_t       cpu_ns; /* of the process, when it began */
};

static int64_t cpu_ns(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
        return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* -- applications: one writes as much as is taken, one reads all ------------------- */

static int64_t write_all(struct world *w, struct world_end *e)
{
        static const uint8_t message[MESSAGE];
        const struct sender *s = e->arg;

        if (w->now_ns < s->start_ns)
                return s->start_ns;
        while (frct_has_room(e->f, MESSAGE))
                if (frct_write(e->f, message, MESSAGE, world_time(w, e)) != 0)
                        world_fail(w, e, "frct_write");
        return CLOCK_NEVER;
}

static int64_t read_all(struct world *w, struct world_end *e)
{
        static uint8_t message[MESSAGE];
        struct reader *r = e->arg;
        ptrdiff_t      n;

        while ((n = frct_look(e->f)) > 0)
                r->bytes += frct_read(e->f, message, (size_t)n, world_time(w, e));
        if (n < 0)
                world_fail(w, e, "the flow is over");
        return CLOCK_NEVER;
}

/* -- rig ------------------------------------------------------------------------------ */

static uint64_t bdp(const struct rig *r)
{
        return r->rate / 1000000 * (uint64_t)(r->rtt_ns / NS_PER_US);
}

static void rig_init(struct rig *r, const struct options *o, int64_t rtt_ns, uint32_t loss_ppm)
{
        struct link_conf way = {.rate = o->mbit * 125000, .delay_ns = rtt_ns / 2};
        struct link_conf back;

        *r = (struct rig){.rtt_ns = rtt_ns, .rate = way.rate, .cpu_ns = cpu_ns()};
        world_init(&r->w, o->seed, 0);
        r->w.watched = false;
        way.queue    = bdp(r) * o->percent / 100 > 20 * PACKET ? bdp(r) * o->percent / 100 : 20 * PACKET;
        back         = way;
        way.loss_ppm = loss_ppm;
        world_set_link(&r->w, 0, &way, PACKET);
        world_set_link(&r->w, 1, &back, PACKET);
}

static void rig_add(struct rig *r, enum cc_kind cc, int64_t start_ns)
{
        unsigned          i      = r->w.n_ends / 2;
        size_t            bytes  = 6 * bdp(r) > FRCT_QUEUE_BYTES ? 6 * bdp(r) : FRCT_QUEUE_BYTES;
        struct frct_conf  conf   = {.packet   = PACKET,
                                    .mpl_ns   = 10 * NS_PER_S,
                                    .reliable = true,
                                    .cc       = cc,
                                    .tx_bytes = bytes,
                                    .rx_bytes = bytes,
                                    .seed     = r->w.seed * 1000 + i};
        struct world_end *sender = world_add(&r->w, &conf, NS_PER_S, 0), *reader;

        conf.seed              = ~conf.seed;
        reader                 = world_add(&r->w, &conf, NS_PER_S, 0);
        r->senders[i].start_ns = start_ns;
        sender->app            = write_all;
        sender->arg            = &r->senders[i];
        reader->app            = read_all;
        reader->arg            = &r->readers[i];
}

/* Goodput of each flow between two times, as a part of the rate. */
static void rig_run(struct rig *r, int64_t from_ns, int64_t to_ns, double *parts)
{
        unsigned n = r->w.n_ends / 2;
        uint64_t before[FLOWS_MAX];

        world_run(&r->w, from_ns);
        for (unsigned i = 0; i < n; i++)
                before[i] = r->readers[i].bytes;
        world_run(&r->w, to_ns);
        for (unsigned i = 0; i < n; i++)
                parts[i] = (double)(r->readers[i].bytes - before[i]) * (double)NS_PER_S /
                           (double)(to_ns - from_ns) / (double)r->rate;
}

/* -- one flow --------------------------------------------------------------------------- */

static const uint32_t     losses_ppm[] = {0, 1000, 10000, 50000};
static const int64_t      rtts_ns[]    = {NS_PER_MS, 20 * NS_PER_MS, 100 * NS_PER_MS};
static const enum cc_kind kinds[]      = {CC_CUBIC, CC_BBR};
static const char *const  names[]      = {[CC_NONE] = "none", [CC_CUBIC] = "cubic", [CC_BBR] = "bbr"};

#define N(a) (sizeof(a) / sizeof((a)[0]))

static void report_json(struct rig *r, enum cc_kind cc, uint32_t loss_ppm, double part)
{
        struct frct_stats s;

        frct_stats(r->w.ends[0].f, &s);
        printf("{\"bench\": \"frct_goodput\", \"cc\": \"%s\", \"mbit\": %.0f, \"rtt_ms\": %.0f, \"loss\": "
               "%g, \"goodput\": "
               "%.4f, \"sent\": %llu, \"again\": %llu, \"spurious\": %llu, \"timeouts\": %llu, \"srtt_ms\": "
               "%.2f, "
               "\"cpu_ns_per_packet\": %.0f}\n",
               names[cc], (double)r->rate / 125000, (double)r->rtt_ns / (double)NS_PER_MS, loss_ppm / 1e6,
               part, (unsigned long long)s.tx_packets, (unsigned long long)s.retransmitted,
               (unsigned long long)s.spurious, (unsigned long long)s.timeouts,
               (double)s.srtt_ns / (double)NS_PER_MS, (double)(cpu_ns() - r->cpu_ns) / (double)r->w.packets);
}

static double goodput(const struct options *o, enum cc_kind cc, int64_t rtt_ns, uint32_t loss_ppm)
{
        static struct rig r;
        int64_t           from_ns = 2 * NS_PER_S + 20 * rtt_ns;
        double            part    = 0;

        rig_init(&r, o, rtt_ns, loss_ppm);
        rig_add(&r, cc, 0);
        rig_run(&r, from_ns, from_ns + o->seconds * NS_PER_S, &part);
        if (o->json)
                report_json(&r, cc, loss_ppm, part);
        world_fini(&r.w);
        return part;
}

static void bench_goodput(const struct options *o)
{
        if (!o->json) {
                printf("goodput, part of %llu Mbit/s\n%-6s %8s", (unsigned long long)o->mbit, "", "RTT");
                for (size_t l = 0; l < N(losses_ppm); l++)
                        printf("  %5.1f %%", losses_ppm[l] / 1e4);
                printf("\n");
        }
        for (size_t k = 0; k < N(kinds) * N(rtts_ns); k++) {
                enum cc_kind cc     = kinds[k / N(rtts_ns)];
                int64_t      rtt_ns = rtts_ns[k % N(rtts_ns)];

                if (!o->json)
                        printf("%-6s %5lld ms", names[cc], (long long)(rtt_ns / NS_PER_MS));
                for (size_t l = 0; l < N(losses_ppm); l++) {
                        double part = goodput(o, cc, rtt_ns, losses_ppm[l]);

                        if (!o->json)
                                printf("  %7.3f", part);
                }
                if (!o->json)
                        printf("\n");
        }
}

/* -- several flows ------------------------------------------------------------------------ */

static const struct company {
        const char  *name;
        unsigned     n;
        enum cc_kind cc[4];
} companies[] = {
        {"2 cubic", 2, {CC_CUBIC, CC_CUBIC}},  {"4 cubic", 4, {CC_CUBIC, CC_CUBIC, CC_CUBIC, CC_CUBIC}},
        {"2 bbr", 2, {CC_BBR, CC_BBR}},        {"4 bbr", 4, {CC_BBR, CC_BBR, CC_BBR, CC_BBR}},
        {"cubic, bbr", 2, {CC_CUBIC, CC_BBR}}, {"2 cubic, 2 bbr", 4, {CC_CUBIC, CC_BBR, CC_CUBIC, CC_BBR}},
};

static double sum_of(const double *x, unsigned n)
{
        double sum = 0;

        for (unsigned i = 0; i < n; i++)
                sum += x[i];
        return sum;
}

/* Jain, Chiu, Hawe 1984: 1 is fair, 1 / n is one flow that has all. */
static double jain(const double *x, unsigned n)
{
        double squares = 0, sum = sum_of(x, n);

        for (unsigned i = 0; i < n; i++)
                squares += x[i] * x[i];
        return squares > 0 ? sum * sum / (n * squares) : 0;
}

static void report_share(const struct options *o, const struct company *c, int64_t rtt_ns,
                         const double *parts)
{
        const char *format =
                o->json ? "{\"bench\": \"frct_share\", \"flows\": \"%s\", \"mbit\": %llu, \"rtt_ms\": %lld, "
                          "\"goodput\": %.4f, \"jain\": %.4f, \"parts\": ["
                        : "%-15s %5llu Mbit/s %5lld ms  goodput %.3f  Jain %.3f  parts ";

        printf(format, c->name, (unsigned long long)o->mbit, (long long)(rtt_ns / NS_PER_MS),
               sum_of(parts, c->n), jain(parts, c->n));
        for (unsigned i = 0; i < c->n; i++)
                printf("%s%.4f", i == 0 ? "" : ", ", parts[i]);
        printf(o->json ? "]}\n" : "\n");
}

static void share(const struct options *o, const struct company *c, int64_t rtt_ns)
{
        static struct rig r;
        double            parts[FLOWS_MAX];
        int64_t           all_ns = 3 * o->seconds * NS_PER_S;

        if (rtt_ns >= 100 * NS_PER_MS)
                all_ns *= 2;
        rig_init(&r, o, rtt_ns, 0);
        for (unsigned i = 0; i < c->n; i++)
                rig_add(&r, c->cc[i], i * o->apart_ns);
        rig_run(&r, all_ns / 3, all_ns, parts);
        report_share(o, c, rtt_ns, parts);
        world_fini(&r.w);
}

static void bench_share(const struct options *o)
{
        for (size_t c = 0; c < N(companies); c++)
                for (size_t i = 0; i < N(rtts_ns); i++)
                        share(o, &companies[c], rtts_ns[i]);
}

/* -- options --------------------------------------------------------------------------------- */

static uint64_t number(const char *arg, uint64_t min, uint64_t max)
{
        unsigned long long v;

        if (str_number(arg, max, &v) && v >= min)
                return v;
        fprintf(stderr, "bench_frct: bad number %s\n", arg);
        exit(2);
}

static struct options options(int argc, char *argv[])
{
        static const struct option longs[] = {
                {"rate", required_argument, NULL, 'r'},  {"seconds", required_argument, NULL, 't'},
                {"seed", required_argument, NULL, 's'},  {"only", required_argument, NULL, 'o'},
                {"queue", required_argument, NULL, 'q'}, {"apart", required_argument, NULL, 'a'},
                {"json", no_argument, NULL, 'j'},        {0},
        };
        struct options o = {
                .mbit = 100, .seconds = 10, .seed = 1, .percent = 100, .apart_ns = NS_PER_S / 2, .only = ""};
        int c;

        while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
                switch (c) {
                case 'r': o.mbit = number(optarg, 1, 100000); break;
                case 't': o.seconds = (int64_t)number(optarg, 1, 3600); break;
                case 's': o.seed = number(optarg, 0, UINT32_MAX); break;
                case 'q': o.percent = number(optarg, 1, 10000); break;
                case 'a': o.apart_ns = (int64_t)number(optarg, 0, 60000) * NS_PER_MS; break;
                case 'o': o.only = optarg; break;
                case 'j': o.json = true; break;
                default: exit(2);
                }
        }
        return o;
}

int main(int argc, char *argv[])
{
        struct options o = options(argc, argv);

        setvbuf(stdout, NULL, _IOLBF, 0);
        if (strcmp(o.only, "share") != 0)
                bench_goodput(&o);
        if (strcmp(o.only, "goodput") != 0)
                bench_share(&o);
        return EXIT_SUCCESS;
}
