/*
 * The server: threads that take turns in waiting for a flow. The one that gets it lets the next one wait and
 * serves the client itself, so that no flow is handed from thread to thread, which crr would measure.
 * Afterwards it stands by, or ends if enough others do.
 *
 * To stop, the main thread ends all flows, which makes the threads return, and waits for the last of them.
 */
#include "operf/operf.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

#include <ouroboros/dev.h>
#include <ouroboros/errno.h>

#include "common/stop.h"
#include "operf/serve.h"

#define STACK       (256u * 1024)
#define STANDBY_MAX 8    /* threads that wait for their turn                     */
#define PAUSE_MS    1000 /* in accepting, where that fails                       */

struct client {
        LIST_ENTRY(client) next;
        int  fd;
        bool over; /* @fd is no longer a flow */
};

struct server {
        bool            quiet;
        int             stop_fd;
        int             accept_fd; /* negative: not accepting now; only whose turn it is uses it */
        pthread_mutex_t lock;      /* of all below                                   */
        pthread_cond_t  turn;      /* nobody accepts, or stopping                    */
        pthread_cond_t  gone;      /* a thread has ended                             */
        unsigned int    threads, standby;
        bool            accepting; /* somebody is */
        bool            stopping;
        LIST_HEAD(, client) clients;
};

/* -- a thread -------------------------------------------------------------- */

/* Waits for a flow. Negative: asked to stop. */
static int accept_one(struct server *s)
{
        const struct timespec at_once = {0, 0};

        while (!stop_asked()) {
                struct pollfd p[]    = {{.fd = s->accept_fd, .events = POLLIN},
                                        {.fd = s->stop_fd, .events = POLLIN}};
                const bool    paused = s->accept_fd < 0;
                int           fd     = -EAGAIN;

                poll(p, 2, paused ? PAUSE_MS : -1);
                if (p[0].revents != 0)
                        fd = flow_accept(NULL, &at_once);
                if (fd >= 0)
                        return fd;
                if (fd != -EAGAIN && fd != -ETIMEDOUT) {
                        fprintf(stderr, "operf: cannot accept flows for now: %s\n", o7s_strerror(fd));
                        s->accept_fd = -1;
                } else if (paused)
                        s->accept_fd = flow_accept_fd(); /* negative while that cannot be */
        }
        return -EINTR;
}

/* Ends the flow, unless that was done; the lock is held. */
static void end_flow(struct client *c)
{
        if (!c->over)
                flow_dealloc(c->fd);
        c->over = true;
}

static void serve_client(struct server *s, int fd, struct serve_buf *buf)
{
        struct client c = {.fd = fd, .over = false};

        pthread_mutex_lock(&s->lock);
        LIST_INSERT_HEAD(&s->clients, &c, next);
        if (s->stopping)
                end_flow(&c);
        pthread_mutex_unlock(&s->lock);
        serve(fd, buf, s->quiet);
        pthread_mutex_lock(&s->lock);
        end_flow(&c);
        LIST_REMOVE(&c, next);
        pthread_mutex_unlock(&s->lock);
}

/* Waits for its turn; the lock is held. False: this thread is not needed. */
static bool await_turn(struct server *s)
{
        if (s->accepting && s->standby >= STANDBY_MAX)
                return false;
        s->standby++;
        while (s->accepting && !s->stopping)
                pthread_cond_wait(&s->turn, &s->lock);
        s->standby--;
        s->accepting = !s->stopping;
        return !s->stopping;
}

static int start_thread(struct server *s);

/* Has somebody else accept; the lock is held. Where that cannot be, it waits until a thread is free. */
static void pass_turn(struct server *s)
{
        int ret = 0;

        s->accepting = false;
        if (s->standby > 0)
                pthread_cond_signal(&s->turn);
        else if (!s->stopping)
                ret = start_thread(s);
        if (ret < 0)
                fprintf(stderr, "operf: no more clients for now: %s\n", o7s_strerror(ret));
}

static void *work(void *arg)
{
        struct server   *s   = arg;
        struct serve_buf buf = {0};

        pthread_mutex_lock(&s->lock);
        while (await_turn(s)) {
                int fd;

                pthread_mutex_unlock(&s->lock);
                fd = accept_one(s);
                pthread_mutex_lock(&s->lock);
                if (fd < 0)
                        s->stopping = true;
                pass_turn(s);
                pthread_mutex_unlock(&s->lock);
                if (fd >= 0)
                        serve_client(s, fd, &buf);
                pthread_mutex_lock(&s->lock);
        }
        free(buf.p);
        s->threads--;
        pthread_cond_signal(&s->gone);
        pthread_mutex_unlock(&s->lock);
        return NULL;
}

/* The lock is held. */
static int start_thread(struct server *s)
{
        pthread_attr_t attr;
        pthread_t      thread;
        int            err = pthread_attr_init(&attr);

        if (err != 0)
                return -err;
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
        pthread_attr_setstacksize(&attr, STACK);
        err = pthread_create(&thread, &attr, work, s);
        pthread_attr_destroy(&attr);
        s->threads += err == 0;
        return -err;
}

/* -- the main thread ------------------------------------------------------- */

static void wait_for_the_end(const struct server *s)
{
        struct pollfd p = {.fd = s->stop_fd, .events = POLLIN};

        while (!stop_asked())
                poll(&p, 1, -1);
}

static void stop_threads(struct server *s)
{
        struct client *c;

        pthread_mutex_lock(&s->lock);
        s->stopping = true;
        LIST_FOREACH (c, &s->clients, next)
                end_flow(c);
        pthread_cond_broadcast(&s->turn);
        while (s->threads > 0)
                pthread_cond_wait(&s->gone, &s->lock);
        pthread_mutex_unlock(&s->lock);
}

int server_run(const struct options *o, int stop_fd)
{
        struct server s   = {.quiet   = o->quiet,
                             .stop_fd = stop_fd,
                             .lock    = PTHREAD_MUTEX_INITIALIZER,
                             .turn    = PTHREAD_COND_INITIALIZER,
                             .gone    = PTHREAD_COND_INITIALIZER,
                             .clients = LIST_HEAD_INITIALIZER(s.clients)};
        int           ret = s.accept_fd = flow_accept_fd();

        if (ret >= 0) {
                pthread_mutex_lock(&s.lock);
                ret = start_thread(&s);
                pthread_mutex_unlock(&s.lock);
        }
        if (ret < 0) {
                fprintf(stderr, "operf: cannot accept flows: %s\n", o7s_strerror(ret));
                return EXIT_FAILURE;
        }
        puts("Server listening.");
        wait_for_the_end(&s);
        stop_threads(&s);
        return EXIT_SUCCESS;
}
