#include "lookup.h"

#include <stdlib.h>
#include <string.h>

#include <ouroboros/errno.h>

#include "base/clock.h"
#include "ipcp.h"
#include "ipcp.pb-c.h"
#include "name.h"
#include "reg.h"

#define PATIENCE_NS (200 * NS_PER_MS) /* for a layer that is preferred to one that has said yes */

enum answer { OPEN, YES, NO, TAKEN };

/* One layer. */
struct candidate {
        struct lookup *lookup;
        uint64_t       ipcp; /* its serial: it may have gone by the time it is taken */
        uint32_t       call; /* the question; 0: none is open                        */
        enum answer    answer;
};

struct lookup {
        struct irmd     *irmd;
        lookup_fn       *changed;
        void            *ctx;
        struct timeout   patience;
        bool             impatient;
        size_t           n;
        struct candidate at[]; /* in the order of preference */
};

static struct lookup *of_patience(struct timeout *t)
{
        return (struct lookup *)(void *)((char *)t - offsetof(struct lookup, patience));
}

static void patience_over(struct timeout *t)
{
        struct lookup *l = of_patience(t);

        l->impatient = true;
        l->changed(l->ctx);
}

/* An ipcp_done_fn. */
static void answered(void *ctx, int result, struct span oap, const struct way *way)
{
        struct candidate *c = ctx;

        (void)oap, (void)way;
        c->call   = 0;
        c->answer = result == 0 ? YES : NO;
        c->lookup->changed(c->lookup->ctx);
}

/* What the local layer has is what is registered in it. */
static enum answer ask_local(const struct ipcp *i, const char *name)
{
        const struct name *n = name_find(i->irmd, name);

        return n != NULL && reg_find(i, n) != NULL ? YES : NO;
}

static void ask(struct candidate *c, struct ipcp *i, const char *name)
{
        Ipcp__Request   req   = IPCP__REQUEST__INIT;
        Ipcp__NameQuery query = IPCP__NAME_QUERY__INIT;
        uint8_t         digest[HASH_MAX];

        c->ipcp = i->serial;
        if (i->type == IPCP_LOCAL) {
                c->answer = ask_local(i, name);
                return;
        }
        hash_sum(i->algo, name, strlen(name), digest);
        query.hash     = (ProtobufCBinaryData){.len = hash_len(i->algo), .data = digest};
        req.verb_case  = IPCP__REQUEST__VERB_NAME_QUERY;
        req.name_query = &query;
        c->call        = ipcp_ask(i, &req, answered, c);
        c->answer      = c->call != 0 ? OPEN : NO;
}

static bool may_be_asked(const struct ipcp *i)
{
        return i->state == IPCP_OPERATIONAL && !i->leaving && i->type != IPCP_BROADCAST;
}

static size_t count(const struct irmd *d)
{
        const struct ipcp *i;
        size_t             n = 0;

        TAILQ_FOREACH (i, &d->ipcps, all)
                n += may_be_asked(i);
        return n;
}

struct lookup *lookup_start(struct irmd *d, const char *name, lookup_fn *changed, void *ctx)
{
        size_t         n = count(d);
        struct lookup *l = calloc(1, sizeof(*l) + n * sizeof(l->at[0]));
        struct ipcp   *i;

        if (l == NULL)
                return NULL;
        l->irmd         = d;
        l->changed      = changed;
        l->ctx          = ctx;
        l->patience.due = patience_over;
        TAILQ_FOREACH (i, &d->ipcps, all) {
                if (may_be_asked(i)) {
                        l->at[l->n].lookup = l;
                        ask(&l->at[l->n++], i, name);
                }
        }
        if (irmd_timeout_set(d, &l->patience, clock_now_ns() + PATIENCE_NS) < 0)
                l->impatient = true;
        return l;
}

void lookup_free(struct lookup *l)
{
        if (l == NULL)
                return;
        for (size_t k = 0; k < l->n; k++) {
                struct ipcp *i = l->at[k].call != 0 ? ipcp_by_serial(l->irmd, l->at[k].ipcp) : NULL;

                if (i != NULL)
                        ipcp_forget(i, l->at[k].call);
        }
        irmd_timeout_cancel(l->irmd, &l->patience);
        free(l);
}

bool lookup_any(const struct lookup *l)
{
        return l->n > 0;
}

int lookup_next(struct lookup *l, struct ipcp **out)
{
        bool open = false;

        for (size_t k = 0; k < l->n; k++) {
                struct candidate *c = &l->at[k];

                if (c->answer == OPEN && !l->impatient)
                        return -EAGAIN;
                open = open || c->answer == OPEN;
                if (c->answer != YES)
                        continue;
                c->answer = TAKEN;
                *out      = ipcp_by_serial(l->irmd, c->ipcp);
                if (*out != NULL && may_be_asked(*out))
                        return 0;
        }
        return open ? -EAGAIN : -ENAME;
}
