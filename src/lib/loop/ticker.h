/*
 * ticker.h - the deadlines of a daemon (base/deadline.h) on its libuv loop.
 *
 * One timer for all of them, set to the earliest; none runs while nothing is set, so an idle daemon is not
 * woken. Not thread safe: one loop, one thread.
 */
#ifndef O7S_LOOP_TICKER_H
#define O7S_LOOP_TICKER_H

#include <stdint.h>
#include <uv.h>

#include "base/deadline.h"

struct ticker; /* private to ticker.c */

/*
 * @d is due: it is out of the queue, and may be set again or freed. The handler may set, cancel and close.
 * Never called from within the functions below; what a handler sets to a time that has passed is called in a
 * later turn of the loop.
 */
typedef void ticker_fn(void *ctx, struct deadline *d, int64_t now_ns);

/* NULL: out of memory. */
struct ticker *ticker_open(uv_loop_t *loop, ticker_fn *fn, void *ctx);

/*
 * No call comes after this; deadlines that are still set are forgotten and not touched. The loop must turn
 * once more to free it. Takes NULL.
 */
void ticker_close(struct ticker *t);

/*
 * Sets or moves @d, which is borrowed until it is due or cancelled. A deadline of CLOCK_NEVER is kept, but
 * does not come. 0, or -ENOMEM: then @d is as before.
 */
int ticker_set(struct ticker *t, struct deadline *d, int64_t due_ns);

/* Takes @d out, whether it is in or not. */
void ticker_cancel(struct ticker *t, struct deadline *d);

#endif
