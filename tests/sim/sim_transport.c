/*
 * sim_transport.c - plays worlds of the handshake transport (transport_world.h), one for each seed.
 *
 *     sim_transport [-n SEEDS] [-s FIRST] [-v]
 *
 * A seed that fails prints what to type to see it; the others go on, up to FAILURES_MAX. -v prints every
 * packet.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"

#include "transport_world.h"

#define FAILURES_MAX 10u
#define ENOUGH       1000u /* seeds in which everything that is counted must happen */

struct options {
        uint64_t n, first;
        bool     trace;
};

static uint64_t number(const char *arg, uint64_t min, uint64_t max)
{
        unsigned long long v;

        if (str_number(arg, max, &v) && v >= min)
                return v;
        fprintf(stderr, "sim_transport: bad number %s\n", arg);
        exit(2);
}

static struct options options(int argc, char *argv[])
{
        struct options o = {.n = 1000};
        int            c;

        while ((c = getopt(argc, argv, "n:s:v")) != -1) {
                switch (c) {
                case 'n': o.n = number(optarg, 1, UINT32_MAX); break;
                case 's': o.first = number(optarg, 0, INT64_MAX); break;
                case 'v': o.trace = true; break;
                default: fprintf(stderr, "usage: %s [-n seeds] [-s first] [-v]\n", argv[0]); exit(2);
                }
        }
        return o;
}

/* Returns how many seeds have failed. */
static unsigned play_all(const struct options *o, uint64_t tally[TALLY_N])
{
        unsigned failures = 0;

        for (uint64_t seed = o->first; seed < o->first + o->n && failures < FAILURES_MAX; seed++) {
                const char *fault = world_play(seed, o->trace, tally);

                if (fault == NULL)
                        continue;
                failures++;
                fprintf(stderr, "seed %llu: %s\nto see it: sim_transport -n 1 -s %llu -v\n",
                        (unsigned long long)seed, fault, (unsigned long long)seed);
        }
        return failures;
}

/* False: something that the worlds are for has not happened at all. */
static bool print_tally(const struct options *o, const uint64_t tally[TALLY_N], double seconds)
{
        bool all = true;

        printf("%llu seeds from %llu in %.1f s:", (unsigned long long)o->n, (unsigned long long)o->first,
               seconds);
        for (unsigned i = 0; i < TALLY_N; i++) {
                printf("%s %llu %s", i > 0 ? "," : "", (unsigned long long)tally[i], world_tally_names[i]);
                all = all && tally[i] > 0;
        }
        printf("\n");
        return all;
}

int main(int argc, char *argv[])
{
        struct options o              = options(argc, argv);
        uint64_t       tally[TALLY_N] = {0};
        int64_t        begin          = clock_now_ns();
        unsigned       failures       = play_all(&o, tally);
        bool           all = print_tally(&o, tally, (double)(clock_now_ns() - begin) / (double)NS_PER_S);

        if (failures == 0 && o.n >= ENOUGH && !all)
                fprintf(stderr, "sim_transport: something of this never happened\n");
        return failures > 0 || (o.n >= ENOUGH && !all) ? EXIT_FAILURE : EXIT_SUCCESS;
}
