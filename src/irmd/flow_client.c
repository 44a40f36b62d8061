/* flow_client.c - what happens to a client's end: one handler for each cell of the table in flow.h. */
#include <stdlib.h>

#include <ouroboros/errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "flow_audit.h"
#include "flow_step.h"
#include "flow_up.h"
#include "handshake.h"
#include "ipcp.h"
#include "lookup.h"
#include "name.h"
#include "proc.h"
#include "reg.h"

/* The local layer, if the name is registered in it: nobody else need be asked. */
static struct ipcp *local_layer(const struct flow *f)
{
        const struct name *n = name_find(f->irmd, f->dst);
        struct reg        *r;

        if (n == NULL)
                return NULL;
        LIST_FOREACH (r, &n->regs, by_name) {
                if (r->ipcp->type == IPCP_LOCAL && r->ipcp->state == IPCP_OPERATIONAL && !r->ipcp->leaving)
                        return r->ipcp;
        }
        return NULL;
}

/* -- the client's end ------------------------------------------------------ */

static enum flow_state give_up(struct flow *f, int result, const char *why)
{
        flow_note_result(f, result);
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

/* The request is there: it goes to the layer. */
static enum flow_state send_request(struct flow *f)
{
        int result = f->ipcp->type == IPCP_LOCAL ? 0 : flow_make_port(f);

        if (result < 0)
                return give_up(f, result, flow_quota_why(result));
        flow_learn(f); /* whether it is signed */
        result = ipcp_flow_alloc(f->ipcp, f, handshake_message(f->handshake), flow_answered);
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
                r = handshake_request(f->handshake, flow_handshake_ready);
        if (r == HANDSHAKE_LATER)
                return FLOW_PREPARING;
        return r == OAP_OK ? send_request(f) : give_up_for(f, r);
}

static enum flow_state go_by(struct flow *f, struct ipcp *i)
{
        flow_drop_port(f);
        flow_detach(f);
        flow_attach(f, i);
        return prepare(f);
}

/* A lookup_fn. */
static void found(void *ctx)
{
        flow_found(ctx);
}

/* What the last layer said, when there is none that could be tried after it; else that nobody knows the name. */
static enum flow_state no_more_layers(struct flow *f)
{
        if (f->tried && f->tried_result == -EHOSTUNREACH)
                return give_up(f, -ENAME, "nobody answers where the name was");
        if (f->tried)
                return give_up(f, f->tried_result, f->tried_why);
        if (!lookup_any(f->lookup))
                return give_up(f, -EIPCP, "no layer is up on this host");
        return give_up(f, -ENAME, "no layer of this host knows the name");
}

/* It must not be taken down with a layer that it has nothing to do with any more. */
static enum flow_state look_on(struct flow *f)
{
        flow_drop_port(f);
        flow_detach(f);
        return FLOW_LOOKING;
}

static enum flow_state next_layer(struct flow *f)
{
        struct ipcp *i;
        int          r = lookup_next(f->lookup, &i);

        if (r == 0)
                return go_by(f, i);
        return r == -EAGAIN ? look_on(f) : no_more_layers(f);
}

static enum flow_state look(struct flow *f)
{
        if (f->lookup == NULL)
                f->lookup = lookup_start(f->irmd, f->dst, found, f);
        return f->lookup == NULL ? give_up(f, -ENOMEM, NULL) : next_layer(f);
}

enum flow_state client_ask(struct flow *f, const struct cause *c)
{
        struct ipcp *local = local_layer(f);

        (void)c;
        return local != NULL ? go_by(f, local) : look(f);
}

/* After a layer has failed. */
static enum flow_state try_on(struct flow *f, const struct cause *c)
{
        f->tried        = true;
        f->asked_again  = false;
        f->tried_result = c->result;
        f->tried_why    = c->why;
        return look(f);
}

enum flow_state client_found(struct flow *f, const struct cause *c)
{
        (void)c;
        return next_layer(f);
}

enum flow_state client_prepared(struct flow *f, const struct cause *c)
{
        (void)c;
        return send_request(f);
}

/* It has forgotten where the name was, and looks for it anew: a service that has moved is found. */
static enum flow_state ask_again(struct flow *f)
{
        f->asked_again = true;
        return go_by(f, f->ipcp);
}

/* The layer has gone, or nobody answers there: somebody may have heard the request all the same. */
static enum flow_state client_unheard(struct flow *f, const struct cause *c)
{
        if (f->data_len > 0 && c->result == -EHOSTUNREACH)
                return give_up(f, -ETIMEDOUT, "nobody answers; the first data may have arrived all the same");
        if (f->data_len > 0) /* which must not be delivered twice */
                return give_up(f, c->result, c->why);
        return c->result == -EHOSTUNREACH && !f->asked_again ? ask_again(f) : try_on(f, c);
}

/* What a layer could not do, the next one may; what a server refused is final. */
enum flow_state client_refused(struct flow *f, const struct cause *c)
{
        switch (c->result) {
        case -ENAME: return try_on(f, c);
        case -EIPCP:
        case -EHOSTUNREACH: return client_unheard(f, c);
        default: return give_up(f, c->result, c->why);
        }
}

enum flow_state client_prepare_refused(struct flow *f, const struct cause *c)
{
        return c->result == -EIPCP ? try_on(f, c) : give_up(f, c->result, c->why);
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
enum flow_state client_answered(struct flow *f, const struct cause *c)
{
        int r;

        if (f->keep == NULL || (f->ipcp->type != IPCP_LOCAL && f->way.packet_max == 0)) {
                log_warn("ipcp %s: says that flow %llu is up, but nobody accepted it", f->ipcp->name,
                         (unsigned long long)f->id);
                return give_up(f, -ENOTALLOC, NULL);
        }
        r = handshake_response(f->handshake, c->oap, flow_handshake_ready);
        if (r == HANDSHAKE_LATER)
                return FLOW_CHECKING;
        return r == OAP_OK ? client_up(f) : give_up_for(f, r);
}

enum flow_state client_checked(struct flow *f, const struct cause *c)
{
        (void)c;
        return client_up(f);
}

enum flow_state client_check_refused(struct flow *f, const struct cause *c)
{
        return give_up(f, c->result, c->why);
}

enum flow_state client_timed_out(struct flow *f, const struct cause *c)
{
        (void)c;
        flow_note_result(f, -ETIMEDOUT);
        flow_send_refusal(f, -ETIMEDOUT, "nobody accepted in time");
        return FLOW_TIMED_OUT;
}
