/*
 * serve.c - one client, with blocking calls. What it sends is hostile: a first message that is no HELLO ends
 * the flow, what does not belong to the test is passed over, and there is nothing that it can have us
 * allocate but a message.
 */
#include "operf/serve.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ouroboros/dev.h>
#include <ouroboros/fccntl.h>

#include "operf/count.h"
#include "operf/pause.h"
#include "operf/report.h"
#include "operf/stream.h"
#include "operf/units.h"

#define STUCK_NS (30 * NS_PER_S) /* a client that does not read for so long is given up */

struct session {
        int               fd;
        struct serve_buf *buf;
        struct hello      hello;
        struct count      in;
        struct stream     out;           /* bi                            */
        bool              sending, done; /* with its own DATA             */
        uint64_t          n_sent;
};

/* -- messages -------------------------------------------------------------- */

static bool send_message(const struct session *s, const uint8_t *msg, size_t len)
{
        const int64_t limit_ns = clock_now_ns() + STUCK_NS;
        ssize_t       n;

        do
                n = flow_write(s->fd, msg, len);
        while (n == -ETIMEDOUT && clock_now_ns() < limit_ns);
        return n >= 0;
}

static bool is_same(const struct hello *a, const struct hello *b)
{
        return a->test == b->test && a->size == b->size && a->rate == b->rate &&
               a->duration_ns == b->duration_ns;
}

/* The client says it again while it has no answer. */
static bool on_hello(const struct session *s, size_t len)
{
        struct hello h;
        uint8_t      msg[MESSAGE_ROOM];

        if (s->hello.test == TEST_CRR || !message_get_hello(s->buf->p, len, &h) || !is_same(&h, &s->hello))
                return false;
        return send_message(s, msg, message_put_bare(msg, h.test, MESSAGE_READY));
}

static bool start_sending(struct session *s)
{
        s->sending = stream_start(&s->out, s->fd, &s->hello) == 0;
        return s->sending;
}

static void stop_sending(struct session *s)
{
        if (!s->sending)
                return;
        s->n_sent  = stream_stop(&s->out);
        s->sending = false;
        s->done    = true;
}

static bool on_data(struct session *s, size_t len)
{
        struct data d;

        if (len != s->hello.size || !message_get_data(s->buf->p, len, s->hello.test, &d))
                return true;
        if (s->hello.test == TEST_RR) {
                s->in.messages++;
                return send_message(s, s->buf->p, len);
        }
        count_enter(&s->in, d.number, clock_now_ns());
        return s->hello.test == TEST_UNI || s->sending || s->done || start_sending(s);
}

static bool on_done(struct session *s)
{
        struct tally t;
        uint8_t      msg[MESSAGE_ROOM];

        if (s->hello.test == TEST_RR)
                return true;
        stop_sending(s);
        s->done = true;
        t       = count_tally(&s->in, s->n_sent);
        return send_message(s, msg, message_put_count(msg, s->hello.test, &t));
}

/* False: that was the end. */
static bool on_message(struct session *s, size_t len)
{
        switch (message_kind(s->buf->p, len, s->hello.test)) {
        case MESSAGE_HELLO: return on_hello(s, len);
        case MESSAGE_DATA: return s->hello.test != TEST_CRR && on_data(s, len);
        case MESSAGE_DONE: return s->hello.test != TEST_CRR && on_done(s);
        default: return s->hello.test != TEST_CRR;
        }
}

/* -- a flow ---------------------------------------------------------------- */

static bool make_room(struct serve_buf *b, size_t len)
{
        uint8_t *p;

        if (len > MESSAGE_MAX)
                len = MESSAGE_MAX;
        if (len <= b->len)
                return true;
        p = realloc(b->p, len);
        if (p == NULL)
                return false;
        *b = (struct serve_buf){p, len};
        return true;
}

static bool prepare(const struct session *s)
{
        const struct timespec slice = clock_timespec(SLICE_NS);
        struct flow_info      info;

        return fccntl(s->fd, FLOWSSNDTIMEO, &slice) == 0 && fccntl(s->fd, FLOWGINFO, &info) == 0 &&
               make_room(s->buf, info.max_message > MESSAGE_ROOM ? info.max_message : MESSAGE_ROOM);
}

/* Takes the first message. False: it is not from a client of operf, or nothing comes. */
static bool begin(struct session *s, bool quiet)
{
        ssize_t n = flow_read(s->fd, s->buf->p, s->buf->len);

        if (n <= 0)
                return false;
        if (!message_get_hello(s->buf->p, (size_t)n, &s->hello)) {
                if (!quiet)
                        printf("Flow %d is not from an operf of this version.\n", s->fd);
                return false;
        }
        if (s->hello.test == TEST_CRR)
                return (size_t)n == s->hello.size && send_message(s, s->buf->p, (size_t)n);
        if (!quiet)
                printf("Flow %d: %s, %" PRIu32 " byte messages.\n", s->fd, report_test_name(s->hello.test),
                       s->hello.size);
        return on_hello(s, (size_t)n);
}

static void say_result(const struct session *s)
{
        const struct tally t = count_tally(&s->in, 0);
        char               bits[UNITS_ROOM];

        if (s->hello.test == TEST_RR)
                printf("Flow %d is over: %" PRIu64 " requests.\n", s->fd, s->in.messages);
        else
                printf("Flow %d is over: %" PRIu64 " messages arrived, %s/s.\n", s->fd, s->in.messages,
                       units_put(bits, tally_per_s(&t) * 8 * s->hello.size, "bit"));
}

void serve(int fd, struct serve_buf *buf, bool quiet)
{
        struct session s = {.fd = fd, .buf = buf};
        ssize_t        n;

        if (!prepare(&s) || !begin(&s, quiet))
                return;
        do
                n = flow_read(fd, buf->p, buf->len);
        while (n > 0 && on_message(&s, (size_t)n));
        stop_sending(&s);
        if (!quiet && s.hello.test != TEST_CRR)
                say_result(&s);
}
