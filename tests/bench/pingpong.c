#include "pingpong.h"

#include <stdalign.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#include "contest.h"

#define PER_LOOK 16     /* exchanges between two looks at the clock */
#define TIMES    100000 /* at most that many are kept of a slice    */

struct frame {
        alignas(64) union {
                struct message m;
                uint8_t        bytes[MESSAGE_MAX];
        };
};

static struct frame frame;

static bool exchange(const struct lane *l, size_t size)
{
        ssize_t r = l->transport->send(l->fd, &frame, size);

        if (r < 0)
                return lane_failed(l, "send", (int)r);
        r = l->transport->recv(l->fd, &frame, sizeof(frame));
        return r > 0 || lane_failed(l, "receive", (int)r);
}

static bool slice_busy(struct lane *l, const struct options *o, struct slice *s)
{
        int64_t start = clock_now_ns();
        int64_t now   = start;

        frame.m = (struct message){.kind = MSG_ECHO};
        while (now - start < o->slice_ns) {
                for (int i = 0; i < PER_LOOK; i++) {
                        if (!exchange(l, o->size))
                                return false;
                }
                s->ops += PER_LOOK;
                now = clock_now_ns();
        }
        s->figure = (double)(now - start) / (double)s->ops / NS_PER_US;
        return true;
}

static void think(const struct options *o)
{
        struct timespec pause = clock_timespec(o->think_ns);

        clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
}

/* One question and answer after a pause: how long it took. */
static int64_t paced_ns(struct lane *l, const struct options *o)
{
        int64_t start;

        frame.m.kind = MSG_ECHO;
        think(o);
        start = clock_now_ns();
        return exchange(l, o->size) ? clock_now_ns() - start : -1;
}

static int64_t asleep_ns(struct lane *l, const struct options *o)
{
        think(o);
        frame.m = (struct message){.kind = MSG_STAMP, .sent_ns = clock_now_ns(), .think_ns = o->think_ns};
        return exchange(l, o->size) ? frame.m.delay_ns + clock_now_ns() - frame.m.sent_ns : -1;
}

/* Median of single times: a pause that was cut short or long by somebody else's work does not count. */
static bool slice_of(struct lane *l, const struct options *o, struct slice *s,
                     int64_t (*once_ns)(struct lane *, const struct options *))
{
        static double us[TIMES];
        int64_t       end = clock_now_ns() + o->slice_ns;

        while (s->ops < TIMES && clock_now_ns() < end) {
                int64_t ns = once_ns(l, o);

                if (ns < 0)
                        return false;
                us[s->ops++] = (double)ns / NS_PER_US;
        }
        s->figure = stats_quantile(us, s->ops, 0.5);
        return true;
}

static bool slice_paced(struct lane *l, const struct options *o, struct slice *s)
{
        return slice_of(l, o, s, paced_ns);
}

static bool slice_asleep(struct lane *l, const struct options *o, struct slice *s)
{
        return slice_of(l, o, s, asleep_ns);
}

static const struct {
        const char *name;
        bool (*slice)(struct lane *l, const struct options *o, struct slice *s);
} regimes[] = {{"busy", slice_busy}, {"paced", slice_paced}, {"asleep", slice_asleep}};

int pingpong_run(const struct options *o)
{
        struct contest c = {
                .bench        = "pingpong",
                .unit         = "us",
                .smaller_wins = true,
                .role         = "answer",
                .n_threads    = 1,
                .connected    = true,
        };

        for (size_t i = 0; i < sizeof(regimes) / sizeof(regimes[0]); i++) {
                if (strcmp(regimes[i].name, o->regime) == 0)
                        c.slice = regimes[i].slice;
        }
        if (c.slice == NULL) {
                fprintf(stderr, "o7s_bench: no regime \"%s\": busy, paced or asleep\n", o->regime);
                return 2;
        }
        snprintf(c.title, sizeof(c.title), "ping-pong %zu B %s", o->size, o->regime);
        return contest_run(&c, o);
}
