#include "stress.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"

#include "random.h"

static unsigned long long number(const char *arg, unsigned long long max)
{
        unsigned long long v;

        if (str_number(arg, max, &v))
                return v;
        fprintf(stderr, "stress: bad number %s\n", arg);
        exit(2);
}

struct stress stress_begin(int argc, char *argv[])
{
        struct stress s       = {.seed = (uint64_t)clock_now_ns() % 1000000};
        unsigned      seconds = 3;
        int           c;

        while ((c = getopt(argc, argv, "t:s:T")) != -1) {
                switch (c) {
                case 't': seconds = (unsigned)number(optarg, 1000000); break;
                case 's': s.seed = number(optarg, UINT64_MAX); break;
                case 'T': s.threads = true; break;
                default: fprintf(stderr, "usage: %s [-t seconds] [-s seed] [-T]\n", argv[0]); exit(2);
                }
        }
        s.end_ns = clock_now_ns() + seconds * NS_PER_S;
        printf("seed %llu, %u s, two %s\n", (unsigned long long)s.seed, seconds,
               s.threads ? "threads" : "processes");
        fflush(stdout);
        alarm(seconds + 30);
        return s;
}

void stress_fail(const struct stress *s, const char *what)
{
        fprintf(stderr, "stress: failed with seed %llu: %s\n", (unsigned long long)s->seed, what);
        _exit(EXIT_FAILURE);
}

struct call {
        void (*fn)(void *);
        void *arg;
};

static void *run_call(void *arg)
{
        const struct call *c = arg;

        c->fn(c->arg);
        return NULL;
}

static void both_threads(const struct stress *s, void (*a)(void *), struct call *b)
{
        pthread_t id;

        STRESS_CHECK(s, pthread_create(&id, NULL, run_call, b) == 0);
        a(b->arg);
        pthread_join(id, NULL);
}

/* A partner that failed would be waited for until the watchdog comes. */
static void child_ended(int sig, siginfo_t *info, void *context)
{
        (void)sig;
        (void)context;
        if (info->si_code != CLD_EXITED || info->si_status != EXIT_SUCCESS)
                _exit(EXIT_FAILURE);
}

static void both_processes(const struct stress *s, void (*a)(void *), struct call *b)
{
        struct sigaction act    = {.sa_sigaction = child_ended, .sa_flags = SA_SIGINFO | SA_RESTART};
        pid_t            parent = getpid();
        pid_t            pid;
        int              status = -1;

        sigaction(SIGCHLD, &act, NULL);
        pid = fork();
        STRESS_CHECK(s, pid >= 0);
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (getppid() == parent)
                        b->fn(b->arg);
                _exit(EXIT_SUCCESS);
        }
        a(b->arg);
        STRESS_CHECK(s, waitpid(pid, &status, 0) == pid);
        STRESS_CHECK(s, status == 0);
}

void stress_both(const struct stress *s, void (*a)(void *), void (*b)(void *), void *arg)
{
        struct call call = {b, arg};

        if (s->threads)
                both_threads(s, a, &call);
        else
                both_processes(s, a, &call);
}

void *stress_shared(size_t size)
{
        void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        if (p == MAP_FAILED) {
                perror("mmap");
                exit(EXIT_FAILURE);
        }
        return p;
}

static uint64_t start(uint64_t key, uint64_t seq)
{
        uint64_t x = key ^ seq << 20;

        return random_next(&x);
}

size_t stress_len(uint64_t key, uint64_t seq, size_t max)
{
        uint64_t x    = start(key, seq);
        uint64_t kind = random_below(&x, 64);
        size_t   most = kind == 0 ? max : kind < 8 ? 4096 : 200;

        return 1 + (size_t)random_below(&x, most < max ? most : max);
}

/* The bytes from @at on, at most eight. */
static uint64_t word(uint64_t base, size_t at)
{
        return (base + at) * UINT64_C(0x9e3779b97f4a7c15);
}

void stress_fill(uint64_t key, uint64_t seq, void *buf, size_t len)
{
        uint64_t base = start(key, seq);

        for (size_t at = 0; at < len; at += 8) {
                uint64_t w = word(base, at);

                memcpy((uint8_t *)buf + at, &w, len - at < 8 ? len - at : 8);
        }
}

bool stress_is(uint64_t key, uint64_t seq, const void *buf, size_t len)
{
        uint64_t base = start(key, seq);

        for (size_t at = 0; at < len; at += 8) {
                uint64_t w = word(base, at);

                if (memcmp((const uint8_t *)buf + at, &w, len - at < 8 ? len - at : 8) != 0)
                        return false;
        }
        return true;
}

void stress_dawdle(uint64_t *random)
{
        uint64_t kind = random_below(random, 5000);

        if (kind == 0)
                nanosleep(&(struct timespec){.tv_nsec = (long)random_below(random, 200000)}, NULL);
        else if (kind < 100)
                sched_yield();
        else if (kind < 200)
                for (uint64_t n = random_below(random, 2000); n > 0; n--)
                        __asm__ volatile("" ::: "memory");
}
