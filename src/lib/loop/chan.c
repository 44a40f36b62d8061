/*
 * chan.c - a packet is sent at once, from the stack, when none is queued; the queue is for peers that are
 * slower than we are, and only while there is one are we told that the socket is writable.
 *
 * A connection that fails may do so in chan_send(), deep inside a handler that goes on to use the channel. So
 * failure only marks it and shuts the socket down: that makes the socket readable, the loop comes round, and
 * gone() is called from there, with nobody below on the stack.
 */
#include "loop/chan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include <protobuf-c/protobuf-c.h>

#include "base/fd.h"

#define BODY_MAX (FRAME_MAX - FRAME_HDR)

/* Batches of packets taken in one turn of the loop: more would let one peer keep the others waiting. */
#define BURST (64 / CTL_BATCH)

/* What a queued descriptor counts for in the bound: open files are dearer than bytes. */
#define FD_WEIGHT 256u

/* A packet that waits. */
struct out {
        STAILQ_ENTRY(out) next;
        struct frame frame;
        int          fds[CTL_FDS_MAX];
        size_t       n_fds;
        size_t       len;
        uint8_t      body[];
};

struct chan {
        uv_poll_t              poll;
        int                    sock;
        const struct chan_ops *ops;
        void                  *ctx;
        STAILQ_HEAD(, out) queue;
        size_t queued, queue_max; /* bytes, see weight() */
        bool   closed;
        bool   failed;
        int    err; /* why it failed */
};

static void on_ready(uv_poll_t *poll, int status, int events);

/* Listens for what is now of interest. */
static void watch(struct chan *c)
{
        uv_poll_start(&c->poll, UV_READABLE | (STAILQ_EMPTY(&c->queue) ? 0 : UV_WRITABLE), on_ready);
}

static void fail(struct chan *c, int err)
{
        if (c->failed)
                return;
        c->failed = true;
        c->err    = err;
        shutdown(c->sock, SHUT_RDWR);
}

static size_t weight(const struct out *o)
{
        return sizeof(*o) + o->len + o->n_fds * FD_WEIGHT;
}

static void drop_first(struct chan *c)
{
        struct out *o = STAILQ_FIRST(&c->queue);

        STAILQ_REMOVE_HEAD(&c->queue, next);
        c->queued -= weight(o);
        fd_close_all(o->fds, o->n_fds);
        explicit_bzero(o->body, o->len);
        free(o);
}

static int dup_all(struct out *o, const int *fds, size_t n_fds)
{
        for (size_t i = 0; i < n_fds; i++) {
                int fd = fd_dup(fds[i]);

                if (fd < 0)
                        return fd;
                o->fds[o->n_fds++] = fd;
        }
        return 0;
}

static int enqueue(struct chan *c, const struct frame *f, const uint8_t *body, size_t len, const int *fds,
                   size_t n_fds)
{
        struct out *o = malloc(sizeof(*o) + len);
        int         r;

        if (o == NULL)
                return -ENOMEM;
        o->frame = *f;
        o->len   = len;
        o->n_fds = 0;
        memcpy(o->body, body, len);
        r = dup_all(o, fds, n_fds);
        if (r == 0 && weight(o) > c->queue_max - c->queued)
                r = -ENOBUFS;
        if (r < 0) {
                fd_close_all(o->fds, o->n_fds);
                explicit_bzero(o->body, o->len);
                free(o);
                return r;
        }
        c->queued += weight(o);
        STAILQ_INSERT_TAIL(&c->queue, o, next);
        if (STAILQ_FIRST(&c->queue) == o)
                watch(c);
        return 0;
}

void chan_send(struct chan *c, uint32_t id, uint8_t flags, const struct ProtobufCMessage *m, const int *fds,
               size_t n_fds)
{
        const struct frame f   = {.id = id, .flags = flags};
        size_t             len = protobuf_c_message_get_packed_size(m);
        uint8_t            body[BODY_MAX];
        int                r = -EAGAIN;

        if (c->failed || c->closed)
                return;
        if (len > sizeof(body)) {
                fail(c, -EMSGSIZE);
                return;
        }
        protobuf_c_message_pack(m, body);
        if (STAILQ_EMPTY(&c->queue))
                r = ctl_send(c->sock, &f, body, len, fds, n_fds, MSG_DONTWAIT);
        if (r == -EAGAIN)
                r = enqueue(c, &f, body, len, fds, n_fds);
        explicit_bzero(body, len); /* it may have held the secrets of a flow */
        if (r < 0)
                fail(c, r);
}

/* Sends what is queued, as far as the peer takes it. */
static void flush(struct chan *c)
{
        const struct out *o;
        int               r = 0;

        while (r == 0 && (o = STAILQ_FIRST(&c->queue)) != NULL) {
                r = ctl_send(c->sock, &o->frame, o->body, o->len, o->fds, o->n_fds, MSG_DONTWAIT);
                if (r == 0)
                        drop_first(c);
        }
        if (r < 0 && r != -EAGAIN)
                fail(c, r);
        else if (r == 0)
                watch(c);
}

static void hand_up(struct chan *c, uint8_t *packet, size_t len, int *fds, size_t n_fds)
{
        struct rd    in = {.p = packet, .end = packet + len};
        struct frame f;

        if (frame_get(&in, &f))
                c->ops->packet(c->ctx, 0, &f, in.p, (size_t)(in.end - in.p), fds, n_fds);
        else
                c->ops->packet(c->ctx, -EPROTO, NULL, NULL, 0, NULL, 0);
        fd_close_all(fds, n_fds);
}

/* One packet, whatever it is; when the channel has come to its end meanwhile, it is dropped. */
static void take_packet(struct chan *c, struct ctl_packet *p)
{
        if (c->failed || c->closed)
                fd_close_all(p->fds, p->n_fds);
        else if (p->len > 0)
                hand_up(c, p->buf, (size_t)p->len, p->fds, p->n_fds);
        else if (p->len == -EMSGSIZE)
                c->ops->packet(c->ctx, -EMSGSIZE, NULL, NULL, 0, NULL, 0);
        else
                fail(c, (int)p->len);
}

/* Takes in what is there. False: no more, for now. */
static bool take_in(struct chan *c)
{
        uint8_t           room[CTL_BATCH][FRAME_MAX];
        struct ctl_packet p[CTL_BATCH];
        int               n;

        for (size_t i = 0; i < CTL_BATCH; i++)
                p[i].buf = room[i];
        n = ctl_recv_batch(c->sock, p, CTL_BATCH);
        for (int i = 0; i < n; i++)
                take_packet(c, &p[i]);
        if (n < 0 && n != -EAGAIN)
                fail(c, n);
        return n == (int)CTL_BATCH;
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
        struct chan *c    = poll->data;
        int          room = (int)BURST;

        /* libuv says EBADF for any error of the socket; of this kind it is that the peer left packets unread.
         */
        if (status < 0)
                fail(c, -ECONNRESET);
        if ((events & UV_WRITABLE) && !c->failed)
                flush(c);
        while (room-- > 0 && !c->failed && !c->closed && (events & UV_READABLE) && take_in(c))
                ;
        if (!c->failed || c->closed)
                return;
        uv_poll_stop(&c->poll);
        c->ops->gone(c->ctx, c->err);
}

struct chan *chan_open(uv_loop_t *loop, int sock, const struct chan_ops *ops, void *ctx)
{
        struct chan *c = calloc(1, sizeof(*c));

        if (c == NULL || uv_poll_init(loop, &c->poll, sock) < 0) {
                free(c);
                fd_close(&sock);
                return NULL;
        }
        c->poll.data = c;
        c->sock      = sock;
        c->ops       = ops;
        c->ctx       = ctx;
        c->queue_max = CHAN_QUEUE_MAX;
        STAILQ_INIT(&c->queue);
        watch(c);
        return c;
}

static void on_closed(uv_handle_t *h)
{
        free(h->data);
}

void chan_close(struct chan *c)
{
        if (c == NULL || c->closed)
                return;
        c->closed = true;
        while (!STAILQ_EMPTY(&c->queue))
                drop_first(c);
        uv_close((uv_handle_t *)&c->poll, on_closed);
        fd_close(&c->sock); /* libuv has let go of it */
}

size_t chan_queued(const struct chan *c)
{
        return c->queued;
}

void chan_allow(struct chan *c, size_t max_bytes)
{
        c->queue_max = max_bytes > c->queued ? max_bytes : c->queued;
}
