/*
 * work.h - public-key operations off the loop: a bounded queue of jobs on libuv's threads.
 *
 * Half of the queue is kept for those who are known (this host's own clients, and sources that were verified before):
 * strangers who ask for more than the other half are refused at once, never made to wait. A job is a pure function of
 * what its owner put into it; its end comes on the loop.
 */
#ifndef O7S_IRMD_WORK_H
#define O7S_IRMD_WORK_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct work;

struct job {
        uv_work_t    req;
        struct work *work;
        void (*run)(struct job *j);  /* on a thread                          */
        void (*done)(struct job *j); /* on the loop; @j may be freed in it   */
};

/*
 * @max jobs at once, running or waiting. @idle is called on the loop whenever the last job has ended (NULL: is not).
 * NULL: out of memory.
 */
struct work *work_open(uv_loop_t *loop, size_t max, void (*idle)(void *ctx), void *ctx);

/* No job may be left. Takes NULL. */
void work_close(struct work *w);

/* Starts @j with its run and done set. 0 or -EBUSY: then done() is not called. */
int work_start(struct work *w, struct job *j, bool known);

/* Jobs that have not ended. */
size_t work_count(const struct work *w);

#endif
