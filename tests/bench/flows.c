#include "flows.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ouroboros/errno.h>

#include "base/clock.h"

#include "cpu.h"
#include "peer.h"
#include "progress.h"
#include "report.h"
#include "usage.h"

#define N_HOLDERS 4 /* processes that share the flows: each has a limit of open descriptors */
#define SETTLE_NS (NS_PER_MS * 500)
#define IDLE_NS   (NS_PER_S * 5)

static void pause_ns(int64_t ns)
{
        struct timespec ts = clock_timespec(ns);

        clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

/* Flows take descriptors. The peer inherits the limit. */
static void raise_limit(void)
{
        struct rlimit lim;

        getrlimit(RLIMIT_NOFILE, &lim);
        lim.rlim_cur = lim.rlim_max;
        setrlimit(RLIMIT_NOFILE, &lim);
}

/* The name of a process, from /proc. */
static const char *name_of(pid_t pid, char name[32])
{
        char  path[64];
        FILE *f;

        snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
        f = fopen(path, "re");
        if (f == NULL || fgets(name, 32, f) == NULL)
                strcpy(name, "?");
        if (f != NULL)
                fclose(f);
        name[strcspn(name, "\n")] = '\0';
        return name;
}

static void fact(const struct options *o, pid_t pid, const char *what, double value, const char *unit)
{
        char name[32];
        char line[80];

        snprintf(line, sizeof(line), "%s, %s", name_of(pid, name), what);
        report_fact(o, "flows", line, value, unit);
}

static void report_size(const struct options *o, const char *when)
{
        char what[64];

        for (size_t i = 0; i < o->n_daemons; i++) {
                int64_t n = usage_descriptors(o->daemons[i]);

                snprintf(what, sizeof(what), "memory %s", when);
                fact(o, o->daemons[i], what, (double)usage_status(o->daemons[i], "VmRSS") / 1024, "MiB");
                snprintf(what, sizeof(what), "descriptors %s", when);
                if (n >= 0) /* irmd shows its own to root only */
                        fact(o, o->daemons[i], what, (double)n, "");
        }
}

/* Watches the daemons while nothing happens. */
static void report_idle(const struct options *o)
{
        struct usage before[DAEMONS_MAX];

        for (size_t i = 0; i < o->n_daemons; i++)
                before[i] = usage_of(o->daemons[i]);
        pause_ns(IDLE_NS);
        for (size_t i = 0; i < o->n_daemons; i++) {
                struct usage u = usage_of(o->daemons[i]);

                usage_sub(&u, before[i]);
                fact(o, o->daemons[i], "CPU when idle", 100.0 * (double)u.cpu_ns / IDLE_NS, "%");
                fact(o, o->daemons[i], "wake-ups when idle", (double)u.sleeps * NS_PER_S / IDLE_NS, "/s");
        }
}

/* -- a process that holds its share of the flows open, with a server of its own  */

static size_t open_some(const struct peer *p, int *fds, size_t n)
{
        size_t i;

        for (i = 0; i < n; i++) {
                fds[i] = i == 0 ? peer_connect(p) : p->transport->connect(p->address);
                if (fds[i] < 0) {
                        fprintf(stderr, "o7s_bench: flow %zu of a process: %s\n", i + 1,
                                o7s_strerror(fds[i]));
                        break;
                }
        }
        return i;
}

/* Opens @n flows, tells @report how many it came to, and closes them when @hold ends. */
static void hold_flows(size_t n, unsigned acceptors, int report, int hold)
{
        int        *fds = calloc(n, sizeof(*fds));
        struct peer peer;
        char        end;

        if (fds == NULL || !peer_start(&peer, &transport_flow, "keep", NULL, acceptors, CPU_ANY))
                _exit(1);
        n = open_some(&peer, fds, n);
        (void)!write(report, &n, sizeof(n));
        (void)!read(hold, &end, 1);
        while (n > 0)
                peer.transport->close(fds[--n]);
        peer_stop(&peer);
        _exit(0);
}

struct holder {
        pid_t pid;
        int   hold; /* closing it lets the flows go */
};

/* Returns how many flows it holds. */
static size_t holder_start(struct holder *h, size_t n, unsigned acceptors)
{
        int    report[2], hold[2];
        size_t opened = 0;

        if (pipe2(report, O_CLOEXEC) < 0 || pipe2(hold, O_CLOEXEC) < 0)
                return 0;
        h->pid  = fork();
        h->hold = hold[1];
        if (h->pid == 0) {
                close(hold[1]);
                hold_flows(n, acceptors, report[1], hold[0]);
        }
        close(report[1]);
        close(hold[0]);
        if (h->pid < 0 || read(report[0], &opened, sizeof(opened)) != sizeof(opened))
                opened = 0;
        close(report[0]);
        return opened;
}

static void holders_stop(struct holder *h, size_t n)
{
        for (size_t i = 0; i < n; i++)
                close(h[i].hold);
        for (size_t i = 0; i < n; i++) {
                if (h[i].pid > 0)
                        waitpid(h[i].pid, NULL, 0);
        }
}

/* -- the measurement ------------------------------------------------------- */

static void open_all(const struct options *o, struct holder *h)
{
        int64_t start  = clock_now_ns();
        size_t  opened = 0;

        for (size_t i = 0; i < N_HOLDERS; i++) {
                size_t share = o->count * (i + 1) / N_HOLDERS - o->count * i / N_HOLDERS;

                progress("open flows", opened, o->count);
                opened += holder_start(&h[i], share, o->acceptors);
        }
        progress_done();
        report_fact(o, "flows", "open flows", (double)opened, "");
        report_fact(o, "flows", "opened at", (double)opened * NS_PER_S / (double)(clock_now_ns() - start),
                    "/s");
}

int flows_run(const struct options *o)
{
        struct holder holders[N_HOLDERS] = {{0}};

        raise_limit();
        report_size(o, "before");
        open_all(o, holders);
        pause_ns(SETTLE_NS);
        report_size(o, "with the flows");
        report_idle(o);
        holders_stop(holders, N_HOLDERS);
        pause_ns(SETTLE_NS);
        report_size(o, "after");
        return 0;
}
