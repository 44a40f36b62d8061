/*
 * rpc.h - many calls at once over one connection to irmd, by the threads of one process.
 *
 * There is no thread for it: whoever waits for an answer first becomes the reader and hands other threads
 * theirs; when it has its own it passes the office on. Any thread may use any function; a call belongs to one
 * thread at a time.
 */
#ifndef O7S_CTL_RPC_H
#define O7S_CTL_RPC_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "ctl/ctl.h"

struct rpc; /* private to rpc.c, counted */

/* One answer. Freed with rpc_msg_free(), which wipes the body, for it may hold keys, and closes the descriptors that were not taken (set to -1). */
struct rpc_msg {
        STAILQ_ENTRY(rpc_msg) next;
        bool    more;
        size_t  n_fds; /* fewer than were sent when this process has too many open */
        int     fds[CTL_FDS_MAX];
        size_t  len;
        uint8_t body[];
};

/* One request that is being answered: private to rpc.c, kept by the caller, and not moved before rpc_end().
 */
struct rpc_call {
        LIST_ENTRY(rpc_call) same_bucket;
        TAILQ_ENTRY(rpc_call) wait;
        STAILQ_HEAD(, rpc_msg) answers;
        pthread_cond_t arrived;
        uint32_t       id;
        bool           dropped; /* an answer, for want of memory */
};

/* Connects to @path; *@out has one reference. 0, -EIRMD, -EMFILE, -ENOMEM. */
int rpc_open(struct rpc **out, const char *path);

struct rpc *rpc_ref(struct rpc *r);

/* Takes NULL. */
void rpc_unref(struct rpc *r);

/* Whether the connection was lost, as far as a call has met it; it does not come back. */
bool rpc_lost(struct rpc *r);

/*
 * After fork, in the child: closes the connection without using a lock that another thread may have held, and
 * forgets it whoever has references, and its calls: none is to be ended. Takes NULL.
 */
void rpc_forget(struct rpc *r);

/*
 * Sends a request and registers @c for the answers. 0, -EIRMD (lost, or irmd has not read for seconds),
 * -EMSGSIZE, -ENOMEM. On failure @c is not registered.
 */
int rpc_begin(struct rpc *r, struct rpc_call *c, const void *body, size_t len);

/*
 * Waits for the next answer to @c until the monotonic time @deadline_ns (0: does not wait; CLOCK_NEVER:
 * without end). 0, -ETIMEDOUT, -EIRMD (answers that came before the loss are given first), -ENOMEM. Without
 * waiting, an answer that another thread is just receiving is not seen yet.
 */
int rpc_next(struct rpc *r, struct rpc_call *c, int64_t deadline_ns, struct rpc_msg **m);

/* Ends the registration. Answers that come later are dropped with their descriptors. */
void rpc_end(struct rpc *r, struct rpc_call *c);

/* The id that irmd knows the call by, for Cancel. */
static inline uint32_t rpc_id(const struct rpc_call *c)
{
        return c->id;
}

/* Sends a request that wants no answer. 0, -EIRMD, -EMSGSIZE. */
int rpc_post(struct rpc *r, const void *body, size_t len);

void rpc_msg_free(struct rpc_msg *m);

#endif
