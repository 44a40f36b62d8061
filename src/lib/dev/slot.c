#include "dev/slot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ouroboros/errno.h>

#include "base/clock.h"
#include "base/fd.h"
#include "ctl/rpc.h"
#include "dev/inbox.h"
#include "dev/outbox.h"
#include "dev/stream.h"
#include "shm/bell.h"

/* All but the connection. */
static void flow_drop(struct flow *f)
{
        stream_destroy(f->stream);
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
        s->front = -1;
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

static int open_port(struct port *port, struct port_ctl *mapping, int memfd, unsigned side, int bell,
                     int peer_bell)
{
        if (mapping == NULL)
                return port_open(port, memfd, side, bell, peer_bell);
        port_reopen(port, mapping, side, bell, peer_bell);
        return 0;
}

static void become_open(struct slot *s, struct flow *flow, const struct port *port)
{
        lane_reset(&s->tx);
        lane_reset(&s->rx);
        s->port        = *port;
        s->flow        = flow;
        s->out         = flow->out;
        s->in          = flow->in;
        s->stream      = NULL;
        s->front       = -1;
        s->max_message = flow->max_message;
        s->ask         = NULL;
        s->flags       = FLOWFDEFAULT;
        atomic_store(&s->broken, false);
        s->state = SLOT_OPEN;
}

int slot_open(struct slot *s, struct flow *flow, struct port_ctl *mapping, int memfd, unsigned side, int bell,
              int peer_bell)
{
        struct port port;
        int         r = open_port(&port, mapping, memfd, side, bell, peer_bell);

        if (r < 0)
                return r;
        become_open(s, flow, &port);
        if (s->in != NULL) /* the port knows only of the ring */
                slot_leave(s);
        return 0;
}

/*
 * With a port that was opened for it. On failure the slot is as it was, and the port closed but for what was
 * not taken.
 */
static int open_stream(struct slot *s, struct flow *flow, struct port *port, int front)
{
        enum slot_state state = s->state;
        struct ask     *ask   = s->ask;
        struct port     was   = s->port;
        int             r;

        become_open(s, flow, port);
        s->stream = flow->stream;
        s->front  = front;
        r         = stream_open(s->stream, &s->port, front);
        if (r == 0)
                return 0;
        s->port    = was;
        s->state   = state;
        s->ask     = ask;
        s->flow    = NULL;
        s->out     = NULL;
        s->in      = NULL;
        s->stream  = NULL;
        s->front   = -1;
        port->bell = port->peer_bell = -1;
        port_close(port);
        return r;
}

int slot_open_stream(struct slot *s, struct flow *flow, struct port_ctl *mapping, int memfd, unsigned side,
                     int bell, int peer_bell, int front)
{
        struct port port;
        int         r = open_port(&port, mapping, memfd, side, bell, peer_bell);

        return r < 0 ? r : open_stream(s, flow, &port, front);
}

static bool is_waited_in(const struct slot *s)
{
        return s->tx.waiters + s->rx.waiters > 0;
}

void slot_greet(struct slot *s, bool wakes)
{
        if (s->stream != NULL)
                stream_greet(s->stream, wakes);
        else
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
        if (s->state == SLOT_OPEN && s->stream != NULL)
                stream_close(s->stream);
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
                *r = (struct remains){.port = s->port, .flow = s->flow, .ask = s->ask, .front = s->front};
                s->flow   = NULL;
                s->out    = NULL;
                s->in     = NULL;
                s->stream = NULL;
                s->front  = -1;
                s->ask    = NULL;
                s->state  = SLOT_FREE;
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
                fd_close(&s->front);
                free(s->ask);
        }
        if (s->flow != NULL) {
                stream_forget(s->flow->stream);
                s->flow->stream = NULL;
                flow_drop(s->flow); /* its connection is forgotten as a whole */
        }
        slot_init(s);
        s->generation = generation + 1;
}

int slot_look(struct slot *s)
{
        const uint8_t *msg;
        size_t         len;

        if (s->stream != NULL)
                return stream_look(s->stream);
        if (s->in == NULL)
                return slot_look_plain(s, &msg, &len);
        return atomic_load_explicit(&s->broken, memory_order_relaxed) ? -EFLOWDOWN
                                                                      : inbox_look(s->in, &s->port);
}

void slot_leave(struct slot *s)
{
        if (s->stream != NULL)
                stream_leave(s->stream);
        else if (s->in != NULL)
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
