/* flow_server.c - what happens to a server's end: one handler for each cell of the table in flow.h. */
#include <stdio.h>
#include <stdlib.h>

#include <ouroboros/errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "flow_audit.h"
#include "flow_step.h"
#include "flow_up.h"
#include "handshake.h"
#include "ipcp.h"
#include "name.h"
#include "place.h"
#include "proc.h"

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

/* Says what became of the server's end: to the layer that brought it, or on this host to its twin. */
static void answer_arrival(struct flow *f, int result)
{
        struct flow *twin = f->twin;
        struct span  oap  = result == 0 ? handshake_message(f->handshake) : (struct span){NULL, 0};

        /* Whatever this leads to for the client's end no longer concerns this one. */
        f->twin = NULL;
        if (twin != NULL)
                twin->twin = NULL;
        if (f->question != 0 && result == 0)
                ipcp_flow_accept(f->ipcp, f->question, f, oap);
        else if (f->question != 0)
                ipcp_flow_refuse(f->ipcp, f->question, result);
        else if (twin != NULL)
                flow_answered(twin, result, oap, NULL);
        f->question = 0;
}

static enum flow_state turn_away(struct flow *f, int result)
{
        dequeue(f);
        answer_arrival(f, flow_note_result(f, result));
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
enum flow_state server_verified(struct flow *f, const struct cause *c)
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

enum flow_state server_arrive(struct flow *f, const struct cause *c)
{
        int r = handshake_server(&f->handshake, f, f->kernel[0] != '\0' ? f->kernel : NULL);

        if (r == OAP_OK)
                r = handshake_verify(f->handshake, c->oap, flow_handshake_ready);
        flow_learn_id(f, c->oap);
        flow_audit_asked(f);
        if (r == HANDSHAKE_LATER)
                return FLOW_VERIFYING;
        return r == OAP_OK ? server_verified(f, c) : turn_away_for(f, r);
}

enum flow_state server_wait(struct flow *f, const struct cause *c)
{
        (void)f, (void)c;
        return FLOW_WAITING;
}

enum flow_state server_wait_for_start(struct flow *f, const struct cause *c)
{
        (void)f, (void)c;
        return FLOW_STARTING;
}

enum flow_state server_refused(struct flow *f, const struct cause *c)
{
        return turn_away(f, c->result);
}

enum flow_state server_timed_out(struct flow *f, const struct cause *c)
{
        (void)c;
        (void)turn_away(f, -ETIMEDOUT);
        return FLOW_TIMED_OUT;
}

enum flow_state server_closed(struct flow *f, const struct cause *c)
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

/* The same later, when other flows may have begun to wait for the process meanwhile. */
static void pass_accept_on(struct flow *f)
{
        bool had = f->accept != NULL;

        release_accept(f);
        if (had)
                place_serve(f->proc);
}

enum flow_state server_answer_refused(struct flow *f, const struct cause *c)
{
        pass_accept_on(f);
        return turn_away(f, c->result);
}

enum flow_state server_answer_timed_out(struct flow *f, const struct cause *c)
{
        pass_accept_on(f);
        return server_timed_out(f, c);
}

enum flow_state server_answer_closed(struct flow *f, const struct cause *c)
{
        pass_accept_on(f);
        return server_closed(f, c);
}

/* The shared memory of the two ends. The client pays: it is its wish. */
static int join_twin(struct flow *f)
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

static int join(struct flow *f)
{
        return f->ipcp->type == IPCP_LOCAL ? join_twin(f) : flow_make_port(f);
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

enum flow_state server_responded(struct flow *f, const struct cause *c)
{
        (void)c;
        return server_up(f);
}

enum flow_state server_accepted(struct flow *f, const struct cause *c)
{
        int r = flow_adopt(f, c->proc);

        if (r < 0) {
                log_warn("process %d: cannot accept for %s: %s", (int)c->proc->pid, f->dst,
                         flow_quota_why(r));
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
                                      flow_handshake_ready);
        if (r == HANDSHAKE_LATER)
                return FLOW_ANSWERING;
        if (r == OAP_OK)
                return server_up(f);
        release_accept(f);
        return turn_away_for(f, r);
}
