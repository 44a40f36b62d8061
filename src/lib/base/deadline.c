#include "base/deadline.h"

#include <errno.h>
#include <stdlib.h>

static void put(struct deadlines *q, size_t at, struct deadline *d)
{
        q->heap[at - 1] = d;
        d->at           = at;
}

static void sift_up(struct deadlines *q, struct deadline *d)
{
        size_t at = d->at;

        while (at > 1 && q->heap[at / 2 - 1]->due_ns > d->due_ns) {
                put(q, at, q->heap[at / 2 - 1]);
                at /= 2;
        }
        put(q, at, d);
}

static void sift_down(struct deadlines *q, struct deadline *d)
{
        size_t at = d->at;

        for (;;) {
                size_t child = 2 * at;

                if (child > q->n)
                        break;
                if (child < q->n && q->heap[child]->due_ns < q->heap[child - 1]->due_ns)
                        child++;
                if (q->heap[child - 1]->due_ns >= d->due_ns)
                        break;
                put(q, at, q->heap[child - 1]);
                at = child;
        }
        put(q, at, d);
}

void deadlines_fini(struct deadlines *q)
{
        free(q->heap);
        *q = (struct deadlines){0};
}

int deadlines_set(struct deadlines *q, struct deadline *d, int64_t due_ns)
{
        if (d->at == 0 && q->n == q->cap) {
                size_t            cap  = q->cap == 0 ? 16 : 2 * q->cap;
                struct deadline **more = realloc(q->heap, cap * sizeof(*more));

                if (more == NULL)
                        return -ENOMEM;
                q->heap = more;
                q->cap  = cap;
        }
        d->due_ns = due_ns;
        if (d->at == 0)
                put(q, ++q->n, d);
        sift_up(q, d);
        sift_down(q, d);
        return 0;
}

void deadlines_cancel(struct deadlines *q, struct deadline *d)
{
        struct deadline *last;

        if (d->at == 0)
                return;
        last = q->heap[--q->n];
        if (last != d) {
                put(q, d->at, last);
                sift_up(q, last);
                sift_down(q, last);
        }
        d->at = 0;
}

int64_t deadlines_next(const struct deadlines *q)
{
        return q->n == 0 ? INT64_MAX : q->heap[0]->due_ns;
}

struct deadline *deadlines_pop(struct deadlines *q, int64_t now_ns)
{
        struct deadline *d;

        if (q->n == 0 || q->heap[0]->due_ns > now_ns)
                return NULL;
        d = q->heap[0];
        deadlines_cancel(q, d);
        return d;
}
