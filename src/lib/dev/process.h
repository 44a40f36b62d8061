/*
 * process.h - what the library holds for its process: the connection to irmd, the flows, the flow sets. Set
 * up at the first call that needs it; there is no constructor.
 *
 * A forked child has none of it: a handler (pthread_atfork) empties this in the child, where other threads'
 * locks may have been copied while held.
 */
#ifndef O7S_DEV_PROCESS_H
#define O7S_DEV_PROCESS_H

#include <pthread.h>
#include <stdint.h>
#include <sys/queue.h>

#include "dev/shelf.h"
#include "dev/table.h"
#include "pb/irm.pb-c.h"

struct ask;
struct flow_set;
struct rpc;

/* The descriptor of flow_accept_fd(). */
struct watch {
        pthread_mutex_t lock;
        struct rpc     *rpc; /* rings it, a reference; NULL: there is none */
        int             fd;
};

struct process {
        pthread_mutex_t lock; /* held while connecting */
        struct rpc     *rpc;
        struct watch    watch;
        struct table    flows;
        struct shelf    shelf;

        /*
         * Of all flow sets and who is in them: never held across a wait, and taken before the lock of a slot.
         */
        pthread_mutex_t sets_lock;
        LIST_HEAD(, flow_set) sets;
};

/* The only state of the library. */
extern struct process process;

/*
 * The connection to irmd, greeted (Hello). One that was lost is replaced. *@out is a reference of the
 * caller's, for rpc_unref(). 0, -EIRMD (no daemon, or one that speaks another version), -ENOMEM.
 */
int process_connect(struct rpc **out);

/*
 * Asks @req of irmd: ask_begin() on that connection. A loss that shows only in the attempt is made good:
 * nothing was asked then.
 */
int process_ask(struct ask *a, const Irm__Request *req, int64_t give_up_ns);

/* From now on a forked child starts afresh. To be called before anything is put into `process`. */
void process_prepare(void);

static inline struct slot *process_slot(int fd)
{
        return table_find(&process.flows, fd);
}

#endif
