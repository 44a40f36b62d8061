#include "oping/oping.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

#include <ouroboros/dev.h>
#include <ouroboros/errno.h>
#include <ouroboros/fccntl.h>

#include "common/clock.h"
#include "common/open.h"
#include "common/stop.h"
#include "oping/message.h"
#include "oping/stats.h"

#define LINGER_NS (2 * NS_PER_S)  /* how long the last replies are waited for              */
#define LOST_NS   (1 * NS_PER_S)  /* a flood goes on after that                            */
#define FULL_NS   (1 * NS_PER_MS) /* until the next try when the flow takes no more       */
#define SPINS     1024            /* reads between two looks at the clock                  */
#define RX_MIN    2048u

struct client {
        const struct options *o;
        int                   fd, stop_fd;
        uint8_t              *tx, *rx;
        size_t                rx_cap;
        int64_t               start_ns, last_ns; /* of the first and the last ping */
        bool                  over;              /* the flow is                    */
        struct stats          stats;
};

/* -- one ping -------------------------------------------------------------- */

static bool more(const struct client *c, int64_t now_ns)
{
        return c->stats.sent < c->o->count && now_ns - c->start_ns < c->o->duration_ns;
}

static void over(struct client *c, const char *why)
{
        printf("The flow to %s is over: %s.\n", c->o->name, why);
        c->over = true;
}

/* Sends the next one. False: not now. */
static bool ping(struct client *c, int64_t now_ns)
{
        struct message m = {.seq = c->stats.sent, .sent_ns = now_ns};
        ssize_t        n;

        message_put(c->tx, &m);
        n = flow_write(c->fd, c->tx, c->o->size);
        if (n < 0 && n != -EAGAIN)
                over(c, o7s_strerror((int)n));
        if (n < 0)
                return false;
        stats_sent(&c->stats);
        c->last_ns = now_ns;
        return true;
}

static void print_stamp(void)
{
        struct timeval tv;

        gettimeofday(&tv, NULL);
        printf("[%lld.%06ld] ", (long long)tv.tv_sec, (long)tv.tv_usec);
}

static void print_reply(const struct client *c, size_t len, const struct message *m, int64_t rtt_ns,
                        enum order_place how)
{
        static const char *const remarks[] = {
                [ORDER_FORWARD] = "",
                [ORDER_LATE]    = " (out of order)",
                [ORDER_TWICE]   = " (duplicate)",
        };

        if (c->o->quiet || c->o->client != CLIENT_PACED)
                return;
        if (c->o->stamps)
                print_stamp();
        printf("%zu bytes from %s: seq=%" PRIu64 " time=%.3f ms%s\n", len, c->o->name, m->seq,
               (double)rtt_ns / NS_PER_MS, remarks[how]);
}

/* The server may send what it likes: only what was sent to it is a reply. */
static void on_message(struct client *c, size_t len)
{
        int64_t        now_ns = clock_now_ns();
        struct message m;

        if (len == c->o->size && message_get(c->rx, len, &m) && m.seq < c->stats.sent &&
            m.sent_ns >= c->start_ns && m.sent_ns <= now_ns)
                print_reply(c, len, &m, now_ns - m.sent_ns,
                            stats_received(&c->stats, m.seq, now_ns - m.sent_ns));
        else if (!c->o->quiet)
                printf("%zu bytes from %s: no reply to a ping\n", len, c->o->name);
}

/* Reads one message, waiting as the flow's flags and timeout have it. False: there is none. */
static bool receive(struct client *c)
{
        ssize_t n = flow_read(c->fd, c->rx, c->rx_cap);

        if (n > 0)
                on_message(c, (size_t)n);
        else if (n == 0)
                over(c, "the server has ended it");
        else if (n != -EAGAIN && n != -ETIMEDOUT)
                over(c, o7s_strerror((int)n));
        return n > 0;
}

/* -- pace: one every interval ---------------------------------------------- */

static void wait_until(const struct client *c, int64_t due_ns)
{
        struct pollfd   p[]  = {{.fd = c->fd, .events = POLLIN}, {.fd = c->stop_fd, .events = POLLIN}};
        struct timespec left = clock_timespec(due_ns - clock_now_ns());

        ppoll(p, 2, &left, NULL);
}

static void run_paced(struct client *c)
{
        int64_t now_ns = c->start_ns, due_ns = c->start_ns;

        while (!stop_asked() && !c->over) {
                if (!more(c, now_ns)) {
                        due_ns = c->last_ns + LINGER_NS;
                        if (c->stats.received >= c->stats.sent || now_ns >= due_ns)
                                return;
                } else if (now_ns >= due_ns) {
                        due_ns = ping(c, now_ns) ? due_ns + c->o->interval_ns : now_ns + FULL_NS;
                        if (due_ns < now_ns) /* late: the lost time is not made up for */
                                due_ns = now_ns;
                }
                wait_until(c, due_ns);
                while (!c->over && receive(c))
                        ;
                now_ns = clock_now_ns();
        }
}

/* -- floods: one after the other ------------------------------------------- */

static bool answered(const struct client *c)
{
        return c->stats.order.next == c->stats.sent;
}

/* Waits for the reply to the last ping. Returns the time. */
static int64_t await_sleeping(struct client *c)
{
        while (!answered(c) && !c->over && !stop_asked() && receive(c))
                ;
        return clock_now_ns();
}

static int64_t await_spinning(struct client *c)
{
        int64_t now_ns;

        for (;;) {
                for (int i = 0; i < SPINS && !answered(c) && !c->over; i++)
                        receive(c);
                now_ns = clock_now_ns();
                if (answered(c) || c->over || stop_asked() || now_ns - c->last_ns >= LOST_NS)
                        return now_ns;
                sched_yield(); /* where there is one core, the server needs it */
        }
}

static void run_flood(struct client *c)
{
        const struct timespec full   = clock_timespec(FULL_NS);
        int64_t               now_ns = c->start_ns;

        while (!stop_asked() && !c->over && more(c, now_ns)) {
                if (ping(c, now_ns)) {
                        now_ns = c->o->client == CLIENT_SPIN ? await_spinning(c) : await_sleeping(c);
                } else {
                        nanosleep(&full, NULL);
                        now_ns = clock_now_ns();
                }
        }
}

/* -- a run ----------------------------------------------------------------- */

/* Sets the flow up for the way of waiting, and sees whether the pings fit. */
static int prepare(struct client *c)
{
        const bool            sleeps = c->o->client == CLIENT_FLOOD;
        const struct timespec lost   = clock_timespec(LOST_NS);
        struct flow_info      info;
        int                   ret;

        ret = fccntl(c->fd, FLOWSFLAGS,
                     (uint32_t)(FLOWFDEFAULT | FLOWFWNOBLOCK | (sleeps ? 0 : FLOWFRNOBLOCK)));
        if (ret == 0 && sleeps)
                ret = fccntl(c->fd, FLOWSRCVTIMEO, &lost);
        if (ret == 0)
                ret = fccntl(c->fd, FLOWGINFO, &info);
        if (ret < 0)
                fprintf(stderr, "oping: cannot set up the flow: %s\n", o7s_strerror(ret));
        if (ret == 0 && info.max_message < c->o->size) {
                fprintf(stderr, "oping: the flow takes messages of up to %" PRIu32 " bytes\n",
                        info.max_message);
                ret = -EMSGSIZE;
        }
        return ret;
}

static void print_summary(const struct client *c, int64_t end_ns)
{
        const struct stats *s  = &c->stats;
        const double        ms = NS_PER_MS;

        printf("\n--- %s ping statistics ---\n", c->o->name);
        printf("%" PRIu64 " packets transmitted, %" PRIu64 " received, %" PRIu64 " out-of-order, ", s->sent,
               s->received, s->out_of_order);
        if (s->duplicates > 0)
                printf("%" PRIu64 " duplicates, ", s->duplicates);
        printf("%.4g%% packet loss, time: %.3f ms\n", stats_loss(s), (double)(end_ns - c->start_ns) / ms);
        if (s->received > 0)
                printf("rtt min/avg/max/mdev = %.3f/%.3f/%.3f/%.3f ms\n", (double)s->min_ns / ms,
                       s->mean_ns / ms, (double)s->max_ns / ms, stats_mdev_ns(s) / ms);
}

static int run(struct client *c)
{
        int ret = prepare(c);

        if (ret < 0)
                return ret;
        printf("Pinging %s with %zu byte packets:\n", c->o->name, c->o->size);
        open_say_peer(c->fd);
        if (!c->o->quiet && c->o->client == CLIENT_PACED)
                putchar('\n');
        c->start_ns = c->last_ns = clock_now_ns();
        if (c->o->client == CLIENT_PACED)
                run_paced(c);
        else
                run_flood(c);
        print_summary(c, clock_now_ns());
        return 0;
}

int client_run(const struct options *o, int stop_fd)
{
        struct client c = {.o = o, .stop_fd = stop_fd};
        int           ret;

        c.rx_cap = o->size > RX_MIN ? o->size : RX_MIN;
        c.tx     = calloc(1, o->size);
        c.rx     = malloc(c.rx_cap);
        ret = c.fd = c.tx != NULL && c.rx != NULL ? open_flow(o->name, o->qos, stop_fd) : -ENOMEM;
        if (ret < 0) {
                fprintf(stderr, "oping: cannot allocate a flow to '%s': %s\n", o->name, o7s_strerror(ret));
        } else {
                ret = run(&c);
                flow_dealloc(c.fd);
        }
        free(c.tx);
        free(c.rx);
        return ret == 0 && c.stats.received > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
