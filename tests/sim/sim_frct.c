/*
 * sim_frct.c - plays scenarios of FRCT (frct_scenario.h), one for each seed, in several processes.
 *
 *     sim_frct [-n SEEDS] [-s FIRST] [-j PROCESSES] [-v]     (20,000 seeds for a full run: two minutes)
 *
 * A seed that fails prints what to type to see it; the others go on, up to FAILURES_MAX. -v prints every
 * packet.
 */
#include <malloc.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"

#include "frct_scenario.h"

#define JOBS_MAX     64u
#define FAILURES_MAX 10u
#define SEED_SECONDS 60u
#define ENOUGH       1000u /* seeds in which everything that is counted must happen */

struct options {
        uint64_t n, first;
        unsigned jobs;
        bool     trace;
};

struct job {
        pid_t    pid;
        uint64_t seed; /* that it plays */
        uint64_t tally[TALLY_N];
};

/* Seen by all processes. */
struct shared {
        _Atomic uint64_t next; /* seed */
        struct job       jobs[JOBS_MAX];
};

static struct shared *shared_create(void)
{
        void *p =
                mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        if (p != MAP_FAILED)
                return p;
        perror("sim_frct: mmap");
        exit(EXIT_FAILURE);
}

static void work(struct shared *s, struct job *j, const struct options *o)
{
        uint64_t seed;

        while ((seed = atomic_fetch_add(&s->next, 1)) < o->first + o->n) {
                j->seed = seed;
                alarm(SEED_SECONDS);
                scenario_play(seed, o->trace, j->tally);
        }
        alarm(0);
}

static void start(struct shared *s, struct job *j, const struct options *o)
{
        pid_t pid;

        fflush(stdout);
        pid = fork();
        if (pid < 0) {
                perror("sim_frct: fork");
                exit(EXIT_FAILURE);
        }
        if (pid > 0) {
                j->pid = pid;
                return;
        }
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        work(s, j, o);
        exit(EXIT_SUCCESS);
}

static struct job *job_of(struct shared *s, pid_t pid)
{
        struct job *j = s->jobs;

        while (j->pid != pid)
                j++;
        return j;
}

/* Returns how many seeds have failed. */
static unsigned play_all(struct shared *s, const struct options *o)
{
        unsigned failures = 0, running = o->jobs;
        int      status;

        for (unsigned i = 0; i < o->jobs; i++)
                start(s, &s->jobs[i], o);
        while (running > 0) {
                struct job *j = job_of(s, wait(&status));

                running--;
                if (status == 0)
                        continue;
                if (WIFSIGNALED(status))
                        fprintf(stderr, "seed %llu: signal %d%s\nto see it: sim_frct -n 1 -s %llu -v\n",
                                (unsigned long long)j->seed, WTERMSIG(status),
                                WTERMSIG(status) == SIGALRM ? " (it takes too long)" : "",
                                (unsigned long long)j->seed);
                if (++failures >= FAILURES_MAX)
                        atomic_store(&s->next, o->first + o->n);
                start(s, j, o);
                running++;
        }
        return failures;
}

/* False: something that the scenarios are for has not happened at all. */
static bool print_tally(const struct shared *s, const struct options *o, double seconds)
{
        bool all = true;

        printf("%llu seeds from %llu in %.1f s:", (unsigned long long)o->n, (unsigned long long)o->first,
               seconds);
        for (unsigned t = 0; t < TALLY_N; t++) {
                uint64_t sum = 0;

                for (unsigned i = 0; i < o->jobs; i++)
                        sum += s->jobs[i].tally[t];
                printf("%s %llu %s", t > 0 ? "," : "", (unsigned long long)sum, tally_names[t]);
                all = all && sum > 0;
        }
        printf("\n");
        return all;
}

static uint64_t number(const char *arg, uint64_t min, uint64_t max)
{
        unsigned long long v;

        if (str_number(arg, max, &v) && v >= min)
                return v;
        fprintf(stderr, "sim_frct: bad number %s\n", arg);
        exit(2);
}

static struct options options(int argc, char *argv[])
{
        struct options o = {.n = 1000, .jobs = 1};
        int            c;

        while ((c = getopt(argc, argv, "n:s:j:v")) != -1) {
                switch (c) {
                case 'n': o.n = number(optarg, 1, UINT32_MAX); break;
                case 's': o.first = number(optarg, 0, INT64_MAX); break;
                case 'j': o.jobs = (unsigned)number(optarg, 1, JOBS_MAX); break;
                case 'v': o.trace = true; break;
                default:
                        fprintf(stderr, "usage: %s [-n seeds] [-s first] [-j processes] [-v]\n", argv[0]);
                        exit(2);
                }
        }
        return o;
}

int main(int argc, char *argv[])
{
        struct options o        = options(argc, argv);
        struct shared *s        = shared_create();
        int64_t        begin    = clock_now_ns();
        unsigned       failures = 0;
        bool           all;

        mallopt(M_MMAP_THRESHOLD, 32 << 20); /* every scenario takes the memory of the one before */
        mallopt(M_TRIM_THRESHOLD, 256 << 20);
        atomic_store(&s->next, o.first);
        if (o.n == 1) /* where a debugger can follow */
                work(s, &s->jobs[0], &o);
        else
                failures = play_all(s, &o);
        if (failures >= FAILURES_MAX)
                fprintf(stderr, "sim_frct: given up after %u failures\n", failures);
        all = print_tally(s, &o, (double)(clock_now_ns() - begin) / (double)NS_PER_S);
        if (failures == 0 && o.n >= ENOUGH && !all)
                fprintf(stderr, "sim_frct: something of this never happened\n");
        return failures > 0 || (o.n >= ENOUGH && !all) ? EXIT_FAILURE : EXIT_SUCCESS;
}
