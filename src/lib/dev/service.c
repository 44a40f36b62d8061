#include "dev/service.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "dev/stream.h"

#define EVENTS_MAX 64

struct service {
        pthread_mutex_t lock;
        bool            runs;
        bool            stopped; /* the process is about to end */
        int             epfd, kick;
        uint64_t        removed; /* how many streams were, ever */
        _Atomic int64_t wake_ns; /* when the thread will look by itself */
        LIST_HEAD(, served) list;
};

static struct service service = {.lock = PTHREAD_MUTEX_INITIALIZER, .epfd = -1, .kick = -1};

/* -- the thread --------------------------------------------------------------- */

static void serve_due(int64_t now_ns)
{
        struct served *s;

        LIST_FOREACH (s, &service.list, list) {
                if (atomic_load(&s->due_ns) <= now_ns)
                        (void)stream_serve(s->stream, now_ns);
        }
}

/*
 * When to look next. Published before the deadlines are read once more: a stream that brings its own forward
 * either finds this published, and kicks, or is found here (sequentially consistent on both sides).
 */
static int64_t plan(void)
{
        int64_t        wake_ns = CLOCK_NEVER;
        struct served *s;

        atomic_store(&service.wake_ns, CLOCK_NEVER);
        LIST_FOREACH (s, &service.list, list) {
                int64_t due_ns = atomic_load(&s->due_ns);

                if (due_ns < wake_ns) {
                        wake_ns = due_ns;
                        atomic_store(&service.wake_ns, wake_ns);
                }
        }
        return wake_ns;
}

static int sleep_until(struct epoll_event *ev, int64_t wake_ns)
{
        int64_t         left_ns = wake_ns - clock_now_ns();
        struct timespec left    = clock_timespec(left_ns > 0 ? left_ns : 0);

        return epoll_pwait2(service.epfd, ev, EVENTS_MAX, wake_ns == CLOCK_NEVER ? NULL : &left, NULL);
}

static void answer_bell(struct served *s, int64_t now_ns)
{
        if (!stream_serve(s->stream, now_ns))
                (void)epoll_ctl(service.epfd, EPOLL_CTL_DEL, s->bell, NULL);
}

/* Events of streams that were removed meanwhile are stale; the others come again. */
static void handle(const struct epoll_event *ev, int n, int64_t now_ns)
{
        uint64_t junk;

        for (int i = 0; i < n; i++) {
                if (ev[i].data.ptr != NULL)
                        answer_bell(ev[i].data.ptr, now_ns);
                else
                        (void)!read(service.kick, &junk, sizeof(junk));
        }
}

static void *run(void *arg)
{
        struct epoll_event ev[EVENTS_MAX];
        uint64_t           removed;
        int64_t            wake_ns, now_ns;
        int                n;

        (void)arg;
        pthread_mutex_lock(&service.lock);
        while (!service.stopped) {
                wake_ns = plan();
                removed = service.removed;
                pthread_mutex_unlock(&service.lock);
                n = sleep_until(ev, wake_ns);
                pthread_mutex_lock(&service.lock);
                now_ns = clock_now_ns();
                if (service.stopped)
                        break;
                if (removed == service.removed)
                        handle(ev, n, now_ns);
                serve_due(now_ns);
        }
        pthread_mutex_unlock(&service.lock);
        return NULL;
}

/* -- from outside --------------------------------------------------------------- */

static int start_thread(void)
{
        pthread_t thread;
        sigset_t  all, before;
        int       r;

        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        r = pthread_create(&thread, NULL, run, NULL);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (r != 0)
                return -EAGAIN;
        pthread_setname_np(thread, "o7s-service");
        pthread_detach(thread);
        return 0;
}

/*
 * exit() goes on to take OpenSSL down, in which the thread may be sealing a record: not after this. Of the
 * handlers of exit() it comes before OpenSSL's, since an encrypted stream has begun with that, and handlers
 * run the other way round.
 */
static void stop(void)
{
        pthread_mutex_lock(&service.lock);
        service.stopped = true;
        pthread_mutex_unlock(&service.lock);
}

static int start(void)
{
        struct epoll_event ev = {.events = EPOLLIN};
        int                r;

        service.epfd = epoll_create1(EPOLL_CLOEXEC);
        service.kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (service.epfd < 0 || service.kick < 0 ||
            epoll_ctl(service.epfd, EPOLL_CTL_ADD, service.kick, &ev) < 0)
                r = errno == ENOMEM ? -ENOMEM : -EMFILE;
        else
                r = atexit(stop) == 0 ? start_thread() : -ENOMEM;
        service.runs = r == 0;
        if (r < 0) {
                fd_close(&service.epfd);
                fd_close(&service.kick);
        }
        return r;
}

static void kick(void)
{
        uint64_t one = 1;

        (void)!write(service.kick, &one, sizeof(one));
}

int service_add(struct served *s)
{
        struct epoll_event ev = {.events = EPOLLIN, .data.ptr = s};
        int                r  = 0;

        pthread_mutex_lock(&service.lock);
        if (!service.runs)
                r = start();
        if (r == 0 && epoll_ctl(service.epfd, EPOLL_CTL_ADD, s->bell, &ev) < 0)
                r = errno == ENOMEM || errno == ENOSPC ? -ENOMEM : -errno;
        if (r == 0) {
                LIST_INSERT_HEAD(&service.list, s, list);
                kick(); /* its first turn is due */
        }
        pthread_mutex_unlock(&service.lock);
        return r;
}

void service_remove(struct served *s)
{
        pthread_mutex_lock(&service.lock);
        LIST_REMOVE(s, list);
        (void)epoll_ctl(service.epfd, EPOLL_CTL_DEL, s->bell, NULL);
        service.removed++;
        pthread_mutex_unlock(&service.lock);
}

void service_due(struct served *s, int64_t due_ns)
{
        atomic_store(&s->due_ns, due_ns);
        if (due_ns < atomic_load(&service.wake_ns))
                kick();
}

void service_hold(void)
{
        struct served *s;

        pthread_mutex_lock(&service.lock);
        LIST_FOREACH (s, &service.list, list)
                stream_hold(s->stream);
}

void service_release(void)
{
        struct served *s;

        LIST_FOREACH (s, &service.list, list)
                stream_release(s->stream);
        pthread_mutex_unlock(&service.lock);
}

void service_forget(void)
{
        pthread_mutex_init(&service.lock, NULL);
        LIST_INIT(&service.list);
        fd_close(&service.epfd);
        fd_close(&service.kick);
        service.runs = false;
}
