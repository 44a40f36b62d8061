/*
 * deadline.h - what is due when: a binary heap of deadlines that are part of the objects they belong to.
 *
 * No clock and no timer of its own: a loop asks for the earliest deadline, sleeps until then, and pops what
 * is due.
 */
#ifndef O7S_BASE_DEADLINE_H
#define O7S_BASE_DEADLINE_H

#include <stddef.h>
#include <stdint.h>

/* Embedded in an object; zero-initialised means not queued. */
struct deadline {
        int64_t due_ns;
        size_t  at; /* 1-based place in the heap, 0: not in it */
};

struct deadlines {
        struct deadline **heap;
        size_t            n, cap;
};

void deadlines_fini(struct deadlines *q);

/* Sets or moves @d. 0 or -ENOMEM, then @d is as before. */
int deadlines_set(struct deadlines *q, struct deadline *d, int64_t due_ns);

void deadlines_cancel(struct deadlines *q, struct deadline *d);

/* When the first is due; INT64_MAX: there is none. */
int64_t deadlines_next(const struct deadlines *q);

/* Takes out one that is due at @now_ns, earliest first, or NULL. */
struct deadline *deadlines_pop(struct deadlines *q, int64_t now_ns);

#endif
