#include "flows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <ouroboros/errno.h>

#include "base/clock.h"

#include "peer.h"
#include "progress.h"
#include "report.h"
#include "usage.h"

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
                snprintf(what, sizeof(what), "memory %s", when);
                fact(o, o->daemons[i], what, (double)usage_status(o->daemons[i], "VmRSS") / 1024, "MiB");
                snprintf(what, sizeof(what), "descriptors %s", when);
                fact(o, o->daemons[i], what, (double)usage_descriptors(o->daemons[i]), "");
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

static size_t open_flows(const struct options *o, const struct peer *p, int *fds)
{
        size_t  n;
        int64_t start = clock_now_ns();

        for (n = 0; n < o->count; n++) {
                if (n % 100 == 0)
                        progress("open flows", n, o->count);
                fds[n] = p->transport->connect(p->address);
                if (fds[n] < 0) {
                        progress_done();
                        fprintf(stderr, "o7s_bench: flow %zu: %s\n", n + 1, o7s_strerror(fds[n]));
                        break;
                }
        }
        progress_done();
        report_fact(o, "flows", "open flows", (double)n, "");
        report_fact(o, "flows", "opened at", (double)n * NS_PER_S / (double)(clock_now_ns() - start), "/s");
        return n;
}

int flows_run(const struct options *o)
{
        int        *fds = calloc(o->count, sizeof(*fds));
        struct peer peer;
        size_t      n;

        raise_limit();
        if (fds == NULL || !peer_start(&peer, &transport_flow, "keep", o->acceptors, -1)) {
                free(fds);
                return 1;
        }
        report_size(o, "before");
        n = open_flows(o, &peer, fds);
        pause_ns(SETTLE_NS);
        report_size(o, "with the flows");
        report_idle(o);
        while (n > 0)
                peer.transport->close(fds[--n]);
        peer_stop(&peer);
        pause_ns(SETTLE_NS);
        report_size(o, "after");
        free(fds);
        return 0;
}
