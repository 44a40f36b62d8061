#include "operf/stream.h"

#include <errno.h>
#include <stdlib.h>

#include <ouroboros/dev.h>

#include "common/stop.h"
#include "operf/pause.h"
#include "operf/rate.h"

#define STACK (256u * 1024)

/* Sends one, or finds no room for it. False: that is the end. */
static bool send_one(struct stream *s, int64_t now_ns)
{
        const uint64_t    sent = atomic_load_explicit(&s->sent, memory_order_relaxed);
        const struct data d    = {.number = sent, .time_ns = now_ns};
        ssize_t           n;

        message_put_data(s->buf, s->hello.test, &d);
        n = flow_write(s->fd, s->buf, s->hello.size);
        if (n >= 0)
                atomic_store_explicit(&s->sent, sent + 1, memory_order_relaxed);
        else if (n != -ETIMEDOUT && n != -EAGAIN)
                s->error = (int)n;
        return s->error == 0;
}

static bool is_wanted(struct stream *s)
{
        return !stop_asked() && !atomic_load_explicit(&s->halt, memory_order_relaxed);
}

static void *run(void *arg)
{
        struct stream *s        = arg;
        const int64_t  start_ns = clock_now_ns(), end_ns = start_ns + s->hello.duration_ns;
        int64_t        now_ns = start_ns;

        while (now_ns < end_ns && is_wanted(s)) {
                int64_t due_ns = now_ns;

                if (s->hello.rate > 0)
                        due_ns = start_ns + rate_due_ns(s->hello.rate, atomic_load(&s->sent));
                if (now_ns < due_ns)
                        now_ns = pause_until(due_ns < end_ns ? due_ns : end_ns);
                else if (send_one(s, now_ns))
                        now_ns = clock_now_ns();
                else
                        break;
        }
        atomic_store(&s->ended, true);
        return NULL;
}

int stream_start(struct stream *s, int fd, const struct hello *h)
{
        pthread_attr_t attr;
        int            err;

        s->fd    = fd;
        s->hello = *h;
        s->buf   = calloc(1, h->size > MESSAGE_ROOM ? h->size : MESSAGE_ROOM);
        if (s->buf == NULL)
                return -ENOMEM;
        err = pthread_attr_init(&attr);
        if (err == 0) {
                pthread_attr_setstacksize(&attr, STACK);
                err = pthread_create(&s->thread, &attr, run, s);
                pthread_attr_destroy(&attr);
        }
        if (err != 0)
                free(s->buf);
        return -err;
}

uint64_t stream_stop(struct stream *s)
{
        atomic_store(&s->halt, true);
        pthread_join(s->thread, NULL);
        free(s->buf);
        return atomic_load(&s->sent);
}
