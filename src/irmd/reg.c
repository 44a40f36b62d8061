#include "reg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "ipcp.pb-c.h"
#include "mgmt.h"

struct reg *reg_find(const struct ipcp *i, const struct name *n)
{
        struct reg *r;

        LIST_FOREACH (r, &n->regs, by_name) {
                if (r->ipcp == i)
                        return r;
        }
        return NULL;
}

/* Tells the IPCP about @r with a question that nobody waits for, or that @who does. */
static uint32_t tell_reg(struct reg *r, bool there, ipcp_done_fn *done, void *ctx)
{
        Ipcp__Request       req   = IPCP__REQUEST__INIT;
        Ipcp__NameReg       reg   = IPCP__NAME_REG__INIT;
        Ipcp__NameUnreg     unreg = IPCP__NAME_UNREG__INIT;
        ProtobufCBinaryData hash  = {.len = r->len, .data = r->digest};

        reg.hash = unreg.hash = hash;
        if (there) {
                req.verb_case = IPCP__REQUEST__VERB_NAME_REG;
                req.name_reg  = &reg;
        } else {
                req.verb_case  = IPCP__REQUEST__VERB_NAME_UNREG;
                req.name_unreg = &unreg;
        }
        if (done != NULL)
                return ipcp_ask(r->ipcp, &req, done, ctx);
        ipcp_tell(r->ipcp, &req);
        return 0;
}

void reg_free(struct reg *r)
{
        LIST_REMOVE(r, by_name);
        HASH_DEL(r->ipcp->regs, r);
        free(r);
}

void reg_drop(struct reg *r)
{
        log_info("name %s: no longer registered in layer %s", r->name->name, r->ipcp->layer);
        tell_reg(r, false, NULL, NULL);
        reg_free(r);
}

/* A registration that the layer has not confirmed. */
struct pending {
        struct irmd *irmd;
        struct mgmt *who;
        uint64_t     ipcp;
        char         name[NAME_SIZE + 1];
};

/* What the layer could not do is not done: a directory elsewhere may have refused it. */
static void undo(const struct pending *p)
{
        struct ipcp *i = ipcp_by_serial(p->irmd, p->ipcp);
        struct name *n = name_find(p->irmd, p->name);
        struct reg  *r = i != NULL && n != NULL ? reg_find(i, n) : NULL;

        if (r == NULL)
                return;
        log_warn("name %s: layer %s does not take it", n->name, i->layer);
        reg_free(r);
}

static void registered(void *ctx, int result, struct span oap, const struct way *way)
{
        struct pending *p = ctx;

        (void)oap, (void)way;
        if (result < 0)
                undo(p);
        mgmt_done(p->who, result, NULL);
        free(p);
}

static int ask(struct reg *r, struct mgmt *who)
{
        struct pending *p = calloc(1, sizeof(*p));

        if (p == NULL)
                return -ENOMEM;
        *p = (struct pending){.irmd = r->ipcp->irmd, .who = who, .ipcp = r->ipcp->serial};
        str_copy(p->name, sizeof(p->name), r->name->name);
        if (tell_reg(r, true, registered, p) != 0)
                return 0;
        free(p);
        return -ENOMEM;
}

void reg_create(struct ipcp *i, struct name *n, struct mgmt *who)
{
        struct reg *r = reg_find(i, n);

        if (r != NULL) {
                mgmt_done(who, -EEXIST, "is registered there already");
                return;
        }
        r = calloc(1, sizeof(*r));
        if (r == NULL) {
                mgmt_done(who, -ENOMEM, NULL);
                return;
        }
        r->ipcp = i;
        r->name = n;
        r->len  = hash_len(i->algo);
        hash_sum(i->algo, n->name, strlen(n->name), r->digest);
        LIST_INSERT_HEAD(&n->regs, r, by_name);
        HASH_ADD(hh, i->regs, digest, r->len, r);
        log_info("name %s: registered in layer %s", n->name, i->layer);
        if (ask(r, who) < 0) {
                reg_free(r);
                mgmt_done(who, -ENOMEM, NULL);
        }
}
