/*
 * A thread for each client, with nothing but blocking calls. The main thread only accepts; to stop, it ends
 * all flows, which makes the threads return, and waits for the last of them.
 */
#include "oecho/oecho.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

#include <ouroboros/dev.h>
#include <ouroboros/errno.h>
#include <ouroboros/fccntl.h>

#include "common/stop.h"

#define STACK    (256u * 1024)
#define BUF_LEN  4096 /* a longer message goes back in parts                  */
#define PAUSE_MS 1000 /* in accepting, where that fails                       */
#define STUCK_S  30   /* a client that does not read for so long is given up  */

struct client {
        LIST_ENTRY(client) next;
        struct server *server;
        int            fd;
        bool           over; /* @fd is no longer a flow */
};

struct server {
        pthread_mutex_t lock; /* of the list and the flows in it */
        pthread_cond_t  gone; /* a client has left the list      */
        LIST_HEAD(, client) clients;
};

/* -- a client's thread ----------------------------------------------------- */

/* Ends the flow, unless that was done; the lock is held. */
static void end_flow(struct client *c)
{
        if (!c->over)
                flow_dealloc(c->fd);
        c->over = true;
}

static void *serve(void *arg)
{
        struct client *c = arg;
        struct server *s = c->server;
        char           buf[BUF_LEN];
        ssize_t        n;

        do
                n = flow_read(c->fd, buf, sizeof(buf));
        while (n > 0 && flow_write(c->fd, buf, (size_t)n) == n);
        pthread_mutex_lock(&s->lock);
        end_flow(c);
        LIST_REMOVE(c, next);
        pthread_cond_signal(&s->gone);
        pthread_mutex_unlock(&s->lock);
        free(c);
        return NULL;
}

static int start_thread(struct client *c)
{
        pthread_attr_t attr;
        pthread_t      thread;
        int            err = pthread_attr_init(&attr);

        if (err != 0)
                return -err;
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
        pthread_attr_setstacksize(&attr, STACK);
        err = pthread_create(&thread, &attr, serve, c);
        pthread_attr_destroy(&attr);
        return -err;
}

/* -- the main thread ------------------------------------------------------- */

/* Takes the flow over, also on failure. */
static int take_flow(struct server *s, int fd)
{
        const struct timespec stuck = {.tv_sec = STUCK_S};
        struct client        *c     = malloc(sizeof(*c));
        int                   ret   = c != NULL ? fccntl(fd, FLOWSSNDTIMEO, &stuck) : -ENOMEM;

        if (ret < 0) {
                free(c);
                flow_dealloc(fd);
                return ret;
        }
        *c = (struct client){.server = s, .fd = fd};
        pthread_mutex_lock(&s->lock);
        LIST_INSERT_HEAD(&s->clients, c, next);
        ret = start_thread(c);
        if (ret < 0) {
                end_flow(c);
                LIST_REMOVE(c, next);
                free(c);
        }
        pthread_mutex_unlock(&s->lock);
        return ret;
}

/* Takes all flows that have come. 0, or why there can be no more for now. */
static int accept_flows(struct server *s)
{
        const struct timespec at_once = {0, 0};
        int                   fd;

        while ((fd = flow_accept(NULL, &at_once)) >= 0) {
                int ret = take_flow(s, fd);

                if (ret < 0)
                        fprintf(stderr, "oecho: cannot serve a client: %s\n", o7s_strerror(ret));
        }
        return fd == -EAGAIN || fd == -ETIMEDOUT ? 0 : fd;
}

static void accept_until_stopped(struct server *s, int accept_fd, int stop_fd)
{
        while (!stop_asked()) {
                struct pollfd p[] = {{.fd = accept_fd, .events = POLLIN}, {.fd = stop_fd, .events = POLLIN}};
                const bool    paused = accept_fd < 0;
                int           ret    = 0;

                poll(p, 2, paused ? PAUSE_MS : -1);
                if (p[0].revents != 0)
                        ret = accept_flows(s);
                if (ret < 0)
                        fprintf(stderr, "oecho: cannot accept flows for now: %s\n", o7s_strerror(ret));
                if (ret < 0)
                        accept_fd = -1;
                else if (paused)
                        accept_fd = flow_accept_fd(); /* negative while that cannot be */
        }
}

static void end_clients(struct server *s)
{
        struct client *c;

        pthread_mutex_lock(&s->lock);
        LIST_FOREACH (c, &s->clients, next)
                end_flow(c);
        while (!LIST_EMPTY(&s->clients))
                pthread_cond_wait(&s->gone, &s->lock);
        pthread_mutex_unlock(&s->lock);
}

int server_run(void)
{
        struct server s         = {.lock    = PTHREAD_MUTEX_INITIALIZER,
                                   .gone    = PTHREAD_COND_INITIALIZER,
                                   .clients = LIST_HEAD_INITIALIZER(s.clients)};
        int           stop_fd   = stop_catch();
        int           accept_fd = stop_fd < 0 ? stop_fd : flow_accept_fd();

        if (accept_fd < 0) {
                fprintf(stderr, "oecho: cannot accept flows: %s\n", o7s_strerror(accept_fd));
                return EXIT_FAILURE;
        }
        puts("Server listening.");
        fflush(stdout);
        accept_until_stopped(&s, accept_fd, stop_fd);
        end_clients(&s);
        return EXIT_SUCCESS;
}
