/*
 * irmd.h - the root object of the daemon, which everything in this folder is reached from.
 *
 *     proc   a connected process: its requests, what it is bound to, its flows
 *     name   a name: who may accept for it (bind), where it is reachable (reg), flows that wait and who gets
 *            them (place)
 *     ipcp   an IPC process: its life cycle and the questions asked of it
 *     flow   one end of a flow, from being asked for to the end: the state table of allocation
 *     handshake   OAP of one end of a flow, with what all of them share (security): credentials, replay cache, …
 *     audit  the log of who talked to whom
 *     keylog the secrets of flows, for who debugs; usually there is none
 *     keep   what the daemon keeps of the shared memory of an open flow
 *     verb_* the requests of irm.proto, checked and carried out
 *     spawn  the small process that starts programs
 *
 * One thread, one loop. An object is freed by its own module only, and whoever is told that something has
 * gone drops his pointer then.
 */
#ifndef O7S_IRMD_IRMD_H
#define O7S_IRMD_IRMD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>
#include <uv.h>

#include "base/deadline.h"
#include "conf.h"
#include "keep.h"

#define FDS_WANTED (1u << 20) /* descriptors */

struct flow;
struct ipcp;
struct name;
struct proc;
struct audit;
struct quotas;
struct security;
struct spawn;
struct ticker;

/* Something that is done when its time comes. */
struct timeout {
        struct deadline deadline;
        void (*due)(struct timeout *t);
};

struct irmd {
        const struct conf *conf;
        uid_t              uid; /* our own, after giving root up                  */
        gid_t              admin_gid;
        bool               has_admin_gid;
        int64_t            born_ns;

        uv_loop_t      loop;
        uv_poll_t      listener;
        int            listen_fd;
        int            lock_fd;
        int            spare_fd; /* given up to be able to refuse a connection when there is none left */
        uv_signal_t    signals[3];
        struct ticker *ticker;
        struct spawn  *spawn;
        struct quotas *quotas;
        struct keeps   keeps;

        struct security *security;
        struct audit    *audit;
        uv_prepare_t     turn; /* the end of each turn of the loop, before it sleeps */

        TAILQ_HEAD(, ipcp) ipcps; /* in the order of preference */
        TAILQ_HEAD(, proc) procs;
        struct proc *proc_by_serial;
        struct name *names; /* by name */
        struct flow *flows; /* by id */
        uint64_t     last_flow_id, last_serial;
        uint64_t     n_allocated, n_refused;
        bool         leaving;
};

/* 0 or -ENOMEM. */
int  irmd_timeout_set(struct irmd *d, struct timeout *t, int64_t due_ns);
void irmd_timeout_cancel(struct irmd *d, struct timeout *t);

/* Runs until a signal ends it. @spawner is irmd's end of the spawner's socket. Returns the exit status. */
int irmd_run(const struct conf *conf, int spawner);

#endif
