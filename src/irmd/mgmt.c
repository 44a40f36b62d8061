#include "mgmt.h"

#include <errno.h>
#include <stdlib.h>

#include "proc.h"

struct mgmt *mgmt_create(struct proc *p, uint32_t id)
{
        struct mgmt *m = calloc(1, sizeof(*m));

        if (m == NULL) {
                proc_reply(p, id, -ENOMEM, NULL);
                return NULL;
        }
        m->irmd   = p->irmd;
        m->serial = p->serial;
        m->id     = id;
        return m;
}

void mgmt_done(struct mgmt *m, int result, const char *why)
{
        struct proc *p;

        if (m == NULL)
                return;
        p = proc_by_serial(m->irmd, m->serial);
        if (p != NULL)
                proc_reply(p, m->id, result, result < 0 ? why : NULL);
        free(m);
}
