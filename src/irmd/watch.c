#include "watch.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

#define QUIET_MS   100   /* without a change, then it is over           */
#define LATEST_MS  400   /* after the first change                      */
#define LOOK_MS    30000 /* when inotify works                          */
#define LOOK_NO_MS 1000  /* when it does not                            */

#define EVENTS                                                                                               \
        (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | \
         IN_MOVE_SELF)

struct watch {
        int        fd;     /* -1: no inotify */
        bool       polled; /* the handle is set up */
        uv_poll_t  poll;
        uv_timer_t quiet; /* runs while a burst goes on */
        uv_timer_t look;
        int64_t    first_ns; /* of the burst */
        int        n_closing;
        void (*changed)(void *ctx);
        void *ctx;
};

static void burst_over(uv_timer_t *t)
{
        struct watch *w = t->data;

        w->first_ns = 0;
        w->changed(w->ctx);
}

static void on_change(struct watch *w)
{
        int64_t now_ns = clock_now_ns();
        int64_t left_ms;

        if (w->first_ns == 0)
                w->first_ns = now_ns;
        left_ms = LATEST_MS - (now_ns - w->first_ns) / NS_PER_MS;
        if (left_ms < 0)
                left_ms = 0;
        uv_timer_start(&w->quiet, burst_over, (uint64_t)(left_ms < QUIET_MS ? left_ms : QUIET_MS), 0);
}

static void on_events(uv_poll_t *h, int status, int events)
{
        struct watch *w = h->data;
        char          buf[4096];
        bool          any = false;

        (void)status, (void)events;
        while (read(w->fd, buf, sizeof(buf)) > 0)
                any = true;
        if (any)
                on_change(w);
}

static void on_look(uv_timer_t *t)
{
        struct watch *w = t->data;

        w->changed(w->ctx);
}

struct watch *watch_open(uv_loop_t *loop, void (*changed)(void *ctx), void *ctx)
{
        struct watch *w = calloc(1, sizeof(*w));

        if (w == NULL)
                return NULL;
        w->changed = changed;
        w->ctx     = ctx;
        w->fd      = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        uv_timer_init(loop, &w->quiet);
        uv_timer_init(loop, &w->look);
        w->quiet.data = w;
        w->look.data  = w;
        w->polled     = w->fd >= 0 && uv_poll_init(loop, &w->poll, w->fd) == 0;
        if (w->polled) {
                w->poll.data = w;
                uv_poll_start(&w->poll, UV_READABLE, on_events);
        } else {
                log_warn("no inotify (%s): credentials are looked at every second", strerror(errno));
        }
        uv_timer_start(&w->look, on_look, w->polled ? LOOK_MS : LOOK_NO_MS, w->polled ? LOOK_MS : LOOK_NO_MS);
        return w;
}

static void closed(uv_handle_t *h)
{
        struct watch *w = h->data;

        if (--w->n_closing > 0)
                return;
        fd_close(&w->fd);
        free(w);
}

void watch_close(struct watch *w)
{
        if (w == NULL)
                return;
        w->n_closing = w->polled ? 3 : 2;
        uv_close((uv_handle_t *)&w->quiet, closed);
        uv_close((uv_handle_t *)&w->look, closed);
        if (w->polled)
                uv_close((uv_handle_t *)&w->poll, closed);
}

/* -- directories ----------------------------------------------------------- */

static void watch_dir(struct watch *w, const char *path)
{
        if (inotify_add_watch(w->fd, path, EVENTS | IN_ONLYDIR) < 0 && errno != ENOENT && errno != ENOTDIR)
                log_warn("%s: cannot be watched (%s), only looked at every %d s", path, strerror(errno),
                         LOOK_MS / 1000);
}

static void watch_children(struct watch *w, const char *path)
{
        char           child[PATH_MAX];
        struct dirent *e;
        DIR           *d = opendir(path);

        watch_dir(w, path);
        while (d != NULL && (e = readdir(d)) != NULL) {
                if (e->d_name[0] == '.' || e->d_type == DT_REG)
                        continue;
                if (snprintf(child, sizeof(child), "%s/%s", path, e->d_name) < (int)sizeof(child))
                        watch_dir(w, child);
        }
        if (d != NULL)
                closedir(d);
}

void watch_tree(struct watch *w, const char *dir)
{
        static const char *const parents[] = {"cacert", "untrusted", "server", "client"};
        char                     path[PATH_MAX];

        if (!w->polled)
                return;
        watch_dir(w, dir);
        snprintf(path, sizeof(path), "%s/security", dir);
        watch_dir(w, path);
        for (size_t i = 0; i < sizeof(parents) / sizeof(parents[0]); i++) {
                snprintf(path, sizeof(path), "%s/security/%s", dir, parents[i]);
                watch_children(w, path);
        }
}
