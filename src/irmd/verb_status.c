#include <unistd.h>

#include <ouroboros/version.h>

#include "base/clock.h"
#include "bind.h"
#include "flow.h"
#include "ipcp.h"
#include "name.h"
#include "verbs.h"

static uint32_t count_programs(const struct irmd *d)
{
        const struct prog_bind *b;
        uint32_t                count = 0;

        for (const struct name *n = d->names; n != NULL; n = n->hh.next) {
                LIST_FOREACH (b, &n->progs, by_name)
                        count++;
        }
        return count;
}

static uint32_t count_ipcps(const struct irmd *d)
{
        const struct ipcp *i;
        uint32_t           count = 0;

        TAILQ_FOREACH (i, &d->ipcps, all)
                count++;
        return count;
}

void verb_status(struct proc *p, uint32_t id, const Irm__Request *m)
{
        const struct irmd *d = p->irmd;
        Irm__StatusReply   s = IRM__STATUS_REPLY__INIT;
        Irm__Reply         r = IRM__REPLY__INIT;

        (void)m;
        s.version   = (char *)O7S_VERSION;
        s.pid       = getpid();
        s.uptime_ms = (uint64_t)((clock_now_ns() - d->born_ns) / NS_PER_MS);
        s.names     = HASH_COUNT(d->names);
        s.programs  = count_programs(d);
        s.processes = HASH_COUNT(d->proc_by_serial);
        s.ipcps     = count_ipcps(d);
        s.flows     = HASH_COUNT(d->flows);
        s.allocated = d->n_allocated;
        s.refused   = d->n_refused;
        r.body_case = IRM__REPLY__BODY_STATUS;
        r.status    = &s;
        proc_answer(p, id, &r, false, NULL, 0);
}
