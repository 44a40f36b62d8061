#include "ipcpd/shim/pump_parts.h"

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>

#include "base/fd.h"

#define SIDE 1 /* of the port: the application has 0 */

static void let_go(struct pump *p)
{
        if (--p->n_handles == 0)
                free(p);
}

static void on_closed(uv_handle_t *h)
{
        let_go(h->data);
}

static void on_flow_closed(uv_handle_t *h)
{
        struct pump_flow *f = h->data;
        struct pump      *p = f->pump;

        free(f);
        let_go(p);
}

struct pump *pump_open(uv_loop_t *loop, const struct link_ops *link_ops, void *link,
                       const struct pump_ops *ops, void *ctx)
{
        struct pump *p = calloc(1, sizeof(*p));

        if (p == NULL)
                return NULL;
        p->link_ops = link_ops;
        p->link     = link;
        p->ops      = ops;
        p->ctx      = ctx;
        TAILQ_INIT(&p->all);
        TAILQ_INIT(&p->ready);
        TAILQ_INIT(&p->lingering);
        TAILQ_INIT(&p->fed);
        pump_out_init(p, loop);
        p->n_handles = 2;
        return p;
}

void pump_close(struct pump *p)
{
        if (p == NULL)
                return;
        while (!TAILQ_EMPTY(&p->all))
                pump_remove(TAILQ_FIRST(&p->all));
        p->running = false;
        uv_close((uv_handle_t *)&p->check, on_closed);
        uv_close((uv_handle_t *)&p->idle, on_closed);
}

static int open_port(struct pump_flow *f, struct pump *p, struct ipcp_port port)
{
        int r = port_open(&f->port, port.memfd, SIDE, port.bell, port.peer_bell);

        if (r < 0)
                return r;
        r = uv_poll_init(p->check.loop, &f->bell, f->port.bell);
        if (r < 0)
                port_close(&f->port);
        return r;
}

static void close_ends(struct ipcp_port *port)
{
        fd_close(&port->bell);
        fd_close(&port->peer_bell);
}

int pump_add(struct pump *p, struct pump_flow **out, struct ipcp_port port, void *flow_ctx)
{
        struct pump_flow *f = aligned_alloc(alignof(struct pump_flow), sizeof(*f));
        int               r = -ENOMEM;

        if (f != NULL) {
                *f = (struct pump_flow){.pump = p, .ctx = flow_ctx};
                r  = open_port(f, p, port);
        }
        fd_close(&port.memfd);
        if (r < 0) {
                close_ends(&port);
                free(f);
                return r;
        }
        f->bell.data = f;
        p->n_handles++;
        TAILQ_INSERT_TAIL(&p->all, f, in_all);
        *out = f;
        return 0;
}

void pump_set_path(struct pump_flow *f, const struct link_path *path, uint32_t packet_max)
{
        f->path       = *path;
        f->packet_max = packet_max;
        if (f->has_path || f->over)
                return;
        f->has_path = true;
        pump_out_start(f);
}

void pump_end(struct pump_flow *f)
{
        if (f->ended)
                return;
        f->ended = true;
        pump_in_flush(f);
        pump_out_end(f);
}

void pump_remove(struct pump_flow *f)
{
        pump_in_flush(f);
        pump_out_stop(f);
        TAILQ_REMOVE(&f->pump->all, f, in_all);
        uv_close((uv_handle_t *)&f->bell, on_flow_closed);
        port_close(&f->port);
}

void pump_flow_facts(const struct pump_flow *f, struct pump_facts *out)
{
        *out = f->facts;
}
