#include "loop/ticker.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/clock.h"

#define NOT_CALLING INT64_MIN

struct ticker {
        uv_timer_t       timer; /* runs if and only if the earliest deadline comes */
        struct deadlines queue;
        ticker_fn       *fn;
        void            *ctx;
        int64_t          armed_ns;   /* what the timer is set to; CLOCK_NEVER: it does not run */
        int64_t          calling_ns; /* the time that handlers are being called for, or NOT_CALLING */
        bool             closed;
};

static void on_timer(uv_timer_t *timer);

/*
 * Brings the timer in line with the queue. The loop's time is the monotonic clock in milliseconds, rounded
 * down: with the deadline rounded up the timer never fires early, however stale the loop's idea of now is.
 */
static void arm(struct ticker *t)
{
        int64_t next = deadlines_next(&t->queue);
        int64_t due_ms, now_ms;

        if (next == t->armed_ns || t->calling_ns != NOT_CALLING || t->closed)
                return;
        t->armed_ns = next;
        if (next == CLOCK_NEVER) {
                uv_timer_stop(&t->timer);
                return;
        }
        due_ms = next / NS_PER_MS + (next % NS_PER_MS > 0);
        now_ms = (int64_t)uv_now(t->timer.loop);
        uv_timer_start(&t->timer, on_timer, due_ms > now_ms ? (uint64_t)(due_ms - now_ms) : 0, 0);
}

static void on_timer(uv_timer_t *timer)
{
        struct ticker   *t   = timer->data;
        int64_t          now = clock_now_ns();
        struct deadline *d;

        t->armed_ns   = CLOCK_NEVER;
        t->calling_ns = now;
        while (!t->closed && (d = deadlines_pop(&t->queue, now)) != NULL)
                t->fn(t->ctx, d, now);
        t->calling_ns = NOT_CALLING;
        arm(t);
}

struct ticker *ticker_open(uv_loop_t *loop, ticker_fn *fn, void *ctx)
{
        struct ticker *t = calloc(1, sizeof(*t));

        if (t == NULL)
                return NULL;
        uv_timer_init(loop, &t->timer);
        t->timer.data = t;
        t->fn         = fn;
        t->ctx        = ctx;
        t->armed_ns   = CLOCK_NEVER;
        t->calling_ns = NOT_CALLING;
        return t;
}

static void on_closed(uv_handle_t *h)
{
        free(h->data);
}

void ticker_close(struct ticker *t)
{
        if (t == NULL || t->closed)
                return;
        t->closed = true;
        deadlines_fini(&t->queue);
        uv_close((uv_handle_t *)&t->timer, on_closed);
}

int ticker_set(struct ticker *t, struct deadline *d, int64_t due_ns)
{
        int r;

        /* A handler that sets what is overdue would never end its turn. */
        if (due_ns <= t->calling_ns)
                due_ns = t->calling_ns + 1;
        r = deadlines_set(&t->queue, d, due_ns);
        if (r == 0)
                arm(t);
        return r;
}

void ticker_cancel(struct ticker *t, struct deadline *d)
{
        deadlines_cancel(&t->queue, d);
        arm(t);
}
