#include "common/stop.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/clock.h"

/* A signal handler has nothing but these. It runs on any thread, and others look. */
static atomic_bool     asked;
static _Atomic int64_t asked_ns;
static int             event_fd = -1;

_Static_assert(ATOMIC_BOOL_LOCK_FREE == 2 && ATOMIC_LLONG_LOCK_FREE == 2, "a signal handler takes no locks");

/* What is sent to a process and to its group arrives twice: only somebody who waited means it. */
static bool is_insisting(void)
{
        return asked && clock_now_ns() - asked_ns > NS_PER_S;
}

static void on_signal(int sig)
{
        const uint64_t one   = 1;
        int            saved = errno;

        if (is_insisting())
                _exit(128 + sig);
        if (!asked)
                asked_ns = clock_now_ns();
        asked = true;
        if (write(event_fd, &one, sizeof(one)) < 0) {
                /* The flag says it too. */
        }
        errno = saved;
}

int stop_catch(void)
{
        struct sigaction sa = {.sa_handler = on_signal};

        sigaddset(&sa.sa_mask, SIGINT);
        sigaddset(&sa.sa_mask, SIGTERM);
        event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (event_fd < 0 || sigaction(SIGINT, &sa, NULL) < 0 || sigaction(SIGTERM, &sa, NULL) < 0)
                return -errno;
        return event_fd;
}

bool stop_asked(void)
{
        return atomic_load_explicit(&asked, memory_order_relaxed);
}
