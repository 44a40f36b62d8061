/*
 * The server sends every message back where it came from, to any number of clients, on one thread: it waits
 * for new flows and for messages in one poll(), since both have a descriptor.
 *
 * No client can hold up another: reads and writes never block, a client has its turn for a few messages at a
 * time, and replies that a client does not take are dropped.
 */
#include "oping/oping.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include <ouroboros/dev.h>
#include <ouroboros/errno.h>
#include <ouroboros/fccntl.h>
#include <ouroboros/fqueue.h>

#include "common/clock.h"
#include "common/stop.h"

#define TURN     64     /* messages that one client has in a turn                       */
#define TURNS    64     /* between two looks at new flows, while spinning               */
#define PAUSE_MS 1000   /* in accepting, where that fails                               */
#define BUF_MIN  65536u /* longer messages go back in parts                             */
#define BUF_MAX  (1u << 20)

struct server {
        const struct options *o;
        int                   stop_fd, accept_fd; /* negative: not accepting now */
        int64_t               resume_ns;          /* when to try again           */
        fset_t               *set;
        fqueue_t             *queue;
        int                  *fds; /* all flows, in no order */
        size_t                n, cap;
        uint8_t              *buf;
        size_t                buf_len;
};

/* -- flows ----------------------------------------------------------------- */

static void end_flow(struct server *s, int fd)
{
        for (size_t i = 0; i < s->n; i++) {
                if (s->fds[i] == fd) {
                        s->fds[i] = s->fds[--s->n];
                        break;
                }
        }
        flow_dealloc(fd);
        if (!s->o->quiet)
                printf("Flow %d is over.\n", fd);
}

/* Makes room for one more flow, and for its longest message. */
static bool make_room(struct server *s, size_t message)
{
        if (s->n == s->cap) {
                size_t cap = s->cap > 0 ? 2 * s->cap : 64;
                int   *fds = reallocarray(s->fds, cap, sizeof(*fds));

                if (fds == NULL)
                        return false;
                s->fds = fds;
                s->cap = cap;
        }
        if (message > BUF_MAX)
                message = BUF_MAX;
        if (message > s->buf_len) {
                uint8_t *buf = realloc(s->buf, message);

                if (buf == NULL)
                        return false;
                s->buf     = buf;
                s->buf_len = message;
        }
        return true;
}

static bool take_flow(struct server *s, int fd)
{
        struct flow_info info;

        if (fccntl(fd, FLOWGINFO, &info) < 0 || !make_room(s, info.max_message))
                return false;
        if (fccntl(fd, FLOWSFLAGS, (uint32_t)(FLOWFDEFAULT | FLOWFNONBLOCK)) < 0)
                return false;
        if (s->o->server != SERVER_BUSY && fset_add(s->set, fd) < 0)
                return false;
        s->fds[s->n++] = fd;
        if (!s->o->quiet)
                printf("New flow %d.\n", fd);
        return true;
}

/*
 * Takes all flows that have come. Where the daemon is gone, or descriptors or memory have run out, accepting
 * pauses: the flows that there are matter more.
 */
static void accept_flows(struct server *s)
{
        const struct timespec at_once = {0, 0};
        int                   fd;

        while ((fd = flow_accept(NULL, &at_once)) >= 0)
                if (!take_flow(s, fd))
                        flow_dealloc(fd);
        if (fd == -EAGAIN || fd == -ETIMEDOUT)
                return;
        fprintf(stderr, "oping: cannot accept flows for now: %s\n", o7s_strerror(fd));
        s->accept_fd = -1;
        s->resume_ns = clock_now_ns() + PAUSE_MS * NS_PER_MS;
}

static void resume(struct server *s)
{
        s->accept_fd = flow_accept_fd(); /* negative while that cannot be */
        s->resume_ns = clock_now_ns() + PAUSE_MS * NS_PER_MS;
}

/* Sends back what has come. Returns whether there was something. */
static bool echo(struct server *s, int fd)
{
        ssize_t n = 0, written = 0;
        int     i;

        for (i = 0; i < TURN && written >= 0; i++) {
                n = flow_read(fd, s->buf, s->buf_len);
                if (n <= 0)
                        break;
                written = flow_write(fd, s->buf, (size_t)n);
                if (written == -EAGAIN)
                        written = 0;
        }
        if (written < 0 || n == 0 || (n < 0 && n != -EAGAIN))
                end_flow(s, fd);
        return i > 0;
}

/* -- ways of waiting ------------------------------------------------------- */

/*
 * Looks for new flows, and with @sleep waits for them, for messages, or for the end of the program.
 */
static void watch(struct server *s, bool sleep)
{
        struct pollfd p[] = {
                {.fd = s->accept_fd, .events = POLLIN},
                {.fd = s->stop_fd, .events = POLLIN},
                {.fd = sleep ? fset_fd(s->set) : -1, .events = POLLIN},
        };
        const bool paused = s->accept_fd < 0;

        if (!sleep)
                sched_yield(); /* where cores are few, the clients need this one */
        if (poll(p, 3, !sleep ? 0 : paused ? PAUSE_MS : -1) < 0)
                return;
        if (p[0].revents != 0)
                accept_flows(s);
        else if (paused && clock_now_ns() >= s->resume_ns)
                resume(s);
}

/* Serves the flows of which the set says that they have something. */
static void serve_events(struct server *s)
{
        const struct timespec at_once = {0, 0};
        int                   fd;

        if (fevent(s->set, s->queue, &at_once) <= 0)
                return;
        while ((fd = fqueue_next(s->queue)) >= 0)
                echo(s, fd);
}

static void serve_all(struct server *s)
{
        for (size_t i = s->n; i > 0; i--)
                echo(s, s->fds[i - 1]);
}

static void serve(struct server *s)
{
        unsigned int turn = 0;

        while (!stop_asked()) {
                const bool sleep = s->o->server == SERVER_SLEEP || s->n == 0;

                if (sleep || turn++ % TURNS == 0)
                        watch(s, sleep);
                if (s->o->server == SERVER_BUSY)
                        serve_all(s);
                else
                        serve_events(s);
        }
}

int server_run(const struct options *o, int stop_fd)
{
        struct server s = {.o = o, .stop_fd = stop_fd, .buf_len = BUF_MIN};
        int           ret;

        s.set       = fset_create();
        s.queue     = fqueue_create();
        s.buf       = malloc(s.buf_len);
        ret         = s.set != NULL && s.queue != NULL && s.buf != NULL ? flow_accept_fd() : -ENOMEM;
        s.accept_fd = ret;
        if (ret >= 0) {
                puts("Server listening.");
                serve(&s);
        } else {
                fprintf(stderr, "oping: cannot accept flows: %s\n", o7s_strerror(ret));
        }
        while (s.n > 0)
                end_flow(&s, s.fds[s.n - 1]);
        fqueue_destroy(s.queue);
        fset_destroy(s.set);
        free(s.fds);
        free(s.buf);
        return ret >= 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
