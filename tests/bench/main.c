/* o7s_bench - measures flows against AF_UNIX sockets or TLS, between two processes, in one run. scripts/bench.sh
 * gives it daemons; doc/measurements.md explains. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#include "alloc.h"
#include "flows.h"
#include "options.h"
#include "peer.h"
#include "pingpong.h"
#include "rate.h"
#include "report.h"
#include "share.h"
#include "stats.h"
#include "transport.h"

static const char usage_text[] =
        "usage: o7s_bench head|pingpong|rate|alloc|share|flows [option value]...\n"
        "\n"
        "  --cores 1|2        everything on one processor, or as a user would see it (2)\n"
        "  --pairs N          pairs of slices (16)\n"
        "  --slice-ms N       length of a slice (200)\n"
        "  --against NAME     af_unix, or tls or tls-connect (af_unix)\n"
        "  --only NAME        run one of these or ouroboros alone, for profilers\n"
        "  --name NAME        of the server, for flows that need a certain one\n"
        "  --json FILE        append JSON lines to FILE\n"
        "  --daemon PID       count and pin this process with the flows; repeatable\n"
        "  --size N           bytes of a message (64)                  pingpong, rate\n"
        "  --regime R         busy, paced or asleep (busy)             pingpong\n"
        "  --think-us N       pause before a message (1200)            pingpong\n"
        "  --in-flight N      allocations at once (1)                  alloc, share\n"
        "  --mode M           threads, start or single (threads)       alloc\n"
        "  --acceptors N      accepting threads of the server (4)      alloc, share, flows\n"
        "  --suite S          flows must be authenticated, with this suite\n"
        "  --clock FILE       of pubkey_clock.so in the first daemon   share\n"
        "  --count N          flows to hold open (10000)               flows\n";

static int head_run(const struct options *o)
{
        report_head(o);
        return 0;
}

static const struct {
        const char *name;
        int (*run)(const struct options *o);
} commands[] = {
        {"head", head_run},   {"pingpong", pingpong_run}, {"rate", rate_run},
        {"alloc", alloc_run}, {"share", share_run},       {"flows", flows_run},
};

enum option_id {
        OPT_CORES = 1,
        OPT_PAIRS,
        OPT_SLICE,
        OPT_ONLY,
        OPT_JSON,
        OPT_DAEMON,
        OPT_SIZE,
        OPT_REGIME,
        OPT_THINK,
        OPT_IN_FLIGHT,
        OPT_MODE,
        OPT_ACCEPTORS,
        OPT_COUNT,
        OPT_AGAINST,
        OPT_NAME,
        OPT_SUITE,
        OPT_CLOCK
};

static const struct option long_options[] = {
        {"cores", required_argument, NULL, OPT_CORES},
        {"pairs", required_argument, NULL, OPT_PAIRS},
        {"slice-ms", required_argument, NULL, OPT_SLICE},
        {"only", required_argument, NULL, OPT_ONLY},
        {"json", required_argument, NULL, OPT_JSON},
        {"daemon", required_argument, NULL, OPT_DAEMON},
        {"size", required_argument, NULL, OPT_SIZE},
        {"regime", required_argument, NULL, OPT_REGIME},
        {"think-us", required_argument, NULL, OPT_THINK},
        {"in-flight", required_argument, NULL, OPT_IN_FLIGHT},
        {"mode", required_argument, NULL, OPT_MODE},
        {"acceptors", required_argument, NULL, OPT_ACCEPTORS},
        {"count", required_argument, NULL, OPT_COUNT},
        {"against", required_argument, NULL, OPT_AGAINST},
        {"name", required_argument, NULL, OPT_NAME},
        {"suite", required_argument, NULL, OPT_SUITE},
        {"clock", required_argument, NULL, OPT_CLOCK},
        {NULL, 0, NULL, 0},
};

/* A whole number between @low and @high, or the end of the program. */
static unsigned long number(const char *text, unsigned long low, unsigned long high)
{
        char         *end;
        unsigned long v = strtoul(text, &end, 10);

        if (*text >= '0' && *text <= '9' && *end == '\0' && v >= low && v <= high)
                return v;
        fprintf(stderr, "o7s_bench: \"%s\" is no number from %lu to %lu\n", text, low, high);
        exit(2);
}

static void add_daemon(struct options *o, const char *text)
{
        if (o->n_daemons < DAEMONS_MAX)
                o->daemons[o->n_daemons++] = (pid_t)number(text, 1, 1u << 30);
}

static FILE *open_json(const char *path)
{
        FILE *f = fopen(path, "ae");

        if (f == NULL) {
                perror(path);
                exit(2);
        }
        return f;
}

static const struct transport *transport_of(const char *text)
{
        const struct transport *t = transport_find(text);

        if (t != NULL)
                return t;
        fprintf(stderr, "o7s_bench: no transport \"%s\": af_unix, tls, tls-connect or ouroboros\n", text);
        exit(2);
}

static void set_option(struct options *o, int id, const char *arg)
{
        switch (id) {
        case OPT_CORES: o->cores = (unsigned)number(arg, 1, 2); break;
        case OPT_PAIRS: o->pairs = (unsigned)number(arg, 1, STATS_MAX); break;
        case OPT_SLICE: o->slice_ns = (int64_t)number(arg, 1, 1000000) * NS_PER_MS; break;
        case OPT_ONLY: o->only = transport_of(arg)->name; break;
        case OPT_JSON: o->json = open_json(arg); break;
        case OPT_DAEMON: add_daemon(o, arg); break;
        case OPT_SIZE: o->size = number(arg, sizeof(struct message), MESSAGE_MAX); break;
        case OPT_REGIME: o->regime = arg; break;
        case OPT_THINK: o->think_ns = (int64_t)number(arg, 0, 1000000) * NS_PER_US; break;
        case OPT_IN_FLIGHT: o->in_flight = (unsigned)number(arg, 1, 256); break;
        case OPT_MODE: o->mode = arg; break;
        case OPT_ACCEPTORS: o->acceptors = (unsigned)number(arg, 1, 256); break;
        case OPT_COUNT: o->count = number(arg, 1, 1000000); break;
        case OPT_AGAINST: o->rival = transport_of(arg); break;
        case OPT_NAME: o->name = arg; break;
        case OPT_SUITE: o->suite = arg; break;
        case OPT_CLOCK: o->clock = arg; break;
        default: fputs(usage_text, stderr); exit(2);
        }
}

static int run_command(int argc, char **argv)
{
        struct options o = {
                .rival     = &transport_af_unix,
                .cores     = 2,
                .pairs     = 16,
                .slice_ns  = 200 * NS_PER_MS,
                .size      = 64,
                .regime    = "busy",
                .think_ns  = 1200 * NS_PER_US,
                .in_flight = 1,
                .mode      = "threads",
                .acceptors = 4,
                .count     = 10000,
        };
        int id;

        while ((id = getopt_long(argc, argv, "", long_options, NULL)) != -1)
                set_option(&o, id, optarg);
        for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
                if (strcmp(argv[0], commands[i].name) == 0 && optind == argc)
                        return commands[i].run(&o);
        }
        fputs(usage_text, stderr);
        return 2;
}

int main(int argc, char **argv)
{
        if (argc < 2) {
                fputs(usage_text, stderr);
                return 2;
        }
        if (strcmp(argv[1], "peer") == 0)
                return peer_main(argc - 1, argv + 1);
        return run_command(argc - 1, argv + 1);
}
