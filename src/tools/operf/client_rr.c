/*
 * client_rr.c - a message there and back, one at a time; and a flow for each.
 *
 * With a rate, each request has a time at which it is to begin. When an answer takes longer than that, the
 * next ones begin late; they are measured from the time at which they should have begun, since that is what
 * somebody who comes by then has to wait. Otherwise a server that stops for a second would spoil one
 * measurement only instead of all that belong into that second ("coordinated omission").
 */
#include "operf/client.h"

#include <errno.h>
#include <string.h>

#include <ouroboros/dev.h>
#include <ouroboros/errno.h>

#include "common/open.h"
#include "common/stop.h"
#include "operf/pause.h"
#include "operf/rate.h"

#define FAILURES_MAX 10 /* in a row: it is of no use to go on */

/*
 * Waits for the time of request @i and gives it. False: the test is over. Without a rate it is now.
 */
static bool await(struct client *c, int64_t start_ns, uint64_t i, int64_t *due_ns)
{
        const int64_t end_ns = start_ns + c->o->duration_ns;
        int64_t       now_ns = clock_now_ns();

        progress_show(&c->progress, now_ns, c->result.answered);
        *due_ns = c->o->rate == 0 ? now_ns : start_ns + rate_due_ns(c->o->rate, i);
        if (*due_ns >= end_ns)
                *due_ns = end_ns;
        while (now_ns < *due_ns && !stop_asked()) {
                now_ns = pause_exactly_until(*due_ns);
                progress_show(&c->progress, now_ns, c->result.answered);
        }
        return now_ns < end_ns && !stop_asked();
}

static void enter(struct client *c, int64_t due_ns)
{
        c->result.answered++;
        histogram_add(&c->result.latency, clock_now_ns() - due_ns);
}

/* -- rr -------------------------------------------------------------------- */

/* Whether the answer to request @i comes in time. Answers to earlier ones are passed over. */
static bool is_answered(struct client *c, uint64_t i)
{
        const int64_t limit_ns = clock_now_ns() + CLIENT_LOST_NS;
        struct data   d;
        ssize_t       n;

        do {
                n = client_read(c);
                if (n > 0 && (size_t)n == c->o->size && message_get_data(c->rx, (size_t)n, TEST_RR, &d) &&
                    d.number == i)
                        return true;
        } while (n >= 0 && !stop_asked() && clock_now_ns() < limit_ns);
        return false;
}

void client_rr(struct client *c)
{
        const int64_t start_ns = clock_now_ns();
        int64_t       due_ns;

        for (uint64_t i = 0; c->result.error == NULL && await(c, start_ns, i, &due_ns); i++) {
                message_put_data(c->tx, TEST_RR, &(struct data){.number = i, .time_ns = due_ns});
                if (client_write(c, c->tx, c->o->size) < 0)
                        continue;
                c->result.sent++;
                if (is_answered(c, i))
                        enter(c, due_ns);
        }
}

/* -- crr ------------------------------------------------------------------- */

/* Sends the request and waits for the same to come back. 0 or -errno. */
static int exchange(struct client *c, int fd)
{
        const struct timespec lost = clock_timespec(CLIENT_LOST_NS);
        ssize_t               n;

        fccntl(fd, FLOWSRCVTIMEO, &lost);
        fccntl(fd, FLOWSSNDTIMEO, &lost);
        n = flow_write(fd, c->tx, c->o->size);
        if (n >= 0)
                n = flow_read(fd, c->rx, c->rx_cap);
        if (n < 0)
                return (int)n;
        return (size_t)n == c->o->size && memcmp(c->tx, c->rx, (size_t)n) == 0 ? 0 : -EPROTO;
}

/* One flow from its allocation to its end. 0 or -errno. */
static int cycle(struct client *c)
{
        int ret, fd = open_flow(c->o->name, c->o->qos->spec, c->stop_fd);

        if (fd < 0)
                return fd;
        if (c->result.answered == 0) {
                fccntl(fd, FLOWGPEER, &c->result.peer);
                fccntl(fd, FLOWGINFO, &c->result.flow);
        }
        ret = exchange(c, fd);
        flow_dealloc(fd);
        return ret;
}

void client_crr(struct client *c)
{
        const struct hello hello    = client_hello(c);
        const int64_t      start_ns = clock_now_ns();
        unsigned int       failures = 0;
        int64_t            due_ns;

        message_put_hello(c->tx, &hello);
        for (uint64_t i = 0; c->result.error == NULL && await(c, start_ns, i, &due_ns); i++) {
                int ret = cycle(c);

                c->result.sent += ret != -EINTR;
                failures = ret == 0 || ret == -EINTR ? 0 : failures + 1;
                if (ret == 0)
                        enter(c, due_ns);
                else if (failures == FAILURES_MAX || c->result.answered == 0)
                        client_over(c, o7s_strerror(ret));
        }
}
