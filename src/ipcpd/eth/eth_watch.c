#include "ipcpd/eth/eth_watch.h"

#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "ipcpd/eth/eth_handle.h"
#include "ipcpd/eth/eth_socket.h"

#define TICK_NS   (50 * NS_PER_US)
#define WINDOW_NS NS_PER_MS

/* Frames in a window: that make it busy, and fewer than that end it. Far apart, so that it does not waver. */
enum { CROWD = 64, CALM = 24 };

static void on_socket(uv_poll_t *poll, int status, int events);

/* Asks the loop for what there is to be told about the socket. */
static void arm(struct eth_watch *w)
{
        int events = (w->busy ? 0 : UV_READABLE) | (w->wants_room ? UV_WRITABLE : 0);

        if (events != 0)
                uv_poll_start(&w->socket, events, on_socket);
        else
                uv_poll_stop(&w->socket);
}

static void set_busy(struct eth_watch *w, bool busy)
{
        struct itimerspec when = {.it_interval = clock_timespec(busy ? TICK_NS : 0),
                                  .it_value    = clock_timespec(busy ? TICK_NS : 0)};

        w->busy = busy;
        timerfd_settime(w->tick_fd, 0, &when, NULL);
        arm(w);
}

static void count(struct eth_watch *w, size_t n, int64_t now_ns)
{
        bool over = now_ns - w->since_ns >= WINDOW_NS;

        w->seen += n;
        if (!w->busy && w->seen >= CROWD)
                set_busy(w, true);
        else if (w->busy && over && w->seen < CALM)
                set_busy(w, false);
        else if (!over)
                return;
        w->since_ns = now_ns;
        w->seen     = 0;
}

static void drain(struct eth_watch *w)
{
        size_t n = w->ops->drain(w->ctx);

        if (!w->closed)
                count(w, n, clock_now_ns());
}

static void on_tick(uv_poll_t *poll, int status, int events)
{
        struct eth_watch *w = poll->data;
        uint64_t          ticks;

        (void)status;
        (void)events;
        if (read(w->tick_fd, &ticks, sizeof(ticks)) > 0)
                drain(w);
}

/* The loop gives up a socket with an error, which ours has each time the interface goes down. */
static void on_socket(uv_poll_t *poll, int status, int events)
{
        struct eth_watch *w = poll->data;

        if (status < 0) {
                eth_socket_clear(w->fd);
                arm(w);
                return;
        }
        if (events & UV_WRITABLE && w->wants_room) {
                w->wants_room = false;
                arm(w);
                w->ops->room(w->ctx);
        }
        if (events & UV_READABLE && !w->closed)
                drain(w);
}

int eth_watch_open(struct eth_watch *w, uv_loop_t *loop, int fd, const struct eth_watch_ops *ops, void *ctx)
{
        int r;

        memset(w, 0, sizeof(*w));
        w->fd      = fd;
        w->ops     = ops;
        w->ctx     = ctx;
        w->tick_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
        if (w->tick_fd < 0)
                return -errno;
        if ((r = uv_poll_init(loop, &w->tick, w->tick_fd)) < 0 ||
            (r = uv_poll_init(loop, &w->socket, fd)) < 0)
                return r;
        w->socket.data = w->tick.data = w;
        uv_poll_start(&w->tick, UV_READABLE, on_tick);
        arm(w);
        return 0;
}

void eth_watch_want_room(struct eth_watch *w)
{
        w->wants_room = true;
        arm(w);
}

unsigned eth_watch_close(struct eth_watch *w, void *owner, uv_close_cb closed)
{
        unsigned n;

        if (w->ops == NULL || w->closed)
                return 0;
        w->closed = true;
        n         = eth_handle_close((uv_handle_t *)&w->socket, owner, closed);
        n += eth_handle_close((uv_handle_t *)&w->tick, owner, closed);
        fd_close(&w->tick_fd); /* the loop has let go of it */
        return n;
}
