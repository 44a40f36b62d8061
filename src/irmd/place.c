#include "place.h"

#include <ouroboros/errno.h>

#include "bind.h"
#include "flow.h"
#include "name.h"
#include "proc.h"

/* The first process in turn that waits in flow_accept(). With round robin it then goes to the end of the
 * queue. */
static struct proc *next_acceptor(struct name *n)
{
        struct link *l;

        TAILQ_FOREACH (l, &n->links, by_name) {
                if (l->proc->n_accepts == 0)
                        continue;
                if (n->lb == LB_RR) {
                        TAILQ_REMOVE(&n->links, l, by_name);
                        TAILQ_INSERT_TAIL(&n->links, l, by_name);
                }
                return l->proc;
        }
        return NULL;
}

static void ring_watchers(const struct name *n)
{
        const struct link *l;

        TAILQ_FOREACH (l, &n->links, by_name)
                proc_ring_watch(l->proc);
}

/* A program may be client and server: only a process that has asked to accept is one to wait for. */
static bool anybody_serves(const struct name *n)
{
        const struct link *l;

        TAILQ_FOREACH (l, &n->links, by_name) {
                if (l->proc->serves)
                        return true;
        }
        return false;
}

void place_flow(struct flow *f)
{
        struct name *n = f->name;
        struct proc *p = next_acceptor(n);

        if (p != NULL) {
                flow_accept_by(f, p);
        } else if (anybody_serves(n)) {
                flow_wait(f);
                ring_watchers(n);
        } else if (bind_start(n) == 0) {
                flow_wait_for_start(f);
        } else {
                flow_refuse(f, -ENOTALLOC);
        }
}

void place_all(struct name *n)
{
        struct flow *f, *next;

        for (f = TAILQ_FIRST(&n->arrivals); f != NULL; f = next) {
                next = TAILQ_NEXT(f, by_name);
                place_flow(f);
        }
}

void place_failed(struct name *n)
{
        while (!anybody_serves(n) && !TAILQ_EMPTY(&n->arrivals))
                flow_refuse(TAILQ_FIRST(&n->arrivals), -ENOTALLOC);
}

static struct flow *oldest_for(const struct proc *p)
{
        struct flow *oldest = NULL;
        struct link *l;

        TAILQ_FOREACH (l, &p->links, by_proc) {
                struct flow *f = TAILQ_FIRST(&l->name->arrivals);

                if (f != NULL && (oldest == NULL || f->id < oldest->id))
                        oldest = f;
        }
        return oldest;
}

bool place_waits_for(const struct proc *p)
{
        return oldest_for(p) != NULL;
}

void place_serve(struct proc *p)
{
        struct flow *f;

        while (p->n_accepts > 0 && (f = oldest_for(p)) != NULL)
                flow_accept_by(f, p);
}
