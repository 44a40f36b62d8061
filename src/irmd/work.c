#include "work.h"

#include <errno.h>
#include <stdlib.h>

struct work {
        uv_loop_t *loop;
        size_t     n, max;
        void (*idle)(void *ctx);
        void *ctx;
};

struct work *work_open(uv_loop_t *loop, size_t max, void (*idle)(void *ctx), void *ctx)
{
        struct work *w = malloc(sizeof(*w));

        if (w != NULL)
                *w = (struct work){.loop = loop, .max = max, .idle = idle, .ctx = ctx};
        return w;
}

void work_close(struct work *w)
{
        free(w);
}

static void on_run(uv_work_t *req)
{
        struct job *j = req->data;

        j->run(j);
}

static void on_done(uv_work_t *req, int status)
{
        struct job  *j = req->data;
        struct work *w = j->work;

        (void)status; /* nobody cancels */
        w->n--;
        j->done(j);
        if (w->n == 0 && w->idle != NULL)
                w->idle(w->ctx);
}

int work_start(struct work *w, struct job *j, bool known)
{
        if (w->n >= (known ? w->max : w->max / 2))
                return -EBUSY;
        j->work     = w;
        j->req.data = j;
        if (uv_queue_work(w->loop, &j->req, on_run, on_done) < 0)
                return -EBUSY;
        w->n++;
        return 0;
}

size_t work_count(const struct work *w)
{
        return w->n;
}
