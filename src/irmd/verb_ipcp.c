#include <ouroboros/errno.h>

#include "ipcp.h"
#include "list.h"
#include "mgmt.h"
#include "pb/convert.h"
#include "pb/ipcp_config.h"
#include "proc.h"
#include "verbs.h"

void verb_ipcp_create(struct proc *p, uint32_t id, const Irm__Request *m)
{
        const Irm__IpcpCreate *c = m->ipcp_create;
        struct mgmt           *who;

        if (!verb_check_name(p, id, "name of the IPCP", c->name))
                return;
        if (c->type >= IPCP_INVALID) {
                proc_refuse(p, id, -EIPCPTYPE, "there is no type %u of IPCP", c->type);
                return;
        }
        who = mgmt_create(p, id);
        if (who != NULL)
                ipcp_create(p->irmd, c->name, (enum ipcp_type)c->type, who);
}

/* NULL: answered that there is none. */
static struct ipcp *find(struct proc *p, uint32_t id, pid_t pid)
{
        struct ipcp *i = ipcp_by_pid(p->irmd, pid);

        if (i == NULL)
                proc_refuse(p, id, -EIPCP, "process %d is no IPCP", (int)pid);
        return i;
}

void verb_ipcp_bootstrap(struct proc *p, uint32_t id, const Irm__Request *m)
{
        const Irm__IpcpBootstrap *b = m->ipcp_bootstrap;
        struct ipcp              *i = find(p, id, b->pid);
        struct ipcp_config        conf;
        struct mgmt              *who;
        const char               *why;
        int                       r;

        if (i == NULL)
                return;
        r = pb_ipcp_config_get(b->config, &conf, &why);
        if (r < 0) {
                proc_refuse(p, id, r, "%s", why);
                return;
        }
        who = mgmt_create(p, id);
        if (who != NULL)
                ipcp_bootstrap(i, &conf, who);
}

void verb_ipcp_destroy(struct proc *p, uint32_t id, const Irm__Request *m)
{
        struct ipcp *i = find(p, id, m->ipcp_destroy->pid);
        struct mgmt *who;

        if (i == NULL)
                return;
        who = mgmt_create(p, id);
        if (who != NULL)
                ipcp_destroy(i, who);
}

struct ipcp_entries {
        struct list      list;
        Irm__Reply       reply;
        Irm__IpcpEntries body;
        Irm__IpcpEntry  *at[LIST_BATCH];
        Irm__IpcpEntry   entry[LIST_BATCH];
};

static void nothing_to_free(struct list *l)
{
        (void)l;
}

void verb_ipcp_list(struct proc *p, uint32_t id, const Irm__Request *m)
{
        struct ipcp_entries il = {.reply = IRM__REPLY__INIT, .body = IRM__IPCP_ENTRIES__INIT};
        struct ipcp        *i;

        (void)m;
        il.body.entry      = il.at;
        il.reply.body_case = IRM__REPLY__BODY_IPCPS;
        il.reply.ipcps     = &il.body;
        il.list            = (struct list){
                           .proc = p, .id = id, .reply = &il.reply, .n = &il.body.n_entry, .clear = nothing_to_free};
        TAILQ_FOREACH (i, &p->irmd->ipcps, all) {
                Irm__IpcpEntry *e = il.at[il.body.n_entry] = &il.entry[il.body.n_entry];

                if (i->chan == NULL) /* has gone, only its process is not yet reaped */
                        continue;
                irm__ipcp_entry__init(e);
                e->pid   = i->pid;
                e->type  = i->type;
                e->state = i->state;
                e->name  = i->name;
                e->layer = i->layer;
                list_added(&il.list);
        }
        list_end(&il.list);
}
