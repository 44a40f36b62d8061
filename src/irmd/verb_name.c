#include <stdlib.h>
#include <string.h>

#include <ouroboros/errno.h>

#include "bind.h"
#include "ipcp.h"
#include "list.h"
#include "mgmt.h"
#include "name.h"
#include "proc.h"
#include "reg.h"
#include "verbs.h"

void verb_name_create(struct proc *p, uint32_t id, const Irm__Request *m)
{
        const Irm__NameCreate *c = m->name_create;
        struct name           *n;
        int                    r;

        if (!verb_check_name(p, id, "name", c->name))
                return;
        if (c->pol_lb >= LB_INVALID) {
                proc_refuse(p, id, -EINVAL, "there is no load balancing policy %u", c->pol_lb);
                return;
        }
        r = name_create(p->irmd, c->name, (enum pol_balance)c->pol_lb, &n);
        proc_reply(p, id, r, r == -EEXIST ? "the name exists" : NULL);
}

void verb_name_destroy(struct proc *p, uint32_t id, const Irm__Request *m)
{
        struct name *n;

        if (!verb_check_name(p, id, "name", m->name_destroy->name))
                return;
        n = verb_find_name(p, id, m->name_destroy->name);
        if (n == NULL)
                return;
        name_destroy(n);
        proc_reply(p, id, 0, NULL);
}

/* The name and the IPCP of a registration; false: answered why not. */
static bool check_reg(struct proc *p, uint32_t id, const char *name, pid_t pid, struct name **n,
                      struct ipcp **i)
{
        if (!verb_check_name(p, id, "name", name))
                return false;
        *n = verb_find_name(p, id, name);
        if (*n == NULL)
                return false;
        *i = ipcp_by_pid(p->irmd, pid);
        if (*i == NULL)
                proc_refuse(p, id, -EIPCP, "process %d is no IPCP", (int)pid);
        else if ((*i)->state != IPCP_OPERATIONAL || (*i)->leaving)
                proc_refuse(p, id, -EIPCPSTATE, "the IPCP '%s' is member of no layer", (*i)->name);
        else
                return true;
        return false;
}

void verb_name_reg(struct proc *p, uint32_t id, const Irm__Request *m)
{
        struct mgmt *who;
        struct name *n;
        struct ipcp *i;

        if (!check_reg(p, id, m->name_reg->name, m->name_reg->pid, &n, &i))
                return;
        who = mgmt_create(p, id);
        if (who != NULL)
                reg_create(i, n, who);
}

void verb_name_unreg(struct proc *p, uint32_t id, const Irm__Request *m)
{
        struct name *n;
        struct ipcp *i;
        struct reg  *r;

        if (!check_reg(p, id, m->name_unreg->name, m->name_unreg->pid, &n, &i))
                return;
        r = reg_find(i, n);
        if (r == NULL) {
                proc_refuse(p, id, -ENOENT, "'%s' is not registered in layer '%s'", n->name, i->layer);
                return;
        }
        reg_drop(r);
        proc_reply(p, id, 0, NULL);
}

/* -- the list -------------------------------------------------------------- */

struct name_list {
        struct list      list;
        Irm__Reply       reply;
        Irm__NameEntries body;
        Irm__NameEntry  *at[LIST_BATCH];
        Irm__NameEntry   entry[LIST_BATCH];
};

static void clear_entries(struct list *l)
{
        struct name_list *nl = (struct name_list *)(void *)l;

        for (size_t i = 0; i < *l->n; i++) {
                free(nl->entry[i].programs);
                free(nl->entry[i].pids);
                free(nl->entry[i].layers);
        }
}

/* Room for what the lists of @n hold; the strings are borrowed. False: out of memory. */
static bool make_entry(Irm__NameEntry *e, struct name *n)
{
        struct prog_bind *prog;
        struct link      *l;
        struct reg       *r;
        size_t            progs = 0, pids = 0, layers = 0;

        LIST_FOREACH (prog, &n->progs, by_name)
                progs++;
        TAILQ_FOREACH (l, &n->links, by_name)
                pids++;
        LIST_FOREACH (r, &n->regs, by_name)
                layers++;
        irm__name_entry__init(e);
        e->name     = n->name;
        e->pol_lb   = n->lb;
        e->programs = calloc(progs + 1, sizeof(*e->programs));
        e->pids     = calloc(pids + 1, sizeof(*e->pids));
        e->layers   = calloc(layers + 1, sizeof(*e->layers));
        if (e->programs == NULL || e->pids == NULL || e->layers == NULL)
                return false;
        LIST_FOREACH (prog, &n->progs, by_name)
                e->programs[e->n_programs++] = prog->path;
        TAILQ_FOREACH (l, &n->links, by_name)
                e->pids[e->n_pids++] = l->proc->pid;
        LIST_FOREACH (r, &n->regs, by_name)
                e->layers[e->n_layers++] = r->ipcp->layer;
        return true;
}

void verb_name_list(struct proc *p, uint32_t id, const Irm__Request *m)
{
        struct name_list nl = {.reply = IRM__REPLY__INIT, .body = IRM__NAME_ENTRIES__INIT};
        struct name     *n, *next;

        (void)m;
        nl.body.entry      = nl.at;
        nl.reply.body_case = IRM__REPLY__BODY_NAMES;
        nl.reply.names     = &nl.body;
        nl.list            = (struct list){
                           .proc = p, .id = id, .reply = &nl.reply, .n = &nl.body.n_entry, .clear = clear_entries};
        HASH_ITER (hh, p->irmd->names, n, next) {
                nl.at[nl.body.n_entry] = &nl.entry[nl.body.n_entry];
                if (make_entry(nl.at[nl.body.n_entry], n)) {
                        list_added(&nl.list);
                        continue;
                }
                nl.body.n_entry++;
                clear_entries(&nl.list);
                proc_reply(p, id, -ENOMEM, NULL);
                return;
        }
        list_end(&nl.list);
}
