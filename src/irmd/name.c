#include "name.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/str.h"
#include <ouroboros/errno.h>

#include "bind.h"
#include "flow.h"
#include "ipcp.h"
#include "reg.h"

struct name *name_find(struct irmd *d, const char *name)
{
        struct name *n;

        HASH_FIND_STR(d->names, name, n);
        return n;
}

int name_create(struct irmd *d, const char *name, enum pol_balance lb, struct name **out)
{
        struct name *n = name_find(d, name);

        *out = n;
        if (n != NULL)
                return -EEXIST;
        n = calloc(1, sizeof(*n));
        if (n == NULL)
                return -ENOMEM;
        n->irmd = d;
        n->lb   = lb;
        str_copy(n->name, sizeof(n->name), name);
        LIST_INIT(&n->progs);
        LIST_INIT(&n->pids);
        LIST_INIT(&n->regs);
        TAILQ_INIT(&n->links);
        TAILQ_INIT(&n->arrivals);
        HASH_ADD_STR(d->names, name, n);
        *out = n;
        log_info("name %s: created", name);
        return 0;
}

void name_destroy(struct name *n)
{
        while (!TAILQ_EMPTY(&n->arrivals))
                flow_refuse(TAILQ_FIRST(&n->arrivals), -ENOTALLOC);
        bind_drop_name(n);
        while (!LIST_EMPTY(&n->regs))
                reg_drop(LIST_FIRST(&n->regs));
        HASH_DEL(n->irmd->names, n);
        log_info("name %s: destroyed", n->name);
        free(n);
}
