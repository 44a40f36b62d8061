#include "flow_audit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ouroboros/errno.h>

#include "audit.h"
#include "base/clock.h"
#include "handshake.h"
#include "ipcp.h"
#include "proc.h"

static struct audit_flow facts_of(const struct flow *f)
{
        struct audit_flow a = {
                .flow_id = f->id,
                .oap_id  = f->has_oap_id ? f->oap_id : NULL,
                .server  = f->server,
                .name    = f->dst,
                .layer   = f->ipcp != NULL ? f->ipcp->layer : NULL,
        };

        if (f->proc != NULL) {
                a.has_proc = true;
                a.pid      = f->proc->pid;
                a.uid      = f->proc->uid;
                a.program  = f->proc->exe != NULL ? f->proc->exe : f->proc->comm;
        }
        return a;
}

/* A server says who it is by the name that it answers to. */
static void learn_peer(struct flow *f, const struct leaf *peer)
{
        if (!f->server)
                snprintf(f->peer, sizeof(f->peer), "dns:%s", f->dst);
        else
                snprintf(f->peer, sizeof(f->peer), "%s", peer->identity);
}

void flow_learn(struct flow *f)
{
        const struct oap_facts *facts     = handshake_facts(f->handshake);
        const struct leaf      *peer      = handshake_peer(f->handshake);
        const char             *principal = handshake_principal(f->handshake);

        memcpy(f->oap_id, facts->id, OAP_ID);
        f->has_oap_id    = true;
        f->authenticated = facts->authenticated && peer != NULL;
        f->suite         = facts->suite;
        if (f->authenticated)
                learn_peer(f, peer);
        if (facts->signed_ && principal != NULL && f->principal == NULL)
                f->principal = strdup(principal);
}

void flow_learn_id(struct flow *f, struct span request)
{
        f->has_oap_id = oap_id_get(request.p, request.len, f->oap_id);
}

void flow_audit_asked(struct flow *f)
{
        struct audit_flow a = facts_of(f);

        if (!f->begun)
                audit_asked(f->irmd->audit, &a);
        f->begun = true;
}

void flow_audit_authenticated(const struct flow *f)
{
        const struct leaf *peer = handshake_peer(f->handshake);
        struct audit_flow  a    = facts_of(f);

        if (f->authenticated)
                audit_authenticated(f->irmd->audit, &a, f->peer, peer->subject, peer->serial);
}

void flow_audit_established(const struct flow *f)
{
        struct audit_flow        a = facts_of(f);
        struct audit_established e = {
                .peer          = f->peer,
                .authenticated = f->authenticated,
                .suite         = suite_name(f->suite),
                .principal     = f->principal,
        };

        audit_established(f->irmd->audit, &a, &e);
}

static const char *word_of(int result)
{
        switch (result) {
        case -EAUTH:
        case -ECRYPT:
        case -ETIME:
        case -EBUSY: return "refused-by-peer";
        case -ENAME: return "unknown-name";
        case -EIPCP: return "no-layer";
        case -ENOTALLOC: return "nobody-accepts";
        case -ETIMEDOUT: return "timeout";
        case -EUSERS:
        case -EMFILE: return "quota";
        case -ENOMEM: return "out-of-memory";
        case 0: return "given-up";
        default: return "error";
        }
}

static void audit_was_open(const struct flow *f, const struct audit_flow *a)
{
        const uint64_t *bytes = f->keep->facts.bytes;

        audit_closed(f->irmd->audit, a, f->word != NULL ? f->word : "closed", clock_now_ns() - f->open_ns,
                     bytes[f->side], bytes[!f->side]);
}

void flow_audit_end(struct flow *f)
{
        struct audit_flow a = facts_of(f);

        flow_audit_asked(f);
        if (f->open_ns != 0)
                audit_was_open(f, &a);
        else
                audit_refused(f->irmd->audit, &a, f->word != NULL ? f->word : word_of(f->result), f->detail,
                              f->result);
}

int flow_blame(struct flow *f, int reason)
{
        const char *detail = f->handshake != NULL ? handshake_facts(f->handshake)->detail : "";

        f->word   = oap_reason_name((enum oap_reason)reason);
        f->result = oap_reason_code((enum oap_reason)reason);
        free(f->detail);
        f->detail = detail[0] != '\0' ? strdup(detail) : NULL;
        return f->result;
}
