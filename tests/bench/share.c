#include "share.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"

#include "alloc.h"
#include "contest.h"
#include "cpu.h"
#include "progress.h"
#include "pubkey_clock.h"
#include "report.h"
#include "stats.h"
#include "usage.h"

/* What one flow costs the daemon, us, slice by slice. */
struct shares {
        double all[STATS_MAX], own[STATS_MAX], operations[STATS_MAX];
};

static const struct pubkey_clock *map_clock(const char *path)
{
        int   fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        void *p  = MAP_FAILED;

        if (fd >= 0) {
                p = mmap(NULL, sizeof(struct pubkey_clock), PROT_READ, MAP_SHARED, fd, 0);
                close(fd);
        }
        if (p != MAP_FAILED)
                return p;
        fprintf(stderr, "o7s_bench: share needs --clock FILE, of pubkey_clock.so in the first --daemon\n");
        return NULL;
}

static bool measure(struct lane *l, const struct options *o, const struct pubkey_clock *c, struct shares *sh,
                    unsigned i)
{
        struct usage before     = usage_of(o->daemons[0]);
        int64_t      public_ns  = c->cpu_ns;
        uint64_t     operations = c->operations;
        struct slice s          = {0};
        struct usage used;

        if (!alloc_slice(l, o, &s))
                return false;
        used = usage_of(o->daemons[0]);
        usage_sub(&used, before);
        public_ns         = c->cpu_ns - public_ns;
        sh->all[i]        = (double)used.cpu_ns / (double)s.ops / NS_PER_US;
        sh->own[i]        = (double)(used.cpu_ns - public_ns) / (double)s.ops / NS_PER_US;
        sh->operations[i] = (double)(c->operations - operations) / (double)s.ops;
        return true;
}

static void report(const struct options *o, struct shares *sh)
{
        double all = stats_quantile(sh->all, o->pairs, 0.5);
        double own = stats_quantile(sh->own, o->pairs, 0.5);

        report_fact(o, "share", "irmd, CPU per flow, both ends", all, "us");
        report_fact(o, "share", "irmd, of that public-key operations", all - own, "us");
        report_fact(o, "share", "irmd, their number per flow", stats_quantile(sh->operations, o->pairs, 0.5),
                    "");
        report_fact(o, "share", "irmd, its own share", own, "us");
}

int share_run(const struct options *o)
{
        static struct shares       shares;
        const struct pubkey_clock *c  = map_clock(o->clock);
        struct lane                l  = {.transport = &transport_flow, .fd = -1};
        bool                       ok = c != NULL && o->n_daemons > 0 &&
                  peer_start(&l.peer, l.transport, "close", o->name, o->acceptors, CPU_ANY);
        int fd = ok ? lane_connect(&l, o) : -1;

        if (fd >= 0)
                l.transport->close(fd);
        ok = fd >= 0;
        for (unsigned i = 0; ok && i < o->pairs; i++) {
                progress("share", i, o->pairs);
                ok = measure(&l, o, c, &shares, i);
        }
        progress_done();
        peer_stop(&l.peer);
        if (ok)
                report(o, &shares);
        return ok ? 0 : 1;
}
