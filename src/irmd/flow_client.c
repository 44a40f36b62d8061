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
#include "name.h"
#include "proc.h"
#include "reg.h"

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

/* The request is there: it goes to the layer, if that still has the name. */
static enum flow_state send_request(struct flow *f)
{
        const struct name *n = name_find(f->irmd, f->dst);
        struct reg        *r = n != NULL ? reg_find(f->ipcp, n) : NULL;
        int                result;

        if (r == NULL)
                return client_ask(f, &(struct cause){.result = -ENAME});
        flow_learn(f); /* whether it is signed */
        result = ipcp_flow_alloc(f->ipcp, r, f, handshake_message(f->handshake), flow_answered);
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

enum flow_state client_ask(struct flow *f, const struct cause *c)
{
        struct reg *r = next_layer(f);

        if (r == NULL && f->ipcp != NULL)
                return give_up(f, c->result, c->why);
        if (r == NULL && !any_layer(f->irmd))
                return give_up(f, -EIPCP, "no layer is up on this host");
        if (r == NULL)
                return give_up(f, -ENAME, "no layer of this host knows the name");
        flow_detach(f);
        flow_attach(f, r->ipcp);
        return prepare(f);
}

enum flow_state client_prepared(struct flow *f, const struct cause *c)
{
        (void)c;
        return send_request(f);
}

/*
 * What a layer could not do, the next one may; what a server refused is final. A layer that has gone may have delivered
 * first data, which must not be delivered twice.
 */
enum flow_state client_refused(struct flow *f, const struct cause *c)
{
        if (c->result == -ENAME || (c->result == -EIPCP && f->data_len == 0))
                return client_ask(f, c);
        return give_up(f, c->result, c->why);
}

enum flow_state client_prepare_refused(struct flow *f, const struct cause *c)
{
        return c->result == -EIPCP ? client_ask(f, c) : give_up(f, c->result, c->why);
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

        if (f->keep == NULL) {
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
