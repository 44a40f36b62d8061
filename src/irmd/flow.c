#include "flow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ouroboros/errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "flow_audit.h"
#include "flow_step.h"
#include "flow_up.h"
#include "handshake.h"
#include "ipcp.h"
#include "lookup.h"
#include "place.h"
#include "proc.h"

static const char *const state_names[FLOW_N_STATES] = {
        "new",     "looking",  "preparing", "asked", "checking", "verifying", "arrived",
        "waiting", "starting", "answering", "open",  "refused",  "timed-out", "closed"};
static const char *const event_names[EV_N] = {"ask",    "ready",  "arrive", "wait",    "start",
                                              "accept", "answer", "refuse", "timeout", "close"};

const char *flow_state_name(enum flow_state s)
{
        return state_names[s];
}

/* -- what the handlers are made of ----------------------------------------- */

/* What flow_adopt() says, for people. */
const char *flow_quota_why(int r)
{
        switch (r) {
        case -EMFILE: return "the process has as many flows as it may (limit ports-per-process)";
        case -EUSERS: return "the user has as many flows as it may (limit ports-per-user)";
        default: return o7s_strerror(r);
        }
}

/* A process takes the end as its own. 0, -EUSERS or -EMFILE. */
int flow_adopt(struct flow *f, struct proc *p)
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

void flow_attach(struct flow *f, struct ipcp *i)
{
        f->ipcp = i;
        TAILQ_INSERT_TAIL(&i->flows, f, by_ipcp);
}

void flow_detach(struct flow *f)
{
        if (f->ipcp != NULL)
                TAILQ_REMOVE(&f->ipcp->flows, f, by_ipcp);
        f->ipcp = NULL;
}

/* Whether the library runs FRCT over it, so that its bell is not what the application polls. */
static bool is_stream(const struct flow *f)
{
        return f->ipcp->type != IPCP_LOCAL && f->qos.in_order != 0;
}

int flow_make_port(struct flow *f)
{
        uint64_t    serial[2] = {f->proc->serial, 0};
        struct bell fresh     = BELL_NONE;

        f->side = 0;
        return keep_create(&f->keep, &f->irmd->keeps, f->proc->quota, serial,
                           is_stream(f) ? &fresh : &f->bell);
}

void flow_drop_port(struct flow *f)
{
        struct keep *k = f->keep;

        if (k == NULL)
                return;
        if (f->early && f->bell.own < 0) { /* the process has it already: the next port takes it over */
                f->bell       = k->bell[0];
                k->bell[0]    = BELL_NONE;
                f->bell.other = bell_open_both(f->bell.own);
        }
        f->keep = NULL;
        keep_over(k, &f->irmd->keeps, 0, true);
}

/* Why it is over, unless that is known better already. Returns @result. */
int flow_note_result(struct flow *f, int result)
{
        if (f->word == NULL)
                f->result = result;
        return result;
}

enum flow_state flow_closed(struct flow *f, const struct cause *c)
{
        (void)f, (void)c;
        return FLOW_CLOSED;
}

/* -- the table ------------------------------------------------------------- */

static flow_fn *const table[FLOW_N_STATES][EV_N] = {
        [FLOW_NEW] = {[EV_ASK] = client_ask, [EV_ARRIVE] = server_arrive},
        [FLOW_LOOKING] =
                {[EV_READY] = client_found, [EV_TIMEOUT] = client_timed_out, [EV_CLOSE] = flow_closed},
        [FLOW_PREPARING] = {[EV_READY]   = client_prepared,
                            [EV_REFUSE]  = client_prepare_refused,
                            [EV_TIMEOUT] = client_timed_out,
                            [EV_CLOSE]   = flow_closed},
        [FLOW_ASKED]     = {[EV_ANSWER]  = client_answered,
                            [EV_REFUSE]  = client_refused,
                            [EV_TIMEOUT] = client_timed_out,
                            [EV_CLOSE]   = flow_closed},
        [FLOW_CHECKING]  = {[EV_READY]   = client_checked,
                            [EV_REFUSE]  = client_check_refused,
                            [EV_TIMEOUT] = client_timed_out,
                            [EV_CLOSE]   = flow_closed},
        [FLOW_VERIFYING] = {[EV_READY]   = server_verified,
                            [EV_REFUSE]  = server_refused,
                            [EV_TIMEOUT] = server_timed_out,
                            [EV_CLOSE]   = server_closed},
        [FLOW_ARRIVED]   = {[EV_ACCEPT] = server_accepted,
                            [EV_WAIT]   = server_wait,
                            [EV_START]  = server_wait_for_start,
                            [EV_REFUSE] = server_refused,
                            [EV_CLOSE]  = server_closed},
        [FLOW_WAITING]   = {[EV_ACCEPT]  = server_accepted,
                            [EV_START]   = server_wait_for_start,
                            [EV_REFUSE]  = server_refused,
                            [EV_TIMEOUT] = server_timed_out,
                            [EV_CLOSE]   = server_closed},
        [FLOW_STARTING]  = {[EV_ACCEPT]  = server_accepted,
                            [EV_WAIT]    = server_wait,
                            [EV_REFUSE]  = server_refused,
                            [EV_TIMEOUT] = server_timed_out,
                            [EV_CLOSE]   = server_closed},
        [FLOW_ANSWERING] = {[EV_READY]   = server_responded,
                            [EV_REFUSE]  = server_answer_refused,
                            [EV_TIMEOUT] = server_answer_timed_out,
                            [EV_CLOSE]   = server_answer_closed},
        [FLOW_OPEN]      = {[EV_CLOSE] = flow_closed},
};

/* Of a flow between two processes of this host, the server's end does not live on when the client wants it no more. */
static bool still_forming(const struct flow *f)
{
        return f->server && f->state < FLOW_OPEN;
}

static void flow_free(struct flow *f)
{
        struct flow *twin = f->twin;

        if (f->keep != NULL)
                (void)keep_look(f->keep);
        flow_audit_end(f);
        if (twin != NULL)
                twin->twin = NULL;
        irmd_timeout_cancel(f->irmd, &f->patience);
        if (f->ipcp != NULL)
                ipcp_flow_dealloc(f->ipcp, f);
        flow_detach(f);
        /* A process that has parted in order may have gone since: then nothing is set aside for it. */
        if (f->keep != NULL && !f->keep->unfit && proc_by_serial(f->irmd, f->keep->serial[!f->side]) == NULL)
                f->keep->unfit = true;
        if (f->keep != NULL)
                keep_over(f->keep, &f->irmd->keeps, f->side, f->proc != NULL && f->proc->chan != NULL);
        disown(f);
        bell_close(&f->bell);
        HASH_DEL(f->irmd->flows, f);
        handshake_free(f->handshake);
        lookup_free(f->lookup);
        free(f->data);
        free(f->principal);
        free(f->detail);
        free(f->dst);
        free(f);
        /* A client that no longer wants the flow: on this host we need not wait until the layer has told the
         * server's end. */
        if (twin != NULL && still_forming(twin))
                flow_close(twin);
}

/* Returns the state: from FLOW_REFUSED on, @f is gone. */
static enum flow_state flow_step(struct flow *f, enum flow_event ev, const struct cause *c)
{
        flow_fn        *fn = table[f->state][ev];
        enum flow_state next;

        if (fn == NULL) {
                log_dbg("flow %llu: %s is ignored when %s", (unsigned long long)f->id, event_names[ev],
                        state_names[f->state]);
                return f->state;
        }
        next = fn(f, c);
        log_dbg("flow %llu to %s (%s): %s -> %s on %s", (unsigned long long)f->id, f->dst,
                f->server ? "server" : "client", state_names[f->state], state_names[next], event_names[ev]);
        f->state = next;
        if (next >= FLOW_REFUSED)
                flow_free(f);
        return next;
}

/* -- from outside ---------------------------------------------------------- */

void flow_answered(void *ctx, int result, struct span oap, const struct way *way)
{
        struct flow *f = ctx;

        if (way != NULL)
                f->way = *way;
        ipcp_flow_forget(f->ipcp, f);
        flow_step(f, result < 0 ? EV_REFUSE : EV_ANSWER, &(struct cause){.result = result, .oap = oap});
}

/* While a layer is being tried there is nothing to do with it. */
void flow_found(struct flow *f)
{
        if (f->state == FLOW_LOOKING)
                flow_step(f, EV_READY, &(struct cause){0});
}

/* A step of the handshake has come to its end on the work queue. */
void flow_handshake_ready(struct flow *f, int r)
{
        const char *why    = r == OAP_OK ? NULL : oap_reason_text((enum oap_reason)r);
        int         result = r == OAP_OK ? 0 : flow_blame(f, r);

        if (r != OAP_OK)
                log_info("flow %llu to %s: refused: %s%s%s", (unsigned long long)f->id, f->dst, why,
                         f->detail != NULL ? ": " : "", f->detail != NULL ? f->detail : "");
        if (flow_step(f, r == OAP_OK ? EV_READY : EV_REFUSE, &(struct cause){.result = result, .why = why}) ==
            FLOW_ARRIVED)
                place_flow(f);
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

/* Before there is a state to leave. */
static void ask_failed(struct flow *f, const struct flow_wish *wish, struct proc *p, int result)
{
        log_warn("process %d: no flow to %s: %s", (int)p->pid, wish->dst, flow_quota_why(result));
        proc_reply(p, wish->request, result, flow_quota_why(result));
        flow_note_result(f, result);
        flow_free(f);
}

static int keep_data(struct flow *f, struct span data)
{
        if (data.len == 0)
                return 0;
        f->data = malloc(data.len);
        if (f->data == NULL)
                return -ENOMEM;
        memcpy(f->data, data.p, data.len);
        f->data_len = data.len;
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
        r = flow_adopt(f, p);
        if (r == 0)
                r = keep_data(f, wish->data);
        if (r == 0) {
                f->request = wish->request;
                r          = wish->early ? flow_send_pending(f) : 0;
        }
        if (r < 0) {
                ask_failed(f, wish, p, r);
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

void flow_end(struct flow *f, const char *word)
{
        if (f->word == NULL)
                f->word = word;
        flow_close(f);
}

void flow_down(struct flow *f)
{
        /* Nothing was asked of it yet, or its answer came: the client waits for an outcome. */
        if (f->state == FLOW_PREPARING || f->state == FLOW_CHECKING) {
                flow_step(f, EV_REFUSE, &(struct cause){.result = -EIPCP});
                return;
        }
        if (f->keep != NULL)
                keep_down(f->keep);
        flow_end(f, "layer-down");
}

/* One that is still to be answered is answered, to nobody: the layer knows no number of it yet. */
void flow_left(struct flow *f)
{
        if (f->state == FLOW_OPEN)
                log_dbg("flow %llu to %s: the peer has ended it", (unsigned long long)f->id, f->dst);
        else
                flow_end(f, "peer-left");
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
                ipcp_flow_refuse(i, id, result);
        else
                flow_answered(twin, result, (struct span){NULL, 0}, NULL);
}

void flow_arrive(struct ipcp *i, uint32_t id, struct name *n, const qosspec_t *qs, struct flow *twin,
                 const struct way *way, struct span request)
{
        struct irmd *d = n->irmd;
        struct flow *f = flow_new(d, n->name, qs, d->conf->limits.alloc_timeout_ms);

        if (f == NULL) {
                refuse_arrival(i, id, twin, -ENOMEM);
                return;
        }
        f->server   = true;
        f->question = id;
        f->twin     = twin;
        if (way != NULL)
                f->way = *way;
        flow_attach(f, i);
        if (twin != NULL) {
                twin->twin = f;
                snprintf(f->kernel, sizeof(f->kernel), "uid:%u", (unsigned)twin->proc->uid);
        }
        snprintf(f->peer, sizeof(f->peer), "%s", f->kernel);
        if (flow_step(f, EV_ARRIVE, &(struct cause){.oap = request}) == FLOW_ARRIVED)
                place_flow(f);
}
