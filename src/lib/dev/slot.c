#include "dev/slot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ouroboros/errno.h>

#include "base/clock.h"
#include "ctl/rpc.h"
#include "dev/inbox.h"
#include "dev/outbox.h"
#include "shm/bell.h"

/* All but the connection. */
static void flow_drop(struct flow *f)
{
        outbox_destroy(f->out);
        inbox_destroy(f->in);
        free(f);
}

void flow_free(struct flow *f)
{
        if (f == NULL)
                return;
        rpc_unref(f->rpc);
        flow_drop(f);
}

void slot_init(struct slot *s)
{
        memset(s, 0, sizeof(*s));
        pthread_mutex_init(&s->tx.lock, NULL);
        pthread_mutex_init(&s->rx.lock, NULL);
}

void slot_lock(struct slot *s)
{
        pthread_mutex_lock(&s->tx.lock);
        pthread_mutex_lock(&s->rx.lock);
}

void slot_unlock(struct slot *s)
{
        pthread_mutex_unlock(&s->rx.lock);
        pthread_mutex_unlock(&s->tx.lock);
}

void slot_pend(struct slot *s, int fd, struct ask *ask)
{
        s->state = SLOT_PENDING;
        s->ask   = ask;
        s->port  = (struct port){.bell = fd, .peer_bell = -1, .self = -1};
}

static void lane_reset(struct lane *l)
{
        patience_init(&l->patience);
        l->elsewhere  = (struct hunch){0};
        l->streaming  = (struct hunch){0};
        l->offset     = 0;
        l->timeout_ns = CLOCK_NEVER;
        l->messages   = 0;
        l->bytes      = 0;
        l->sleeps     = 0;
}

int slot_open(struct slot *s, struct flow *flow, struct port_ctl *mapping, int memfd, unsigned side, int bell,
              int peer_bell)
{
        struct port port;
        int         r = 0;

        if (mapping != NULL)
                port_reopen(&port, mapping, side, bell, peer_bell);
        else
                r = port_open(&port, memfd, side, bell, peer_bell);
        if (r < 0)
                return r;
        lane_reset(&s->tx);
        lane_reset(&s->rx);
        s->port  = port;
        s->flow  = flow;
        s->out   = flow->out;
        s->in    = flow->in;
        s->ask   = NULL;
        s->flags = FLOWFDEFAULT;
        atomic_store(&s->broken, false);
        s->state = SLOT_OPEN;
        if (s->in != NULL) /* the port knows only of the ring */
                slot_leave(s);
        return 0;
}

static bool is_waited_in(const struct slot *s)
{
        return s->tx.waiters + s->rx.waiters > 0;
}

void slot_greet(struct slot *s, bool wakes)
{
        (void)outbox_say(s->out, &s->port, RECORD_KEEPALIVE, wakes);
}

/* The end word alone may be anybody's. A peer that is down already, or broke the ring, gets no farewell. */
static void say_farewell(struct slot *s)
{
        if (s->out != NULL && !atomic_load(&s->broken))
                (void)outbox_say(s->out, &s->port, RECORD_CLOSE, false);
}

int slot_end(struct slot *s)
{
        if (s->state != SLOT_PENDING && s->state != SLOT_OPEN)
                return -EBADF;
        if (s->state == SLOT_OPEN)
                say_farewell(s);
        s->state = SLOT_CLOSING;
        if (is_waited_in(s)) {
                port_end(&s->port); /* the peer need not wait for them */
                port_rouse(&s->port);
        }
        return 0;
}

bool slot_take(struct slot *s, struct remains *r)
{
        bool done;

        slot_lock(s);
        done = s->state == SLOT_CLOSING && !is_waited_in(s);
        if (done) {
                *r       = (struct remains){.port = s->port, .flow = s->flow, .ask = s->ask};
                s->flow  = NULL;
                s->out   = NULL;
                s->in    = NULL;
                s->ask   = NULL;
                s->state = SLOT_FREE;
                s->generation++;
        }
        slot_unlock(s);
        return done;
}

void slot_forget(struct slot *s)
{
        uint32_t generation = s->generation;

        if (s->state == SLOT_PENDING || s->state == SLOT_OPEN) {
                port_forget(&s->port);
                free(s->ask);
        }
        if (s->flow != NULL)
                flow_drop(s->flow); /* its connection is forgotten as a whole */
        slot_init(s);
        s->generation = generation + 1;
}

int slot_look(struct slot *s)
{
        const uint8_t *msg;
        size_t         len;

        if (s->in == NULL)
                return slot_look_plain(s, &msg, &len);
        return atomic_load_explicit(&s->broken, memory_order_relaxed) ? -EFLOWDOWN
                                                                      : inbox_look(s->in, &s->port);
}

void slot_leave(struct slot *s)
{
        if (s->in != NULL)
                inbox_leave(s->in, &s->port);
        else
                port_rx_leave(&s->port);
}

int slot_break(struct slot *s)
{
        atomic_store(&s->broken, true);
        port_rouse(&s->port);
        bell_ring_own(s->port.bell);
        return -EFLOWDOWN;
}
