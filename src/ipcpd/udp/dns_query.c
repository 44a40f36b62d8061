#include "ipcpd/udp/dns_query.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define GIVE_UP_MS 2000u
#define DATAGRAM   1232u /* a longer one is not what a server sends who was not told that it may */
#define PREFIX     2u    /* the length, in front of a message over TCP (RFC 1035, 4.2.2) */

/* When it is sent, and when given up. */
static const uint64_t at_ms[] = {0, 300, 600, 1200, GIVE_UP_MS};

#define N_SENDS (sizeof(at_ms) / sizeof(at_ms[0]) - 1)

/* What TCP needs besides. */
struct stream {
        uv_connect_t connect;
        uv_write_t   write;
        uint8_t      out[PREFIX + DNS_MESSAGE_MAX];
        size_t       got;
        uint8_t      in[PREFIX + DNS_ANSWER_MAX];
};

struct dns_query {
        const struct dns_query_up *up;
        void                      *ctx;
        struct sockaddr_storage    server;
        struct dns_message         m;
        uv_timer_t                 timer;
        uv_udp_t                   udp;
        uv_tcp_t                   tcp;
        unsigned int               handles; /* that are open, or being closed */
        size_t                     sent;    /* how often */
        int                        result;  /* for failed() */
        bool                       over;    /* it was answered or has failed; or is being closed */
        struct stream             *stream;  /* NULL: UDP */
        uint8_t                    in[DATAGRAM];
};

/* -- life ------------------------------------------------------------------ */

static void on_closed(uv_handle_t *h)
{
        struct dns_query *q = h->data;

        if (--q->handles > 0)
                return;
        free(q->stream);
        free(q);
}

static void close_handle(uv_handle_t *h)
{
        if (h->data != NULL && !uv_is_closing(h)) /* it was made */
                uv_close(h, on_closed);
}

static void close_sockets(struct dns_query *q)
{
        close_handle((uv_handle_t *)&q->udp);
        close_handle((uv_handle_t *)&q->tcp);
}

static void own_handle(struct dns_query *q, uv_handle_t *h)
{
        h->data = q;
        q->handles++;
}

struct dns_query *dns_query_open(uv_loop_t *loop, const struct dns_query_up *up, void *ctx)
{
        struct dns_query *q = calloc(1, sizeof(*q));

        if (q == NULL)
                return NULL;
        q->up     = up;
        q->ctx    = ctx;
        q->result = -EHOSTUNREACH;
        uv_timer_init(loop, &q->timer);
        own_handle(q, (uv_handle_t *)&q->timer);
        return q;
}

void dns_query_close(struct dns_query *q)
{
        if (q == NULL)
                return;
        q->over = true;
        close_sockets(q);
        close_handle((uv_handle_t *)&q->timer);
}

/* -- outcomes -------------------------------------------------------------- */

/* @q may be closed when this returns, but its memory lives until the loop turns. */
static void fail(struct dns_query *q, int result)
{
        if (q->over)
                return;
        q->over = true;
        uv_timer_stop(&q->timer);
        close_sockets(q);
        q->up->failed(q->ctx, result);
}

static void on_failed(uv_timer_t *t)
{
        struct dns_query *q = t->data;

        fail(q, q->result);
}

void dns_query_fail(struct dns_query *q, int result)
{
        q->result = result;
        uv_timer_start(&q->timer, on_failed, 0, 0);
}

/* Whether the wait is over. As above. */
static bool hand_up(struct dns_query *q, const uint8_t *p, size_t len)
{
        bool was_over = q->over;

        q->over = true; /* should the owner close it from within */
        if (!q->up->answer(q->ctx, p, len) && !uv_is_closing((uv_handle_t *)&q->timer)) {
                q->over = was_over;
                return false;
        }
        uv_timer_stop(&q->timer);
        close_sockets(q);
        return true;
}

/* -- TCP ------------------------------------------------------------------- */

static void alloc_stream(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
        struct stream *s = ((struct dns_query *)h->data)->stream;

        (void)hint;
        *buf = uv_buf_init((char *)s->in + s->got, (unsigned int)(sizeof(s->in) - s->got));
}

static size_t length_of(const struct stream *s)
{
        return (size_t)s->in[0] << 8 | s->in[1];
}

/* One answer, whole, is all that is read; when it cannot be used there is none. */
static void on_read(uv_stream_t *tcp, ssize_t n, const uv_buf_t *buf)
{
        struct dns_query *q = tcp->data;
        struct stream    *s = q->stream;

        (void)buf;
        if (n < 0) {
                fail(q, -EHOSTUNREACH);
                return;
        }
        s->got += (size_t)n;
        if (s->got < PREFIX || s->got < PREFIX + length_of(s))
                return;
        uv_read_stop(tcp);
        if (!dns_message_fits(&q->m, s->in + PREFIX, length_of(s)) || dns_message_cut(s->in + PREFIX) ||
            !hand_up(q, s->in + PREFIX, length_of(s)))
                fail(q, -EPROTO);
}

static void on_written(uv_write_t *w, int status)
{
        if (status < 0)
                fail(w->handle->data, -EHOSTUNREACH);
}

static void on_connected(uv_connect_t *c, int status)
{
        struct dns_query *q = c->handle->data;
        struct stream    *s = q->stream;
        uv_buf_t          buf;

        if (q->over)
                return;
        s->out[0] = (uint8_t)(q->m.len >> 8);
        s->out[1] = (uint8_t)q->m.len;
        memcpy(s->out + PREFIX, q->m.b, q->m.len);
        buf = uv_buf_init((char *)s->out, (unsigned int)(PREFIX + q->m.len));
        if (status < 0 || uv_read_start(c->handle, alloc_stream, on_read) < 0 ||
            uv_write(&s->write, c->handle, &buf, 1, on_written) < 0)
                fail(q, -EHOSTUNREACH);
}

static int connect_stream(struct dns_query *q)
{
        int r;

        q->stream = calloc(1, sizeof(*q->stream));
        if (q->stream == NULL)
                return -ENOMEM;
        r = uv_tcp_init(q->timer.loop, &q->tcp);
        if (r < 0)
                return r;
        own_handle(q, (uv_handle_t *)&q->tcp);
        return uv_tcp_connect(&q->stream->connect, &q->tcp, (struct sockaddr *)&q->server, on_connected);
}

static void on_give_up(uv_timer_t *t)
{
        fail(t->data, -EHOSTUNREACH);
}

/* The rest of the 2 s is for it. */
static void turn_to_tcp(struct dns_query *q)
{
        uint64_t left = uv_timer_get_due_in(&q->timer) + GIVE_UP_MS - at_ms[q->sent];
        int      r    = connect_stream(q);

        close_handle((uv_handle_t *)&q->udp);
        if (r < 0)
                dns_query_fail(q, r);
        else
                uv_timer_start(&q->timer, on_give_up, left, 0);
}

/* -- UDP ------------------------------------------------------------------- */

static void alloc_datagram(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
        struct dns_query *q = h->data;

        (void)hint;
        *buf = uv_buf_init((char *)q->in, sizeof(q->in));
}

/* Between being bound and being connected a socket takes in anything. */
static bool from_server(const struct dns_query *q, const struct sockaddr *from)
{
        const struct sockaddr_in *a   = (const struct sockaddr_in *)from,
                                 *b   = (const struct sockaddr_in *)&q->server;
        const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)from;
        const struct sockaddr_in6 *b6 = (const struct sockaddr_in6 *)&q->server;

        if (from == NULL || from->sa_family != q->server.ss_family)
                return false;
        if (from->sa_family == AF_INET)
                return a->sin_port == b->sin_port && a->sin_addr.s_addr == b->sin_addr.s_addr;
        return a6->sin6_port == b6->sin6_port && IN6_ARE_ADDR_EQUAL(&a6->sin6_addr, &b6->sin6_addr);
}

static void on_datagram(uv_udp_t *udp, ssize_t n, const uv_buf_t *buf, const struct sockaddr *from,
                        unsigned int flags)
{
        struct dns_query *q = udp->data;

        (void)buf;
        if (q->over || n < 0 || (flags & UV_UDP_PARTIAL) != 0 || !from_server(q, from) ||
            !dns_message_fits(&q->m, q->in, (size_t)n))
                return;
        if (dns_message_cut(q->in))
                turn_to_tcp(q);
        else
                hand_up(q, q->in, (size_t)n);
}

/* What cannot be sent now is as good as lost on the way. */
static void on_send(uv_timer_t *t)
{
        struct dns_query *q   = t->data;
        uv_buf_t          buf = uv_buf_init((char *)q->m.b, (unsigned int)q->m.len);

        if (q->sent == N_SENDS) {
                fail(q, -EHOSTUNREACH);
                return;
        }
        (void)uv_udp_try_send(&q->udp, &buf, 1, NULL);
        q->sent++;
        uv_timer_start(t, on_send, at_ms[q->sent] - at_ms[q->sent - 1], 0);
}

/* Connected, so that the kernel takes nothing from elsewhere. */
static int open_udp(struct dns_query *q)
{
        int r = uv_udp_init(q->timer.loop, &q->udp);

        if (r < 0)
                return r;
        own_handle(q, (uv_handle_t *)&q->udp);
        r = uv_udp_connect(&q->udp, (struct sockaddr *)&q->server);
        return r < 0 ? r : uv_udp_recv_start(&q->udp, alloc_datagram, on_datagram);
}

void dns_query_ask(struct dns_query *q, const struct sockaddr_storage *server, const struct dns_message *m)
{
        int r;

        assert(q->udp.data == NULL && m->len <= sizeof(m->b));
        q->server = *server;
        q->m      = *m;
        r         = open_udp(q);
        if (r < 0)
                dns_query_fail(q, r);
        else
                uv_timer_start(&q->timer, on_send, 0, 0);
}
