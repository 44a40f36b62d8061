#include "flow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ouroboros/errno.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "flow_audit.h"
#include "flow_up.h"
#include "handshake.h"
#include "ipcp.h"
#include "name.h"
#include "pb/convert.h"
#include "place.h"
#include "proc.h"
#include "reg.h"

enum flow_event {
        EV_ASK,
        EV_READY, /* a step of the handshake is done */
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

static const char *const state_names[FLOW_N_STATES] = {
        "new",      "preparing", "asked", "checking", "verifying", "arrived", "waiting",
        "starting", "answering", "open",  "refused",  "timed-out", "closed"};
static const char *const event_names[EV_N] = {"ask",    "ready",  "arrive", "wait",    "start",
                                              "accept", "answer", "refuse", "timeout", "close"};

/* What comes with an event: a result that was given, what the other irmd says, or the process that accepts. */
struct cause {
        int          result;
        const char  *why;
        struct span  oap;
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
static handshake_fn handshake_ready;

/* Says what became of the server's end: to the layer that brought it, or on this host to its twin. */
static void answer_arrival(struct flow *f, int result)
{
        struct flow *twin = f->twin;
        struct span  oap  = {NULL, 0};

        /* Whatever this leads to for the client's end no longer concerns this one. */
        f->twin = NULL;
        if (twin != NULL)
                twin->twin = NULL;
        if (result == 0)
                oap = handshake_message(f->handshake);
        if (f->question != 0)
                ipcp_flow_answer(f->ipcp, f->question, result, f->id, oap);
        else if (twin != NULL)
                answered(twin, result, oap);
        f->question = 0;
}

/* Why it is over, unless that is known better already. Returns @result. */
static int note_result(struct flow *f, int result)
{
        if (f->word == NULL)
                f->result = result;
        return result;
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

static enum flow_state give_up(struct flow *f, int result, const char *why)
{
        note_result(f, result);
        flow_send_refusal(f, result, why);
        return FLOW_REFUSED;
}

/* Security is in the way; the process hears no more than the peer does. */
static enum flow_state give_up_for(struct flow *f, int reason)
{
        int result = flow_blame(f, reason);

        log_info("flow %llu to %s, process %d: refused: %s", (unsigned long long)f->id, f->dst,
                 (int)f->proc->pid, oap_reason_text((enum oap_reason)reason));
        return give_up(f, result, oap_reason_text((enum oap_reason)reason));
}

static enum flow_state ask(struct flow *f, const struct cause *c);

/* The request is there: it goes to the layer, if that still has the name. */
static enum flow_state send_request(struct flow *f)
{
        const struct name *n = name_find(f->irmd, f->dst);
        struct reg        *r = n != NULL ? reg_find(f->ipcp, n) : NULL;
        int                result;

        if (r == NULL)
                return ask(f, &(struct cause){.result = -ENAME});
        flow_learn(f); /* whether it is signed */
        result = ipcp_flow_alloc(f->ipcp, r, f, handshake_message(f->handshake), answered);
        return result == 0 ? FLOW_ASKED : give_up(f, result, NULL);
}

/* Every attempt is a handshake of its own. */
static enum flow_state prepare(struct flow *f)
{
        const char *kernel = f->ipcp->type == IPCP_LOCAL ? "" : NULL;
        struct span data   = {f->data, f->data_len};
        int         r;

        handshake_free(f->handshake);
        f->handshake = NULL;
        r            = handshake_client(&f->handshake, f, proc_user(f->proc), kernel, data);
        if (r == OAP_OK)
                flow_learn(f);
        flow_audit_asked(f);
        if (r == OAP_OK)
                r = handshake_request(f->handshake, handshake_ready);
        if (r == HANDSHAKE_LATER)
                return FLOW_PREPARING;
        return r == OAP_OK ? send_request(f) : give_up_for(f, r);
}

static enum flow_state ask(struct flow *f, const struct cause *c)
{
        struct reg *r = next_layer(f);

        if (r == NULL && f->ipcp != NULL)
                return give_up(f, c->result, c->why);
        if (r == NULL && !any_layer(f->irmd))
                return give_up(f, -EIPCP, "no layer is up on this host");
        if (r == NULL)
                return give_up(f, -ENAME, "no layer of this host knows the name");
        detach(f);
        attach(f, r->ipcp);
        return prepare(f);
}

static enum flow_state prepared(struct flow *f, const struct cause *c)
{
        (void)c;
        return send_request(f);
}

/*
 * What a layer could not do, the next one may; what a server refused is final. A layer that has gone may have delivered
 * first data, which must not be delivered twice.
 */
static enum flow_state ask_refused(struct flow *f, const struct cause *c)
{
        if (c->result == -ENAME || (c->result == -EIPCP && f->data_len == 0))
                return ask(f, c);
        return give_up(f, c->result, c->why);
}

static enum flow_state prepare_refused(struct flow *f, const struct cause *c)
{
        return c->result == -EIPCP ? ask(f, c) : give_up(f, c->result, c->why);
}

static enum flow_state client_up(struct flow *f)
{
        flow_learn(f);
        flow_audit_authenticated(f);
        irmd_timeout_cancel(f->irmd, &f->patience);
        f->irmd->n_allocated++;
        flow_audit_established(f);
        f->open_ns = clock_now_ns();
        flow_send_up(f, f->request);
        handshake_free(f->handshake);
        f->handshake = NULL;
        return FLOW_OPEN;
}

/* The server may have written and left already: what it wrote is in the port. */
static enum flow_state ask_answered(struct flow *f, const struct cause *c)
{
        int r;

        if (f->keep == NULL) {
                log_warn("ipcp %s: says that flow %llu is up, but nobody accepted it", f->ipcp->name,
                         (unsigned long long)f->id);
                return give_up(f, -ENOTALLOC, NULL);
        }
        r = handshake_response(f->handshake, c->oap, handshake_ready);
        if (r == HANDSHAKE_LATER)
                return FLOW_CHECKING;
        return r == OAP_OK ? client_up(f) : give_up_for(f, r);
}

static enum flow_state checked(struct flow *f, const struct cause *c)
{
        (void)c;
        return client_up(f);
}

static enum flow_state check_refused(struct flow *f, const struct cause *c)
{
        return give_up(f, c->result, c->why);
}

static enum flow_state ask_timed_out(struct flow *f, const struct cause *c)
{
        (void)c;
        note_result(f, -ETIMEDOUT);
        flow_send_refusal(f, -ETIMEDOUT, "nobody accepted in time");
        return FLOW_TIMED_OUT;
}

static enum flow_state closed(struct flow *f, const struct cause *c)
{
        (void)f, (void)c;
        return FLOW_CLOSED;
}

/* -- the server's end ------------------------------------------------------ */

static enum flow_state turn_away(struct flow *f, int result)
{
        dequeue(f);
        answer_arrival(f, note_result(f, result));
        return FLOW_REFUSED;
}

/* The client hears a coarse code, the log the exact reason. */
static enum flow_state turn_away_for(struct flow *f, int reason)
{
        int result = flow_blame(f, reason);

        log_info("flow %llu to %s from %s: refused: %s%s%s", (unsigned long long)f->id, f->dst,
                 f->kernel[0] != '\0' ? f->kernel : f->ipcp->layer, oap_reason_text((enum oap_reason)reason),
                 f->detail != NULL ? ": " : "", f->detail != NULL ? f->detail : "");
        return turn_away(f, result);
}

/* Only who has passed counts in the backlog. The name may have gone while it was verified. */
static enum flow_state verified(struct flow *f, const struct cause *c)
{
        struct irmd *d = f->irmd;
        struct name *n = name_find(d, f->dst);

        (void)c;
        flow_learn(f);
        flow_audit_authenticated(f);
        if (n == NULL)
                return turn_away(f, -ENAME);
        if (n->n_arrivals >= d->conf->limits.backlog) {
                log_warn("name %s: %llu flows wait already, one more is refused", n->name,
                         (unsigned long long)n->n_arrivals);
                f->word = "backlog";
                return turn_away(f, f->result = -ENOTALLOC);
        }
        enqueue(f, n);
        return FLOW_ARRIVED;
}

static enum flow_state arrive(struct flow *f, const struct cause *c)
{
        int r = handshake_server(&f->handshake, f, f->kernel[0] != '\0' ? f->kernel : NULL);

        if (r == OAP_OK)
                r = handshake_verify(f->handshake, c->oap, handshake_ready);
        flow_learn_id(f, c->oap);
        flow_audit_asked(f);
        if (r == HANDSHAKE_LATER)
                return FLOW_VERIFYING;
        return r == OAP_OK ? verified(f, c) : turn_away_for(f, r);
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
        return turn_away(f, c->result);
}

static enum flow_state wait_timed_out(struct flow *f, const struct cause *c)
{
        (void)c;
        (void)turn_away(f, -ETIMEDOUT);
        return FLOW_TIMED_OUT;
}

static enum flow_state wait_closed(struct flow *f, const struct cause *c)
{
        (void)c;
        (void)turn_away(f, -ENOTALLOC);
        return FLOW_CLOSED;
}

/* The process that was to have it waits for another one. */
static void release_accept(struct flow *f)
{
        if (f->accept != NULL)
                accept_give_back(f->accept);
        f->accept = NULL;
}

static enum flow_state answer_refused(struct flow *f, const struct cause *c)
{
        release_accept(f);
        return turn_away(f, c->result);
}

static enum flow_state answer_timed_out(struct flow *f, const struct cause *c)
{
        release_accept(f);
        return wait_timed_out(f, c);
}

static enum flow_state answer_closed(struct flow *f, const struct cause *c)
{
        release_accept(f);
        return wait_closed(f, c);
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
        /* The kernel vouches for who runs the server, until its certificate says more. */
        snprintf(client->peer, sizeof(client->peer), "uid:%u", (unsigned)f->proc->uid);
        return 0;
}

/* The process first: by the time the client writes, it is there. The response is of the handshake, which ends here. */
static void up_and_answer(struct flow *f)
{
        struct handshake *h = f->handshake;

        flow_send_up(f, f->request);
        answer_arrival(f, 0);
        handshake_free(h);
        f->handshake = NULL;
}

static enum flow_state server_up(struct flow *f)
{
        struct accept *a = f->accept;

        if (a == NULL) /* its process no longer wants it */
                return turn_away(f, -ENOTALLOC);
        irmd_timeout_cancel(f->irmd, &f->patience);
        f->request = accept_end(a);
        flow_learn(f); /* whose credentials have signed */
        flow_audit_established(f);
        f->open_ns = clock_now_ns();
        up_and_answer(f);
        return FLOW_OPEN;
}

static enum flow_state responded(struct flow *f, const struct cause *c)
{
        (void)c;
        return server_up(f);
}

static enum flow_state accepted(struct flow *f, const struct cause *c)
{
        int r = adopt(f, c->proc);

        if (r < 0) {
                log_warn("process %d: cannot accept for %s: %s", (int)c->proc->pid, f->dst, quota_why(r));
                f->word = "quota";
                return turn_away(f, f->result = -ENOTALLOC);
        }
        r = join(f);
        if (r < 0) {
                log_warn("flow %llu to %s: no shared memory for it: %s", (unsigned long long)f->id, f->dst,
                         o7s_strerror(r));
                return turn_away(f, r);
        }
        dequeue(f);
        f->accept = accept_take(f->proc, f);
        r         = handshake_respond(f->handshake, (struct span){f->accept->data, f->accept->data_len},
                                      handshake_ready);
        if (r == HANDSHAKE_LATER)
                return FLOW_ANSWERING;
        if (r == OAP_OK)
                return server_up(f);
        release_accept(f);
        return turn_away_for(f, r);
}

/* -- the table ------------------------------------------------------------- */

static flow_fn *const table[FLOW_N_STATES][EV_N] = {
        [FLOW_NEW]       = {[EV_ASK] = ask, [EV_ARRIVE] = arrive},
        [FLOW_PREPARING] = {[EV_READY]   = prepared,
                            [EV_REFUSE]  = prepare_refused,
                            [EV_TIMEOUT] = ask_timed_out,
                            [EV_CLOSE]   = closed},
        [FLOW_ASKED]     = {[EV_ANSWER]  = ask_answered,
                            [EV_REFUSE]  = ask_refused,
                            [EV_TIMEOUT] = ask_timed_out,
                            [EV_CLOSE]   = closed},
        [FLOW_CHECKING]  = {[EV_READY]   = checked,
                            [EV_REFUSE]  = check_refused,
                            [EV_TIMEOUT] = ask_timed_out,
                            [EV_CLOSE]   = closed},
        [FLOW_VERIFYING] = {[EV_READY]   = verified,
                            [EV_REFUSE]  = refused,
                            [EV_TIMEOUT] = wait_timed_out,
                            [EV_CLOSE]   = wait_closed},
        [FLOW_ARRIVED]   = {[EV_ACCEPT] = accepted,
                            [EV_WAIT]   = wait_for_accept,
                            [EV_START]  = wait_for_start,
                            [EV_REFUSE] = refused,
                            [EV_CLOSE]  = wait_closed},
        [FLOW_WAITING]   = {[EV_ACCEPT]  = accepted,
                            [EV_START]   = wait_for_start,
                            [EV_REFUSE]  = refused,
                            [EV_TIMEOUT] = wait_timed_out,
                            [EV_CLOSE]   = wait_closed},
        [FLOW_STARTING]  = {[EV_ACCEPT]  = accepted,
                            [EV_WAIT]    = wait_for_accept,
                            [EV_REFUSE]  = refused,
                            [EV_TIMEOUT] = wait_timed_out,
                            [EV_CLOSE]   = wait_closed},
        [FLOW_ANSWERING] = {[EV_READY]   = responded,
                            [EV_REFUSE]  = answer_refused,
                            [EV_TIMEOUT] = answer_timed_out,
                            [EV_CLOSE]   = answer_closed},
        [FLOW_OPEN]      = {[EV_CLOSE] = closed},
};

/* Of a flow between two processes of this host, the server's end does not live on when the client wants it no more. */
static bool still_forming(const struct flow *f)
{
        return f->server && f->state < FLOW_OPEN;
}

static void flow_free(struct flow *f)
{
        struct flow *twin = f->twin;

        flow_audit_end(f);
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
        handshake_free(f->handshake);
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

static void answered(void *ctx, int result, struct span oap)
{
        struct flow *f = ctx;

        ipcp_flow_forget(f->ipcp, f);
        flow_step(f, result < 0 ? EV_REFUSE : EV_ANSWER, &(struct cause){.result = result, .oap = oap});
}

/* A step of the handshake has come to its end on the work queue. */
static void handshake_ready(struct flow *f, int r)
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
        log_warn("process %d: no flow to %s: %s", (int)p->pid, wish->dst, quota_why(result));
        proc_reply(p, wish->request, result, quota_why(result));
        note_result(f, result);
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
        r = adopt(f, p);
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
        struct span none = {NULL, 0};

        if (id != 0)
                ipcp_flow_answer(i, id, result, 0, none);
        else
                answered(twin, result, none);
}

void flow_arrive(struct ipcp *i, uint32_t id, struct name *n, const qosspec_t *qs, struct flow *twin,
                 struct span request)
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
        twin->twin  = f;
        attach(f, i);
        if (i->type == IPCP_LOCAL)
                snprintf(f->kernel, sizeof(f->kernel), "uid:%u", (unsigned)twin->proc->uid);
        snprintf(f->peer, sizeof(f->peer), "%s", f->kernel);
        if (flow_step(f, EV_ARRIVE, &(struct cause){.oap = request}) == FLOW_ARRIVED)
                place_flow(f);
}
