#include "common/stop.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A signal handler has nothing but these. */
static volatile sig_atomic_t asked;
static int                   event_fd = -1;

static void on_signal(int sig)
{
        const uint64_t one   = 1;
        int            saved = errno;

        (void)sig;
        asked = 1;
        if (write(event_fd, &one, sizeof(one)) < 0) {
                /* The flag says it too. */
        }
        errno = saved;
}

int stop_catch(void)
{
        struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND};

        event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (event_fd < 0 || sigaction(SIGINT, &sa, NULL) < 0 || sigaction(SIGTERM, &sa, NULL) < 0)
                return -errno;
        return event_fd;
}

bool stop_asked(void)
{
        return asked != 0;
}
