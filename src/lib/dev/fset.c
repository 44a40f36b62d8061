/*
 * fset.c - sets of flows: epoll, and a list of who is in it.
 *
 * epoll could forget a closed descriptor by itself, but not before its last copy is closed, and a number may
 * be in use again while an event of its old owner is on the way. So each event carries the generation of the
 * slot, and a flow that is closing leaves its sets before its descriptor is closed.
 *
 * A readable descriptor is a claim of the peer, who can ring without a message: fevent() looks into the port
 * before it reports anything.
 */
#include "dev/fset.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <unistd.h>

#include <ouroboros/errno.h>
#include <ouroboros/fqueue.h>

#include "base/clock.h"
#include "base/err.h"
#include "dev/process.h"

/*
 * At most that many by one fevent(); the rest the next time, since events are level-triggered and epoll takes
 * turns.
 */
#define EVENTS_MAX 128

/* That a flow is in a set. */
struct member {
        LIST_ENTRY(member) of_set;
        LIST_ENTRY(member) of_slot;
        struct flow_set *set;
        int              fd;
};

struct flow_set {
        LIST_ENTRY(flow_set) of_process;
        LIST_HEAD(, member) members;
        int epfd;
};

struct event {
        int         fd;
        uint32_t    generation;
        enum fqtype type;
};

struct fqueue {
        size_t             n, at; /* at: of the next one */
        enum fqtype        type;  /* of the last one     */
        struct event       event[EVENTS_MAX];
        struct epoll_event ready[EVENTS_MAX];
};

static void lock_sets(void)
{
        pthread_mutex_lock(&process.sets_lock);
}

static void unlock_sets(void)
{
        pthread_mutex_unlock(&process.sets_lock);
}

/* All functions below until the public ones: with the lock. */

static struct member *find(const struct flow_set *set, const struct slot *s)
{
        struct member *m;

        LIST_FOREACH (m, &s->members, of_slot) {
                if (m->set == set)
                        return m;
        }
        return NULL;
}

static void drop(struct member *m)
{
        (void)epoll_ctl(m->set->epfd, EPOLL_CTL_DEL, m->fd, NULL);
        LIST_REMOVE(m, of_set);
        LIST_REMOVE(m, of_slot);
        free(m);
}

static void drop_all(struct flow_set *set)
{
        while (!LIST_EMPTY(&set->members))
                drop(LIST_FIRST(&set->members));
}

/*
 * Tells epoll to watch @fd, the flow in @s. A flow that is there stays there while we hold the lock: closing
 * ones must pass fset_take().
 */
static int watch(const struct flow_set *set, struct slot *s, int fd)
{
        struct epoll_event ev = {.events = EPOLLIN};
        bool               there;

        pthread_mutex_lock(&s->rx.lock);
        there       = s->state == SLOT_PENDING || s->state == SLOT_OPEN;
        ev.data.u64 = (uint64_t)s->generation << 32 | (uint32_t)fd;
        pthread_mutex_unlock(&s->rx.lock);
        if (!there)
                return -EBADF;
        if (epoll_ctl(set->epfd, EPOLL_CTL_ADD, fd, &ev) == 0)
                return 0;
        return errno == ENOSPC ? -ENOMEM : -errno;
}

static int add(struct flow_set *set, struct slot *s, int fd)
{
        struct member *m;
        int            r;

        if (find(set, s) != NULL)
                return 0;
        m = malloc(sizeof(*m));
        if (m == NULL)
                return -ENOMEM;
        r = watch(set, s, fd);
        if (r < 0) {
                free(m);
                return r;
        }
        *m = (struct member){.set = set, .fd = fd};
        LIST_INSERT_HEAD(&set->members, m, of_set);
        LIST_INSERT_HEAD(&s->members, m, of_slot);
        return 0;
}

/*
 * -- from the rest of the library -------------------------------------------------------------------------
 */

static bool is_closing(struct slot *s)
{
        bool closing;

        pthread_mutex_lock(&s->rx.lock);
        closing = s->state == SLOT_CLOSING;
        pthread_mutex_unlock(&s->rx.lock);
        return closing;
}

bool fset_take(struct slot *s, struct remains *r)
{
        bool taken;

        lock_sets();
        taken = slot_take(s, r); /* first: it may begin to close at any moment */
        if (taken || is_closing(s)) {
                while (!LIST_EMPTY(&s->members))
                        drop(LIST_FIRST(&s->members));
        }
        unlock_sets();
        return taken;
}

/* The parent's epoll is not ours to change. The number stays, since a program may have asked for it. */
static void start_afresh(struct flow_set *set)
{
        int epfd = epoll_create1(EPOLL_CLOEXEC);

        if (epfd >= 0) {
                (void)dup3(epfd, set->epfd, O_CLOEXEC);
                close(epfd);
        } else {
                close(set->epfd);
                set->epfd = -1;
        }
        drop_all(set);
}

void fset_forget_all(void)
{
        struct flow_set *set;

        LIST_FOREACH (set, &process.sets, of_process)
                start_afresh(set);
}

/*
 * -- sets
 * ----------------------------------------------------------------------------------------------------
 */

static struct flow_set *set_create(void)
{
        struct flow_set *set = calloc(1, sizeof(*set));

        if (set == NULL)
                return NULL;
        set->epfd = epoll_create1(EPOLL_CLOEXEC);
        if (set->epfd >= 0)
                return set;
        free(set);
        return NULL;
}

O7S_API fset_t *fset_create(void)
{
        struct flow_set *set;

        process_prepare();
        set = set_create();
        if (set == NULL)
                return NULL;
        lock_sets();
        LIST_INSERT_HEAD(&process.sets, set, of_process);
        unlock_sets();
        return set;
}

O7S_API void fset_destroy(fset_t *set)
{
        if (set == NULL)
                return;
        lock_sets();
        drop_all(set);
        LIST_REMOVE(set, of_process);
        unlock_sets();
        close(set->epfd);
        free(set);
}

O7S_API void fset_zero(fset_t *set)
{
        if (set == NULL)
                return;
        lock_sets();
        drop_all(set);
        unlock_sets();
}

O7S_API int fset_add(fset_t *set, int fd)
{
        struct slot *s = process_slot(fd);
        int          r;

        if (set == NULL)
                return (int)err_return(-EINVAL);
        if (s == NULL)
                return (int)err_return(-EBADF);
        lock_sets();
        r = add(set, s, fd);
        unlock_sets();
        return (int)err_return(r);
}

O7S_API bool fset_has(const fset_t *set, int fd)
{
        const struct slot *s = process_slot(fd);
        bool               has;

        if (set == NULL || s == NULL)
                return false;
        lock_sets();
        has = find(set, s) != NULL;
        unlock_sets();
        return has;
}

O7S_API void fset_del(fset_t *set, int fd)
{
        const struct slot *s = process_slot(fd);
        struct member     *m;

        if (set == NULL || s == NULL)
                return;
        lock_sets();
        m = find(set, s);
        if (m != NULL)
                drop(m);
        unlock_sets();
}

O7S_API int fset_fd(fset_t *set)
{
        return set == NULL ? (int)err_return(-EINVAL) : set->epfd;
}

/*
 * -- events
 * --------------------------------------------------------------------------------------------------
 */

O7S_API fqueue_t *fqueue_create(void)
{
        return calloc(1, sizeof(struct fqueue));
}

O7S_API void fqueue_destroy(fqueue_t *fq)
{
        free(fq);
}

/* What can truly be said of an open flow, or 0. A ring that was for nothing is taken back on leaving. */
static enum fqtype examine_open(struct slot *s)
{
        int r;

        if (atomic_load(&s->broken))
                return FLOW_DOWN;
        if (s->stream == NULL)
                port_rx_enter(&s->port);
        r = slot_look(s);
        if (r == -EPROTO) {
                slot_break(s);
                return FLOW_DOWN;
        }
        slot_leave(s);
        switch (r) {
        case 0: return FLOW_PKT;
        case -EAGAIN: return 0;
        case -EFLOWPEER: return FLOW_PEER;
        default: return FLOW_DOWN;
        }
}

static enum fqtype examine(const struct event *ev)
{
        struct slot *s    = process_slot(ev->fd);
        enum fqtype  type = 0;

        pthread_mutex_lock(&s->rx.lock);
        if (s->generation == ev->generation && s->state == SLOT_PENDING)
                type = FLOW_ALLOC;
        else if (s->generation == ev->generation && s->state == SLOT_OPEN)
                type = examine_open(s);
        pthread_mutex_unlock(&s->rx.lock);
        return type;
}

/* Makes events of the first @n that epoll gave. */
static void collect(struct fqueue *fq, int n)
{
        for (int i = 0; i < n; i++) {
                uint64_t     data = fq->ready[i].data.u64;
                struct event ev   = {.fd = (int)(uint32_t)data, .generation = (uint32_t)(data >> 32)};

                ev.type = examine(&ev);
                if (ev.type != 0)
                        fq->event[fq->n++] = ev;
        }
}

/* epoll_pwait2() until @deadline_ns. Returns how many, 0 when it is over, or -errno. */
static int poll_set(const struct flow_set *set, struct epoll_event *ready, int64_t deadline_ns)
{
        int64_t         left_ns = 0;
        struct timespec left;
        int             n;

        if (deadline_ns != CLOCK_NEVER)
                left_ns = deadline_ns - clock_now_ns();
        left = clock_timespec(left_ns > 0 ? left_ns : 0);
        n    = epoll_pwait2(set->epfd, ready, EVENTS_MAX, deadline_ns == CLOCK_NEVER ? NULL : &left, NULL);
        return n < 0 ? -errno : n;
}

static ssize_t wait_for_events(const struct flow_set *set, struct fqueue *fq, const struct timespec *timeo)
{
        int64_t deadline_ns = CLOCK_NEVER;
        int     n;

        if (timeo != NULL) {
                if (!clock_timespec_ok(timeo))
                        return -EINVAL;
                deadline_ns = clock_after(clock_now_ns(), clock_length_ns(timeo));
        }
        do {
                n = poll_set(set, fq->ready, deadline_ns);
                if (n <= 0)
                        return n == 0 ? -ETIMEDOUT : n;
                collect(fq, n);
        } while (fq->n == 0);
        return (ssize_t)fq->n;
}

O7S_API ssize_t fevent(fset_t *set, fqueue_t *fq, const struct timespec *timeo)
{
        if (set == NULL || fq == NULL)
                return err_return(-EINVAL);
        fq->n    = 0;
        fq->at   = 0;
        fq->type = 0;
        return err_return(wait_for_events(set, fq, timeo));
}

/*
 * Whether the flow that @ev speaks of is still there: the program may have ended it while it went through the
 * queue.
 */
static bool is_current(const struct event *ev)
{
        struct slot *s = process_slot(ev->fd);
        bool         current;

        pthread_mutex_lock(&s->rx.lock);
        current = s->generation == ev->generation && s->state != SLOT_CLOSING;
        pthread_mutex_unlock(&s->rx.lock);
        return current;
}

O7S_API int fqueue_next(fqueue_t *fq)
{
        if (fq == NULL)
                return (int)err_return(-EINVAL);
        while (fq->at < fq->n) {
                const struct event *ev = &fq->event[fq->at++];

                if (is_current(ev)) {
                        fq->type = ev->type;
                        return ev->fd;
                }
        }
        return (int)err_return(-EPERM);
}

O7S_API enum fqtype fqueue_type(const fqueue_t *fq)
{
        return fq == NULL ? 0 : fq->type;
}
