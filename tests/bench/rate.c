#include "rate.h"

#include <stdalign.h>
#include <stdio.h>

#include "base/clock.h"

#include "contest.h"

#define PER_LOOK 64 /* messages between two looks at the clock */

static bool send_some(const struct lane *l, size_t size)
{
        static alignas(64) uint8_t data[MESSAGE_MAX] = {MSG_DATA};

        for (int i = 0; i < PER_LOOK; i++) {
                ssize_t r = l->transport->send(l->fd, data, size);

                if (r < 0)
                        return lane_failed(l, "send", (int)r);
        }
        return true;
}

/* Asks the receiver, behind everything that was sent, how much of it came. */
static bool ask_count(const struct lane *l, uint64_t *n)
{
        struct message m = {.kind = MSG_COUNT};
        ssize_t        r = l->transport->send(l->fd, &m, sizeof(m));

        if (r < 0)
                return lane_failed(l, "send", (int)r);
        r  = l->transport->recv(l->fd, &m, sizeof(m));
        *n = m.count;
        return r == sizeof(m) || lane_failed(l, "receive", (int)r);
}

static bool slice_rate(struct lane *l, const struct options *o, struct slice *s)
{
        int64_t  start = clock_now_ns();
        uint64_t sent  = 0;

        for (; clock_now_ns() - start < o->slice_ns; sent += PER_LOOK) {
                if (!send_some(l, o->size))
                        return false;
        }
        if (!ask_count(l, &s->ops))
                return false;
        s->figure = (double)s->ops / ((double)(clock_now_ns() - start) / NS_PER_S);
        s->failed = sent - s->ops;
        return true;
}

int rate_run(const struct options *o)
{
        struct contest c = {
                .bench     = "rate",
                .unit      = "msg/s",
                .role      = "answer",
                .n_threads = 1,
                .connected = true,
                .slice     = slice_rate,
        };

        snprintf(c.title, sizeof(c.title), "one way %zu B", o->size);
        return contest_run(&c, o);
}
