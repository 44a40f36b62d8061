/* client.c - a run of one test: the flow, the greeting, the test, the report. */
#include "operf/client.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <ouroboros/dev.h>
#include <ouroboros/errno.h>

#include "common/open.h"
#include "common/stop.h"
#include "operf/pause.h"

#define GREETING_NS (5 * NS_PER_S)    /* how long a server may take to be ready  */
#define REPEAT_NS   (300 * NS_PER_MS) /* until the greeting is said again        */
#define RX_MIN      2048u

struct hello client_hello(const struct client *c)
{
        return (struct hello){.test        = c->o->test,
                              .size        = (uint32_t)c->o->size,
                              .rate        = c->o->rate,
                              .duration_ns = c->o->duration_ns};
}

/* -- the flow -------------------------------------------------------------- */

void client_over(struct client *c, const char *why)
{
        if (c->result.error == NULL)
                c->result.error = why;
}

int client_write(struct client *c, const void *buf, size_t len)
{
        const int64_t limit_ns = clock_now_ns() + CLIENT_LOST_NS;
        ssize_t       n;

        do
                n = flow_write(c->fd, buf, len);
        while (n == -ETIMEDOUT && !stop_asked() && clock_now_ns() < limit_ns);
        if (n >= 0 || n == -ETIMEDOUT)
                return n < 0 ? -ETIMEDOUT : 0;
        client_over(c, o7s_strerror((int)n));
        return -1;
}

ssize_t client_read(struct client *c)
{
        ssize_t n = flow_read(c->fd, c->rx, c->rx_cap);

        if (n > 0)
                return n;
        if (n == -ETIMEDOUT)
                return 0;
        client_over(c, n == 0 ? "the server has ended the flow" : o7s_strerror((int)n));
        return -1;
}

/* 0 or -errno. */
static int prepare(struct client *c)
{
        const struct timespec slice = clock_timespec(SLICE_NS);
        int                   ret   = fccntl(c->fd, FLOWSRCVTIMEO, &slice);

        if (ret == 0)
                ret = fccntl(c->fd, FLOWSSNDTIMEO, &slice);
        if (ret == 0)
                ret = fccntl(c->fd, FLOWGINFO, &c->result.flow);
        return ret < 0 ? ret : fccntl(c->fd, FLOWGPEER, &c->result.peer);
}

/* -- the greeting ---------------------------------------------------------- */

/* Says HELLO until the server is READY. False: it is not, or the test is not to be. */
static bool greet(struct client *c)
{
        const struct hello hello = client_hello(c);
        uint8_t            msg[MESSAGE_ROOM];
        const size_t       len    = message_put_hello(msg, &hello);
        int64_t            now_ns = clock_now_ns(), due_ns = now_ns;
        const int64_t      limit_ns = now_ns + GREETING_NS;
        ssize_t            n        = 0;

        while (n >= 0 && now_ns < limit_ns && !stop_asked()) {
                if (now_ns >= due_ns) {
                        if (client_write(c, msg, len) == -1)
                                return false;
                        due_ns = now_ns + REPEAT_NS;
                }
                n      = client_read(c);
                now_ns = clock_now_ns();
                if (n > 0 && message_kind(c->rx, (size_t)n, hello.test) == MESSAGE_READY)
                        return true;
        }
        client_over(c, stop_asked() ? "interrupted"
                                    : "the server does not answer; is it an operf of this version?");
        return false;
}

static bool fits(struct client *c)
{
        if (c->result.flow.max_message >= c->o->size)
                return true;
        client_over(c, o7s_strerror(-EMSGSIZE));
        fprintf(stderr, "operf: the flow takes messages of up to %" PRIu32 " bytes\n",
                c->result.flow.max_message);
        return false;
}

/* -- a run ----------------------------------------------------------------- */

static void announce(const struct client *c)
{
        if (c->o->json)
                return;
        printf("Measuring %s with %zu byte messages:\n", c->o->name, c->o->size);
        if (c->fd >= 0)
                open_say_peer(c->fd);
}

static void run_test(struct client *c, void (*test)(struct client *))
{
        const bool streams  = c->o->test == TEST_UNI || c->o->test == TEST_BI;
        int64_t    start_ns = clock_now_ns();

        progress_start(&c->progress, !c->o->quiet, streams ? c->o->size : 0, start_ns);
        test(c);
        progress_end(&c->progress);
        c->result.time_ns = clock_now_ns() - start_ns;
}

/* Has a flow for the whole test. */
static void run_on_flow(struct client *c, void (*test)(struct client *))
{
        int ret = c->fd = open_flow(c->o->name, c->o->qos->spec, c->stop_fd);

        if (ret >= 0)
                ret = prepare(c);
        if (ret < 0)
                client_over(c, o7s_strerror(ret));
        else if (fits(c) && greet(c)) {
                announce(c);
                run_test(c, test);
        }
        if (c->fd >= 0)
                flow_dealloc(c->fd);
}

static void run(struct client *c)
{
        switch (c->o->test) {
        case TEST_UNI:
        case TEST_BI: run_on_flow(c, client_stream); break;
        case TEST_RR: run_on_flow(c, client_rr); break;
        default:
                announce(c);
                run_test(c, client_crr);
                break;
        }
}

static bool show(const struct client *c)
{
        const struct result *r = &c->result;

        if (r->error != NULL)
                fprintf(stderr, "operf: %s: %s\n", c->o->name, r->error);
        if (c->o->json)
                return report_json(r, c->o);
        return r->time_ns == 0 || report_text(r, c->o); /* nothing was measured */
}

int client_run(const struct options *o, int stop_fd)
{
        struct client c  = {.o = o, .stop_fd = stop_fd, .fd = -1};
        bool          ok = false;

        pause_prepare();
        c.rx_cap = o->size > RX_MIN ? o->size : RX_MIN;
        c.tx     = calloc(1, o->size > MESSAGE_ROOM ? o->size : MESSAGE_ROOM);
        c.rx     = malloc(c.rx_cap);
        if (c.tx == NULL || c.rx == NULL || !histogram_init(&c.result.latency)) {
                fprintf(stderr, "operf: %s\n", o7s_strerror(-ENOMEM));
        } else {
                run(&c);
                ok = show(&c) && report_is_good(&c.result, o->test);
        }
        histogram_done(&c.result.latency);
        free(c.tx);
        free(c.rx);
        return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
