#include "flow_up.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ouroboros/errno.h>

#include "base/log.h"
#include "handshake.h"
#include "ipcp.h"
#include "keylog.h"
#include "pb/convert.h"
#include "proc.h"

/* Root may open what is ours, and so may we. */
static void let_owner_ring(const struct flow *f, const struct bell *b)
{
        if (f->proc->uid != f->irmd->uid && f->proc->uid != 0)
                (void)bell_let_owner_ring(b);
}

int flow_send_pending(struct flow *f)
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

/* What an early client waits for: its own bell until the port took it over. */
static void ring_early(const struct flow *f)
{
        bell_ring(f->bell.keeper >= 0 || f->keep == NULL ? f->bell.keeper : f->keep->bell[f->side].keeper);
}

void flow_send_refusal(struct flow *f, int result, const char *why)
{
        f->irmd->n_refused++;
        log_dbg("flow %llu to %s, process %d: refused: %s", (unsigned long long)f->id, f->dst,
                (int)f->proc->pid, why != NULL ? why : o7s_strerror(result));
        proc_reply(f->proc, f->request, result, why);
        if (f->early)
                ring_early(f);
}

static ProtobufCBinaryData bytes(const void *p, size_t len)
{
        return (ProtobufCBinaryData){.len = len, .data = (uint8_t *)p};
}

static void put_secrets(Irm__FlowUp *up, const struct flow *f)
{
        const struct oap_keys *k    = handshake_keys(f->handshake);
        const struct leaf     *peer = handshake_peer(f->handshake);
        struct span            data = handshake_data(f->handshake);

        up->suite         = k->suite;
        up->authenticated = f->authenticated;
        up->data          = bytes(data.p, data.len);
        up->hold          = handshake_holds(f->handshake);
        if (peer != NULL)
                up->fingerprint = bytes(peer->fingerprint, sizeof(peer->fingerprint));
        if (k->suite == SUITE_PLAIN)
                return;
        up->send_secret = bytes(f->server ? k->s2c : k->c2s, RECORD_SECRET);
        up->recv_secret = bytes(f->server ? k->c2s : k->s2c, RECORD_SECRET);
        keylog_write(f->irmd->conf->key_log_fd, handshake_facts(f->handshake)->id, k);
}

void flow_send_up(struct flow *f, uint32_t request)
{
        Irm__FlowUp up = IRM__FLOW_UP__INIT;
        Irm__Reply  r  = IRM__REPLY__INIT;
        Irm__Qos    qos;
        int         fds[3];
        bool        has_bell;

        pb_qos_put(&qos, &f->qos);
        up.flow_id    = f->id;
        up.side       = f->side;
        up.qos        = &qos;
        up.layer      = f->ipcp->layer;
        up.ipcp_type  = f->ipcp->type;
        up.name       = f->dst;
        up.peer       = f->peer;
        up.port_id    = f->keep->port_id;
        up.client     = !f->server;
        up.packet_max = f->way.packet_max;
        up.mpl_ms     = f->way.mpl_ms;
        put_secrets(&up, f);
        r.body_case = IRM__REPLY__BODY_FLOW_UP;
        r.flow_up   = &up;
        keep_fds(f->keep, f->side, fds);
        has_bell = f->early && f->bell.own < 0; /* the port's own */
        if (!has_bell)
                let_owner_ring(f, &f->keep->bell[f->side]);
        proc_answer(f->proc, request, &r, false, fds, has_bell ? 2 : 3);
        if (f->early)
                ring_early(f);
        bell_close(&f->bell);
        keep_handed(f->keep, &f->irmd->keeps, f->side);
}
