#include "flow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ouroboros/errno.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "ipcp.h"
#include "name.h"
#include "pb/convert.h"
#include "place.h"
#include "proc.h"
#include "reg.h"

enum flow_event {
        EV_ASK,
        EV_ARRIVE,
        EV_WAIT,
        EV_START,
        EV_ACCEPT,
        EV_ANSWER,
        EV_REFUSE,
        EV_TIMEOUT,
        EV_CLOSE,
        EV_N
};

static const char *const state_names[FLOW_N_STATES] = {"new",  "asked",   "arrived",   "waiting", "starting",
                                                       "open", "refused", "timed-out", "closed"};
static const char *const event_names[EV_N]          = {"ask",    "arrive", "wait",    "start", "accept",
                                                       "answer", "refuse", "timeout", "close"};

/* What comes with an event: a result that was given, or the process that accepts. */
struct cause {
        int          result;
        const char  *why;
        struct proc *proc;
};

typedef enum flow_state flow_fn(struct flow *f, const struct cause *c);

const char *flow_state_name(enum flow_state s)
{
        return state_names[s];
}

/* -- what the handlers are made of ----------------------------------------- */

/* What adopt() says, for people. */
static const char *quota_why(int r)
{
        switch (r) {
        case -EMFILE: return "the process has as many flows as it may (limit ports-per-process)";
        case -EUSERS: return "the user has as many flows as it may (limit ports-per-user)";
        default: return o7s_strerror(r);
        }
}

/* A process takes the end as its own. 0, -EUSERS or -EMFILE. */
static int adopt(struct flow *f, struct proc *p)
{
        int r = quota_take_port(f->irmd->quotas, p->quota, p->n_flows);

        if (r < 0)
                return r;
        f->proc = p;
        p->n_flows++;
        TAILQ_INSERT_TAIL(&p->flows, f, by_proc);
        return 0;
}

static void disown(struct flow *f)
{
        if (f->proc == NULL)
                return;
        TAILQ_REMOVE(&f->proc->flows, f, by_proc);
        f->proc->n_flows--;
        quota_give_port(f->irmd->quotas, f->proc->quota);
        f->proc = NULL;
}

static void attach(struct flow *f, struct ipcp *i)
{
        f->ipcp = i;
        TAILQ_INSERT_TAIL(&i->flows, f, by_ipcp);
}

static void detach(struct flow *f)
{
        if (f->ipcp != NULL)
                TAILQ_REMOVE(&f->ipcp->flows, f, by_ipcp);
        f->ipcp = NULL;
}

static void enqueue(struct flow *f, struct name *n)
{
        f->name = n;
        n->n_arrivals++;
        TAILQ_INSERT_TAIL(&n->arrivals, f, by_name);
}

static void dequeue(struct flow *f)
{
        if (f->name == NULL)
                return;
        TAILQ_REMOVE(&f->name->arrivals, f, by_name);
        f->name->n_arrivals--;
        f->name = NULL;
}

static ipcp_done_fn answered;

/* Says what became of the server's end: to the layer that brought it, or on this host to its twin. */
static void answer_arrival(struct flow *f, int result)
{
        struct flow *twin = f->twin;

        if (f->question != 0)
                ipcp_flow_answer(f->ipcp, f->question, result, f->id);
        else if (twin != NULL)
                answered(twin, result);
        f->question = 0;
}

/* Answers the client; one that has its bell already and may not be waiting for the answer hears it. */
static void reply_client(struct flow *f, int result, const char *why)
{
        const struct bell *bell = f->keep != NULL ? &f->keep->bell[f->side] : &f->bell;

        if (result < 0) {
                f->irmd->n_refused++;
                log_dbg("flow %llu to %s, process %d: refused: %s", (unsigned long long)f->id, f->dst,
                        (int)f->proc->pid, why != NULL ? why : o7s_strerror(result));
        }
        proc_reply(f->proc, f->request, result, why);
        if (f->early)
                bell_ring(bell->keeper);
}

/* Root may open what is ours, and so may we. */
static void let_owner_ring(const struct flow *f, const struct bell *b)
{
        if (f->proc->uid != f->irmd->uid && f->proc->uid != 0)
                (void)bell_let_owner_ring(b);
}

/* Sends the process of an open end its FlowUp, in answer to @request. */
static void send_up(struct flow *f, uint32_t request)
{
        Irm__FlowUp up = IRM__FLOW_UP__INIT;
        Irm__Reply  r  = IRM__REPLY__INIT;
        Irm__Qos    qos;
        char        peer[32] = "";
        int         fds[3];

        pb_qos_put(&qos, &f->qos);
        if (f->twin != NULL && f->twin->proc != NULL)
                snprintf(peer, sizeof(peer), "uid:%u", (unsigned)f->twin->proc->uid);
        up.flow_id   = f->id;
        up.side      = f->side;
        up.qos       = &qos;
        up.layer     = f->ipcp->layer;
        up.ipcp_type = f->ipcp->type;
        up.name      = f->dst;
        up.peer      = peer;
        up.port_id   = f->keep->port_id;
        r.body_case  = IRM__REPLY__BODY_FLOW_UP;
        r.flow_up    = &up;
        keep_fds(f->keep, f->side, fds);
        if (!f->early)
                let_owner_ring(f, &f->keep->bell[f->side]);
        proc_answer(f->proc, request, &r, false, fds, f->early ? 2 : 3);
        if (f->early)
                bell_ring(f->keep->bell[f->side].keeper);
        keep_handed(f->keep, &f->irmd->keeps, f->side);
}

/* The next layer, in the order of preference and after the one last tried, in which the name is registered.
 */
static struct reg *next_layer(const struct flow *f)
{
        const struct name *n = name_find(f->irmd, f->dst);
        struct ipcp       *i = f->ipcp == NULL ? TAILQ_FIRST(&f->irmd->ipcps) : TAILQ_NEXT(f->ipcp, all);

        for (; n != NULL && i != NULL; i = TAILQ_NEXT(i, all)) {
                struct reg *r = i->state == IPCP_OPERATIONAL && !i->leaving ? reg_find(i, n) : NULL;

                if (r != NULL)
                        return r;
        }
        return NULL;
}

static bool any_layer(const struct irmd *d)
{
        const struct ipcp *i;

        TAILQ_FOREACH (i, &d->ipcps, all) {
                if (i->state == IPCP_OPERATIONAL)
                        return true;
        }
        return false;
}

/* -- the client's end ------------------------------------------------------ */

static enum flow_state ask(struct flow *f, const struct cause *c)
{
        struct reg *r = next_layer(f);
        int         result;

        if (r == NULL && f->ipcp != NULL) {
                reply_client(f, c->result, c->why);
                return FLOW_REFUSED;
        }
        if (r == NULL && !any_layer(f->irmd)) {
                reply_client(f, -EIPCP, "no layer is up on this host");
                return FLOW_REFUSED;
        }
        if (r == NULL) {
                reply_client(f, -ENAME, "no layer of this host knows the name");
                return FLOW_REFUSED;
        }
        detach(f);
        attach(f, r->ipcp);
        result = ipcp_flow_alloc(r->ipcp, r, f, answered);
        if (result == 0)
                return FLOW_ASKED;
        reply_client(f, result, NULL);
        return FLOW_REFUSED;
}

/* What a layer could not do, the next one may; what a server refused is final. */
static enum flow_state ask_refused(struct flow *f, const struct cause *c)
{
        if (c->result == -EIPCP || c->result == -ENAME)
                return ask(f, c);
        reply_client(f, c->result, c->why);
        return FLOW_REFUSED;
}

/* The server may have written and left already: what it wrote is in the port. */
static enum flow_state ask_answered(struct flow *f, const struct cause *c)
{
        (void)c;
        if (f->keep == NULL) {
                log_warn("ipcp %s: says that flow %llu is up, but nobody accepted it", f->ipcp->name,
                         (unsigned long long)f->id);
                reply_client(f, -ENOTALLOC, NULL);
                return FLOW_REFUSED;
        }
        irmd_timeout_cancel(f->irmd, &f->patience);
        f->irmd->n_allocated++;
        send_up(f, f->request);
        return FLOW_OPEN;
}

static enum flow_state ask_timed_out(struct flow *f, const struct cause *c)
{
        (void)c;
        reply_client(f, -ETIMEDOUT, "nobody accepted in time");
        return FLOW_TIMED_OUT;
}

static enum flow_state closed(struct flow *f, const struct cause *c)
{
        (void)f, (void)c;
        return FLOW_CLOSED;
}

/* -- the server's end ------------------------------------------------------ */

static enum flow_state arrive(struct flow *f, const struct cause *c)
{
        (void)f, (void)c;
        return FLOW_ARRIVED;
}

static enum flow_state wait_for_accept(struct flow *f, const struct cause *c)
{
        (void)f, (void)c;
        return FLOW_WAITING;
}

static enum flow_state wait_for_start(struct flow *f, const struct cause *c)
{
        (void)f, (void)c;
        return FLOW_STARTING;
}

static enum flow_state refused(struct flow *f, const struct cause *c)
{
        dequeue(f);
        answer_arrival(f, c->result);
        return FLOW_REFUSED;
}

static enum flow_state wait_timed_out(struct flow *f, const struct cause *c)
{
        (void)c;
        dequeue(f);
        answer_arrival(f, -ETIMEDOUT);
        return FLOW_TIMED_OUT;
}

static enum flow_state wait_closed(struct flow *f, const struct cause *c)
{
        (void)c;
        dequeue(f);
        answer_arrival(f, -ENOTALLOC);
        return FLOW_CLOSED;
}

/* The shared memory of the two ends. The client pays: it is its wish. */
static int join(struct flow *f)
{
        struct flow *client = f->twin;
        uint64_t     serial[2];
        int          r;

        if (client == NULL)
                return -ENOTALLOC;
        serial[0] = client->proc->serial;
        serial[1] = f->proc->serial;
        r         = keep_create(&f->keep, &f->irmd->keeps, client->proc->quota, serial, &client->bell);
        if (r < 0)
                return r;
        f->side      = 1;
        client->side = 0;
        client->keep = f->keep;
        return 0;
}

static enum flow_state accepted(struct flow *f, const struct cause *c)
{
        int r = adopt(f, c->proc);

        if (r < 0) {
                log_warn("process %d: cannot accept for %s: %s", (int)c->proc->pid, f->dst, quota_why(r));
                return refused(f, &(struct cause){.result = -ENOTALLOC});
        }
        r = join(f);
        if (r < 0) {
                log_warn("flow %llu to %s: no shared memory for it: %s", (unsigned long long)f->id, f->dst,
                         o7s_strerror(r));
                return refused(f, &(struct cause){.result = r});
        }
        dequeue(f);
        irmd_timeout_cancel(f->irmd, &f->patience);
        f->request = accept_take(f->proc);
        send_up(f, f->request);
        answer_arrival(f, 0);
        return FLOW_OPEN;
}

/* -- the table ------------------------------------------------------------- */

static flow_fn *const table[FLOW_N_STATES][EV_N] = {
        [FLOW_NEW]      = {[EV_ASK] = ask, [EV_ARRIVE] = arrive},
        [FLOW_ASKED]    = {[EV_ANSWER]  = ask_answered,
                           [EV_REFUSE]  = ask_refused,
                           [EV_TIMEOUT] = ask_timed_out,
                           [EV_CLOSE]   = closed},
        [FLOW_ARRIVED]  = {[EV_ACCEPT] = accepted,
                           [EV_WAIT]   = wait_for_accept,
                           [EV_START]  = wait_for_start,
                           [EV_REFUSE] = refused,
                           [EV_CLOSE]  = wait_closed},
        [FLOW_WAITING]  = {[EV_ACCEPT]  = accepted,
                           [EV_START]   = wait_for_start,
                           [EV_REFUSE]  = refused,
                           [EV_TIMEOUT] = wait_timed_out,
                           [EV_CLOSE]   = wait_closed},
        [FLOW_STARTING] = {[EV_ACCEPT]  = accepted,
                           [EV_WAIT]    = wait_for_accept,
                           [EV_REFUSE]  = refused,
                           [EV_TIMEOUT] = wait_timed_out,
                           [EV_CLOSE]   = wait_closed},
        [FLOW_OPEN]     = {[EV_CLOSE] = closed},
};

static void flow_free(struct flow *f)
{
        struct flow *twin = f->twin;

        if (twin != NULL)
                twin->twin = NULL;
        irmd_timeout_cancel(f->irmd, &f->patience);
        if (f->ipcp != NULL)
                ipcp_flow_dealloc(f->ipcp, f);
        detach(f);
        /* A process that has parted in order may have gone since: then nothing is set aside for it. */
        if (f->keep != NULL && proc_by_serial(f->irmd, f->keep->serial[!f->side]) == NULL)
                f->keep->unfit = true;
        if (f->keep != NULL)
                keep_over(f->keep, &f->irmd->keeps, f->side, f->proc != NULL && f->proc->chan != NULL);
        disown(f);
        bell_close(&f->bell);
        HASH_DEL(f->irmd->flows, f);
        free(f->dst);
        free(f);
        /* A client that no longer wants the flow: on this host we need not wait until the layer has told the
         * server's end. */
        if (twin != NULL && twin->name != NULL)
                flow_close(twin);
}

static void flow_step(struct flow *f, enum flow_event ev, const struct cause *c)
{
        flow_fn        *fn = table[f->state][ev];
        enum flow_state next;

        if (fn == NULL) {
                log_dbg("flow %llu: %s is ignored when %s", (unsigned long long)f->id, event_names[ev],
                        state_names[f->state]);
                return;
        }
        next = fn(f, c);
        log_dbg("flow %llu to %s (%s): %s -> %s on %s", (unsigned long long)f->id, f->dst,
                f->server ? "server" : "client", state_names[f->state], state_names[next], event_names[ev]);
        f->state = next;
        if (next >= FLOW_REFUSED)
                flow_free(f);
}

/* -- from outside ---------------------------------------------------------- */

static void answered(void *ctx, int result)
{
        struct flow *f = ctx;

        ipcp_flow_forget(f->ipcp, f);
        flow_step(f, result < 0 ? EV_REFUSE : EV_ANSWER, &(struct cause){.result = result});
}

static void patience_over(struct timeout *t)
{
        struct flow *f = (struct flow *)(void *)((char *)t - offsetof(struct flow, patience));

        flow_step(f, EV_TIMEOUT, &(struct cause){.result = -ETIMEDOUT});
}

static struct flow *flow_new(struct irmd *d, const char *dst, const qosspec_t *qs, uint64_t timeout_ms)
{
        struct flow *f   = calloc(1, sizeof(*f));
        int64_t      now = clock_now_ns();

        if (f == NULL)
                return NULL;
        f->irmd         = d;
        f->qos          = *qs;
        f->born_ns      = now;
        f->bell         = BELL_NONE;
        f->patience.due = patience_over;
        f->dst          = strdup(dst);
        if (f->dst == NULL || irmd_timeout_set(d, &f->patience, now + (int64_t)timeout_ms * NS_PER_MS) < 0) {
                free(f->dst);
                free(f);
                return NULL;
        }
        f->id = ++d->last_flow_id;
        HASH_ADD(hh, d->flows, id, sizeof(f->id), f);
        return f;
}

struct flow *flow_find(const struct irmd *d, uint64_t id)
{
        struct flow *f;

        HASH_FIND(hh, d->flows, &id, sizeof(id), f);
        return f;
}

struct flow *flow_of_request(const struct proc *p, uint32_t id)
{
        struct flow *f;

        TAILQ_FOREACH (f, &p->flows, by_proc) {
                if (f->request == id)
                        return f;
        }
        return NULL;
}

/* Gives the client the end of its bell that becomes the flow descriptor, before the outcome is known. */
static int send_pending(struct flow *f)
{
        Irm__FlowPending pending = IRM__FLOW_PENDING__INIT;
        Irm__Reply       r       = IRM__REPLY__INIT;
        int              result  = bell_create(&f->bell);

        if (result < 0)
                return result;
        let_owner_ring(f, &f->bell);
        pending.flow_id = f->id;
        r.body_case     = IRM__REPLY__BODY_FLOW_PENDING;
        r.flow_pending  = &pending;
        proc_answer(f->proc, f->request, &r, true, &f->bell.own, 1);
        return 0;
}

void flow_ask(struct proc *p, const struct flow_wish *wish)
{
        uint64_t     most = p->irmd->conf->limits.alloc_timeout_ms;
        uint64_t     ms   = wish->timeout_ms == 0 ? most : wish->timeout_ms;
        struct flow *f    = flow_new(p->irmd, wish->dst, &wish->qos, ms < INT32_MAX ? ms : INT32_MAX);
        int          r;

        if (f == NULL) {
                proc_reply(p, wish->request, -ENOMEM, NULL);
                return;
        }
        r = adopt(f, p);
        if (r == 0) {
                f->request = wish->request;
                r          = wish->early ? send_pending(f) : 0;
        }
        if (r < 0) {
                log_warn("process %d: no flow to %s: %s", (int)p->pid, wish->dst, quota_why(r));
                proc_reply(p, wish->request, r, quota_why(r));
                flow_free(f);
                return;
        }
        f->early = wish->early;
        flow_step(f, EV_ASK, &(struct cause){0});
}

void flow_refuse(struct flow *f, int result)
{
        flow_step(f, EV_REFUSE, &(struct cause){.result = result});
}

void flow_close(struct flow *f)
{
        flow_step(f, EV_CLOSE, &(struct cause){0});
}

void flow_down(struct flow *f)
{
        if (f->keep != NULL)
                keep_down(f->keep);
        flow_close(f);
}

void flow_accept_by(struct flow *f, struct proc *p)
{
        flow_step(f, EV_ACCEPT, &(struct cause){.proc = p});
}

void flow_wait(struct flow *f)
{
        if (f->state != FLOW_WAITING)
                flow_step(f, EV_WAIT, &(struct cause){0});
}

void flow_wait_for_start(struct flow *f)
{
        if (f->state != FLOW_STARTING)
                flow_step(f, EV_START, &(struct cause){0});
}

/* Before there is an end of it here. */
static void refuse_arrival(struct ipcp *i, uint32_t id, struct flow *twin, int result)
{
        if (id != 0)
                ipcp_flow_answer(i, id, result, 0);
        else
                answered(twin, result);
}

void flow_arrive(struct ipcp *i, uint32_t id, struct name *n, const qosspec_t *qs, struct flow *twin)
{
        struct irmd *d = n->irmd;
        struct flow *f;

        if (n->n_arrivals >= d->conf->limits.backlog) {
                log_warn("name %s: %llu flows wait already, one more is refused", n->name,
                         (unsigned long long)n->n_arrivals);
                refuse_arrival(i, id, twin, -ENOTALLOC);
                return;
        }
        f = flow_new(d, n->name, qs, d->conf->limits.alloc_timeout_ms);
        if (f == NULL) {
                refuse_arrival(i, id, twin, -ENOMEM);
                return;
        }
        f->server   = true;
        f->question = id;
        f->twin     = twin;
        twin->twin  = f;
        attach(f, i);
        enqueue(f, n);
        flow_step(f, EV_ARRIVE, &(struct cause){0});
        place_flow(f);
}
