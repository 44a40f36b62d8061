/* client_stream.c - uni and bi: DATA to the server on a thread, and whatever comes from it on this one. */
#include "operf/client.h"

#include <errno.h>
#include <string.h>

#include <ouroboros/errno.h>

#include "common/stop.h"
#include "operf/stream.h"

#define ASK_NS    (200 * NS_PER_MS) /* until DONE is said again                     */
#define SETTLE_NS (5 * NS_PER_S)    /* how long the server may take to answer it    */

struct run {
        struct client *c;
        struct stream  out;
        struct count   in;
        struct tally   answer;  /* the latest COUNT                                  */
        unsigned int   answers; /* how many                                          */
        bool           settled; /* nothing is missing, or no more of it is coming    */
};

/* Twice the same is the end: what is missing then was lost. */
static void on_count(struct run *r, const struct tally *t, uint64_t sent)
{
        r->settled = t->messages >= sent || (r->answers > 0 && t->messages == r->answer.messages);
        r->answer  = *t;
        r->answers++;
}

/* Reads one message. False: the flow is over. */
static bool receive(struct run *r, uint64_t sent)
{
        struct client  *c = r->c;
        const enum test t = c->o->test;
        const ssize_t   n = client_read(c);
        struct data     d;
        struct tally    count;

        if (n <= 0)
                return n == 0;
        if ((size_t)n == c->o->size && message_get_data(c->rx, (size_t)n, t, &d))
                count_enter(&r->in, d.number, clock_now_ns());
        else if (message_get_count(c->rx, (size_t)n, t, &count))
                on_count(r, &count, sent);
        return true;
}

/* While the stream runs. What is shown is what was sent, or in bi what comes. */
static void watch(struct run *r)
{
        struct client *c = r->c;

        while (!atomic_load(&r->out.ended) && receive(r, UINT64_MAX))
                progress_show(&c->progress, clock_now_ns(),
                              c->o->test == TEST_BI ? r->in.messages : atomic_load(&r->out.sent));
}

/* Asks the server what arrived, again and again where an answer may be lost or things are still coming. */
static void settle(struct run *r, uint64_t sent)
{
        struct client *c = r->c;
        uint8_t        msg[MESSAGE_ROOM];
        const size_t   len    = message_put_bare(msg, c->o->test, MESSAGE_DONE);
        int64_t        now_ns = clock_now_ns(), due_ns = now_ns;
        const int64_t  limit_ns = now_ns + SETTLE_NS;

        r->answers = 0; /* none was asked for before */
        r->settled = false;
        while (!r->settled && now_ns < limit_ns) {
                if (now_ns >= due_ns) {
                        if (client_write(c, msg, len) == -1)
                                return;
                        due_ns = clock_now_ns() + ASK_NS;
                }
                if (!receive(r, sent))
                        return;
                now_ns = clock_now_ns();
        }
        if (r->answers == 0)
                client_over(c, "the server does not say what arrived");
}

static void conclude(struct run *r, uint64_t sent)
{
        struct result *result = &r->c->result;

        if (r->answers > 0 && r->answer.messages > sent) {
                client_over(r->c, "the server says that more arrived than was sent");
                r->answers = 0;
        }
        result->up         = (struct way){.known = r->answers > 0, .at = r->answer};
        result->up.at.sent = sent;
        result->down       = (struct way){.known = r->answers > 0, .at = count_tally(&r->in, r->answer.sent)};
}

void client_stream(struct client *c)
{
        struct run         r     = {.c = c};
        const struct hello hello = client_hello(c);
        const int          ret   = stream_start(&r.out, c->fd, &hello);
        uint64_t           sent;

        if (ret < 0) {
                client_over(c, o7s_strerror(ret));
                return;
        }
        watch(&r);
        sent = stream_stop(&r.out);
        if (r.out.error < 0)
                client_over(c, o7s_strerror(r.out.error));
        else if (c->result.error == NULL)
                settle(&r, sent);
        conclude(&r, sent);
}
