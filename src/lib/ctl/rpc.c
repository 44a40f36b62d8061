/*
 * rpc.c - the office of the reader.
 *
 * One socket, many threads that each wait for an answer of their own. Were every thread to read, most would
 * get what belongs to others; a thread that only reads would cost each call two switches. So one of those who
 * wait holds the office of the reader: it alone sleeps on the socket, outside the lock, with its own
 * deadline; the others sleep on the condition of their call. The reader hands over what it receives, and lays
 * the office down when it has its own answer or its time is up. Whoever leaves while nobody reads wakes the
 * first who waits, and that one reads. A single thread thus just sends and receives, and never wakes anybody.
 *
 * Invariant: when the lock is free and somebody waits, then somebody reads or has been woken to.
 *
 * The lock guards calls, waiting, reading, lost and next_id, and is never held across a system call that
 * waits. in[] belongs to the reader.
 */
#include "ctl/rpc.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <ouroboros/errno.h>

#include "base/clock.h"
#include "base/fd.h"

#define BUCKETS    256 /* ids are drawn in sequence, so they fill evenly */
#define PATIENCE_S 5   /* for an irmd that does not read */

LIST_HEAD(bucket, rpc_call);

struct rpc {
        atomic_uint        refs;
        int                sock;
        pthread_mutex_t    lock;
        pthread_condattr_t monotonic;
        bool               reading; /* somebody holds the office */
        bool               lost;
        uint32_t           next_id;
        struct bucket      calls[BUCKETS];
        TAILQ_HEAD(, rpc_call) waiting;
        uint8_t in[FRAME_MAX];
};

/* -- the connection -------------------------------------------------------- */

static int open_error(int err)
{
        return err == -EMFILE || err == -ENFILE || err == -ENOMEM ? err : -EIRMD;
}

int rpc_open(struct rpc **out, const char *path)
{
        const struct timeval patience = {.tv_sec = PATIENCE_S};
        struct rpc          *r;
        int                  sock = ctl_connect(path);

        if (sock < 0)
                return open_error(sock);
        r = calloc(1, sizeof(*r));
        if (r == NULL) {
                fd_close(&sock);
                return -ENOMEM;
        }
        setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
        r->sock = sock;
        atomic_init(&r->refs, 1);
        pthread_mutex_init(&r->lock, NULL);
        pthread_condattr_init(&r->monotonic);
        pthread_condattr_setclock(&r->monotonic, CLOCK_MONOTONIC);
        TAILQ_INIT(&r->waiting);
        *out = r;
        return 0;
}

struct rpc *rpc_ref(struct rpc *r)
{
        atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
        return r;
}

void rpc_unref(struct rpc *r)
{
        /* Each release pairs with the acquire of the last one, which sees all that the others did. */
        if (r == NULL || atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) > 1)
                return;
        assert(TAILQ_EMPTY(&r->waiting)); /* who waits has a reference */
        fd_close(&r->sock);
        pthread_condattr_destroy(&r->monotonic);
        pthread_mutex_destroy(&r->lock);
        free(r);
}

void rpc_forget(struct rpc *r)
{
        if (r == NULL)
                return;
        fd_close(&r->sock); /* only this process's descriptor: the parent's connection lives on */
        free(r);
}

bool rpc_lost(struct rpc *r)
{
        bool lost;

        pthread_mutex_lock(&r->lock);
        lost = r->lost;
        pthread_mutex_unlock(&r->lock);
        return lost;
}

/* With the lock held. */
static void lose(struct rpc *r)
{
        struct rpc_call *c;

        r->lost = true;
        shutdown(r->sock, SHUT_RDWR); /* wakes the reader, if that is another thread */
        TAILQ_FOREACH (c, &r->waiting, wait)
                pthread_cond_signal(&c->arrived);
}

/* -- sending --------------------------------------------------------------- */

static int send_frame(struct rpc *r, uint32_t id, const void *body, size_t len)
{
        const struct frame f   = {.id = id};
        int                ret = ctl_send(r->sock, &f, body, len, NULL, 0, 0);

        switch (ret) {
        case 0:
        case -EMSGSIZE:
        case -ENOMEM: return ret;
        case -EAGAIN: return -EIRMD; /* patience has ended */
        case -ENOBUFS: return -ENOMEM;
        default: break;
        }
        pthread_mutex_lock(&r->lock);
        lose(r);
        pthread_mutex_unlock(&r->lock);
        return -EIRMD;
}

int rpc_post(struct rpc *r, const void *body, size_t len)
{
        return send_frame(r, 0, body, len);
}

static struct bucket *bucket_of(struct rpc *r, uint32_t id)
{
        return &r->calls[id % BUCKETS];
}

static struct rpc_call *find(struct rpc *r, uint32_t id)
{
        struct rpc_call *c;

        LIST_FOREACH (c, bucket_of(r, id), same_bucket) {
                if (c->id == id)
                        return c;
        }
        return NULL;
}

/* Draws an id that no call has. Ids come round after 2^32 calls, and 0 is none. */
static uint32_t draw_id(struct rpc *r)
{
        do
                r->next_id++;
        while (r->next_id == 0 || find(r, r->next_id) != NULL);
        return r->next_id;
}

int rpc_begin(struct rpc *r, struct rpc_call *c, const void *body, size_t len)
{
        int ret;

        *c = (struct rpc_call){0};
        STAILQ_INIT(&c->answers);
        pthread_cond_init(&c->arrived, &r->monotonic);
        pthread_mutex_lock(&r->lock);
        c->id = draw_id(r);
        LIST_INSERT_HEAD(bucket_of(r, c->id), c, same_bucket);
        pthread_mutex_unlock(&r->lock);
        ret = send_frame(r, c->id, body, len);
        if (ret < 0)
                rpc_end(r, c);
        return ret;
}

void rpc_end(struct rpc *r, struct rpc_call *c)
{
        struct rpc_msg *m;

        pthread_mutex_lock(&r->lock);
        LIST_REMOVE(c, same_bucket);
        pthread_mutex_unlock(&r->lock);
        while ((m = STAILQ_FIRST(&c->answers)) != NULL) {
                STAILQ_REMOVE_HEAD(&c->answers, next);
                rpc_msg_free(m);
        }
        pthread_cond_destroy(&c->arrived);
}

/* -- receiving ------------------------------------------------------------- */

void rpc_msg_free(struct rpc_msg *m)
{
        if (m == NULL)
                return;
        fd_close_all(m->fds, m->n_fds);
        explicit_bzero(m->body, m->len);
        free(m);
}

/* Gives one answer to the call that it is for. Takes the descriptors. With the lock held. */
static void deliver(struct rpc *r, const struct frame *f, const struct rd *body, int *fds, size_t n_fds)
{
        struct rpc_call *c   = find(r, f->id);
        size_t           len = (size_t)(body->end - body->p);
        struct rpc_msg  *m   = c == NULL ? NULL : malloc(sizeof(*m) + len);

        if (m == NULL) {
                fd_close_all(fds, n_fds);
                if (c == NULL)
                        return;
                c->dropped = true;
        } else {
                m->more  = (f->flags & FRAME_MORE) != 0;
                m->n_fds = n_fds;
                m->len   = len;
                memcpy(m->fds, fds, n_fds * sizeof(*fds));
                memcpy(m->body, body->p, len);
                STAILQ_INSERT_TAIL(&c->answers, m, next);
        }
        pthread_cond_signal(&c->arrived);
}

/* Sleeps until the socket has something or it is @deadline_ns. */
static void await(int sock, int64_t deadline_ns)
{
        struct pollfd pfd = {.fd = sock, .events = POLLIN};
        int           n;

        do {
                int64_t         left = deadline_ns - clock_now_ns();
                struct timespec ts   = clock_timespec(left > 0 ? left : 0);

                n = ppoll(&pfd, 1, &ts, NULL);
        } while (n < 0 && errno == EINTR);
}

/*
 * Holds the office for one packet. False: there was none until @deadline_ns, or that has passed. With the
 * lock held, but not meanwhile.
 */
static bool read_one(struct rpc *r, int64_t deadline_ns)
{
        int          fds[CTL_FDS_MAX];
        size_t       n_fds;
        ssize_t      len;
        struct rd    in;
        struct frame f;

        r->reading = true;
        pthread_mutex_unlock(&r->lock);
        if (deadline_ns > 0 && deadline_ns < CLOCK_NEVER)
                await(r->sock, deadline_ns);
        len = ctl_recv(r->sock, r->in, fds, &n_fds, deadline_ns < CLOCK_NEVER ? MSG_DONTWAIT : 0);
        pthread_mutex_lock(&r->lock);
        r->reading = false;
        if (len == -EAGAIN)
                return false;
        in = (struct rd){.p = r->in, .end = r->in + (len > 0 ? len : 0)};
        if (frame_get(&in, &f)) {
                deliver(r, &f, &in, fds, n_fds);
        } else { /* the end, an error, or not what irmd would send */
                fd_close_all(fds, n_fds);
                lose(r);
        }
        explicit_bzero(r->in, len > 0 ? (size_t)len : 0);
        return deadline_ns == 0 || deadline_ns > clock_now_ns();
}

/* Sleeps until something concerns @c. False: it is @deadline_ns. With the lock held, but not meanwhile. */
static bool wait_turn(struct rpc *r, struct rpc_call *c, int64_t deadline_ns)
{
        const struct timespec until = clock_timespec(deadline_ns);
        int                   err;

        TAILQ_INSERT_TAIL(&r->waiting, c, wait);
        err = pthread_cond_timedwait(&c->arrived, &r->lock, &until);
        TAILQ_REMOVE(&r->waiting, c, wait);
        return err == 0;
}

/* The first answer to @c, or why there is none. With the lock held. */
static int take(struct rpc *r, struct rpc_call *c, struct rpc_msg **m)
{
        if (!STAILQ_EMPTY(&c->answers)) {
                *m = STAILQ_FIRST(&c->answers);
                STAILQ_REMOVE_HEAD(&c->answers, next);
                return 0;
        }
        if (c->dropped) {
                c->dropped = false;
                return -ENOMEM;
        }
        return r->lost ? -EIRMD : -ETIMEDOUT;
}

/* Keeps the invariant. With the lock held, by who leaves. */
static void pass_on(struct rpc *r)
{
        if (!r->reading && !TAILQ_EMPTY(&r->waiting))
                pthread_cond_signal(&TAILQ_FIRST(&r->waiting)->arrived);
}

int rpc_next(struct rpc *r, struct rpc_call *c, int64_t deadline_ns, struct rpc_msg **m)
{
        bool more = true;
        int  ret;

        pthread_mutex_lock(&r->lock);
        while ((ret = take(r, c, m)) == -ETIMEDOUT && more)
                more = r->reading ? wait_turn(r, c, deadline_ns) : read_one(r, deadline_ns);
        pass_on(r);
        pthread_mutex_unlock(&r->lock);
        return ret;
}
