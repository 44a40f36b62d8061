#include <string.h>

#include <ouroboros/errno.h>

#include "base/clock.h"
#include "base/fd.h"
#include "bind.h"
#include "flow.h"
#include "place.h"
#include "ipcp.h"
#include "list.h"
#include "pb/convert.h"
#include "proc.h"
#include "verbs.h"

#define TIMEOUT_MAX_MS UINT64_C(31557600000) /* a year */

void verb_flow_alloc(struct proc *p, uint32_t id, const Irm__Request *m)
{
        const Irm__FlowAlloc *a    = m->flow_alloc;
        struct flow_wish      wish = {.dst        = a->name,
                                      .timeout_ms = a->timeout_ms,
                                      .early      = a->early,
                                      .request    = id,
                                      .data       = {a->data.data, a->data.len}};

        if (!verb_check_name(p, id, "name", a->name))
                return;
        if (id == 0) {
                proc_refuse(p, id, -EINVAL, "the request needs a number, to be answered");
                return;
        }
        if (a->data.len > OAP_DATA_MAX) {
                proc_refuse(p, id, -EMSGSIZE, "first data has at most %u bytes", OAP_DATA_MAX);
                return;
        }
        if (pb_qos_get(a->qos, &wish.qos) < 0) {
                proc_refuse(p, id, -EINVAL, "the QoS specification has a value out of range");
                return;
        }
        flow_ask(p, &wish);
}

void verb_flow_accept(struct proc *p, uint32_t id, const Irm__Request *m)
{
        const Irm__FlowAccept *a  = m->flow_accept;
        uint64_t               ms = a->timeout_ms < TIMEOUT_MAX_MS ? a->timeout_ms : TIMEOUT_MAX_MS;
        int                    r  = id == 0 ? -EINVAL : 0;

        if (a->data.len > OAP_DATA_MAX)
                r = -EMSGSIZE;
        if (r == 0)
                r = accept_wait(p, id, a->wait ? ms : 0, a->data.data, a->data.len);
        bind_serves(p);
        p->watch_rung = false;
        if (r < 0) {
                proc_reply(p, id, r, NULL);
                return;
        }
        place_serve(p);
        if (!a->wait && accept_cancel(p, id, true))
                proc_reply(p, id, -EAGAIN, NULL);
        if (place_waits_for(p))
                proc_ring_watch(p);
}

void verb_accept_watch(struct proc *p, uint32_t id, const Irm__Request *m)
{
        Irm__Reply ok = IRM__REPLY__INIT;
        int        r;

        (void)m;
        bell_close(&p->watch);
        bind_serves(p);
        p->watch_rung = false;
        r             = bell_create(&p->watch);
        if (r < 0) {
                proc_reply(p, id, r, NULL);
                return;
        }
        proc_answer(p, id, &ok, false, &p->watch.own, 1);
        fd_close(&p->watch.own);
        fd_close(&p->watch.other);
        if (place_waits_for(p))
                proc_ring_watch(p);
}

void verb_flow_dealloc(struct proc *p, uint32_t id, const Irm__Request *m)
{
        struct flow *f = flow_find(p->irmd, m->flow_dealloc->flow_id);

        if (f == NULL || f->proc != p) {
                proc_refuse(p, id, -EBADF, "no flow %llu of this process",
                            (unsigned long long)m->flow_dealloc->flow_id);
                return;
        }
        flow_close(f);
        proc_reply(p, id, 0, NULL);
}

void verb_cancel(struct proc *p, uint32_t id, const Irm__Request *m)
{
        struct flow *f;

        if (!accept_cancel(p, m->cancel->id, false)) {
                f = flow_of_request(p, m->cancel->id);
                if (f != NULL)
                        flow_close(f);
        }
        proc_reply(p, id, 0, NULL);
}

struct flow_list {
        struct list      list;
        Irm__Reply       reply;
        Irm__FlowEntries body;
        Irm__FlowEntry  *at[LIST_BATCH];
        Irm__FlowEntry   entry[LIST_BATCH];
        Irm__Qos         qos[LIST_BATCH];
};

static void nothing_to_free(struct list *l)
{
        (void)l;
}

static void make_entry(Irm__FlowEntry *e, Irm__Qos *qos, const struct flow *f)
{
        irm__flow_entry__init(e);
        pb_qos_put(qos, &f->qos);
        e->qos     = qos;
        e->flow_id = f->id;
        e->state   = (char *)flow_state_name(f->state);
        e->name    = f->dst;
        if (f->proc != NULL) {
                e->pid     = f->proc->pid;
                e->uid     = f->proc->uid;
                e->program = f->proc->exe != NULL ? f->proc->exe : f->proc->comm;
        }
        if (f->ipcp != NULL) {
                e->layer     = f->ipcp->layer;
                e->ipcp_type = f->ipcp->type;
        }
        e->address       = (char *)f->way.address;
        e->packet_max    = f->way.packet_max;
        e->accepted      = f->server;
        e->peer          = (char *)f->peer;
        e->authenticated = f->authenticated;
        e->suite         = f->suite;
        e->oap_id    = (ProtobufCBinaryData){.len = f->has_oap_id ? OAP_ID : 0, .data = (uint8_t *)f->oap_id};
        e->principal = f->principal != NULL ? f->principal : (char *)"";
        e->age_ms    = (uint64_t)((clock_now_ns() - f->born_ns) / NS_PER_MS);
}

/* Those who may manage see all flows, others their own user's. */
static bool may_see(const struct proc *p, const struct flow *f)
{
        return p->admin || (f->proc != NULL && f->proc->uid == p->uid);
}

void verb_flow_list(struct proc *p, uint32_t id, const Irm__Request *m)
{
        struct flow_list fl = {.reply = IRM__REPLY__INIT, .body = IRM__FLOW_ENTRIES__INIT};
        struct flow     *f, *next;

        fl.body.entry      = fl.at;
        fl.reply.body_case = IRM__REPLY__BODY_FLOWS;
        fl.reply.flows     = &fl.body;
        fl.list            = (struct list){
                           .proc = p, .id = id, .reply = &fl.reply, .n = &fl.body.n_entry, .clear = nothing_to_free};
        HASH_ITER (hh, p->irmd->flows, f, next) {
                if (!may_see(p, f) || (m->flow_list->flow_id != 0 && m->flow_list->flow_id != f->id))
                        continue;
                fl.at[fl.body.n_entry] = &fl.entry[fl.body.n_entry];
                make_entry(fl.at[fl.body.n_entry], &fl.qos[fl.body.n_entry], f);
                list_added(&fl.list);
        }
        list_end(&fl.list);
}
