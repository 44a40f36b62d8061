/*
 * proc.h - the processes that are connected: applications, tools and, as users of lower layers, IPCPs.
 *
 * One connection is one process as long as it lives: the end of the connection is the end of the process,
 * whatever becomes of its pid. Who it is comes from the kernel (SO_PEERCRED) and from the spawner (the
 * program it runs), never from a message.
 */
#ifndef O7S_IRMD_PROC_H
#define O7S_IRMD_PROC_H

#include <uthash.h>

#include "irm.pb-c.h"
#include "irmd.h"
#include "quota.h"
#include "shm/bell.h"

struct chan;
struct link;

/* A flow_accept() that waits. */
struct accept {
        TAILQ_ENTRY(accept) by_proc;
        struct proc   *proc;
        uint32_t       id; /* of the request */
        struct timeout patience;
};

struct proc {
        TAILQ_ENTRY(proc) all;
        struct irmd  *irmd;
        struct chan  *chan;
        uint64_t      serial; /* never used again */
        pid_t         pid;
        uid_t         uid;
        struct quota *quota;
        bool          admin;    /* may manage                                       */
        bool          serves;   /* has asked to accept                              */
        bool          greeted;  /* has said hello                                   */
        char          comm[16]; /* what the kernel calls it: for people, not proof  */
        char         *exe;      /* real path of its program; NULL: not known (yet)  */
        char         *script;   /* likewise of the script it interprets, or ""      */
        TAILQ_HEAD(, flow) flows;
        uint64_t n_flows;
        TAILQ_HEAD(, accept) accepts; /* oldest first */
        uint64_t n_accepts;
        TAILQ_HEAD(, link) links;
        struct bell    watch;      /* rings while there is something to accept    */
        bool           watch_rung; /* and has rung since the process last asked   */
        UT_hash_handle hh;
};

/* Takes over @sock and serves it. */
void proc_open(struct irmd *d, int sock);

/* Ends the connection and all that belongs to it. */
void proc_close(struct proc *p);

/* NULL: has gone. */
struct proc *proc_by_serial(const struct irmd *d, uint64_t serial);

/* Answers request @id (nothing is sent for id 0). @why is for people, may be NULL. */
void proc_reply(struct proc *p, uint32_t id, int result, const char *why);

/* The same with a formatted reason. */
void proc_refuse(struct proc *p, uint32_t id, int result, const char *fmt, ...)
        __attribute__((format(printf, 4, 5)));

/* Answers with a body and descriptors, which are borrowed. @more: another answer follows. */
void proc_answer(struct proc *p, uint32_t id, const Irm__Reply *r, bool more, const int *fds, size_t n_fds);

/* The oldest waiting accept is over: taken from the process and freed; its request id is returned. */
uint32_t accept_take(struct proc *p);

/* Queues one; @timeout_ms 0 is without end. 0, -EUSERS (too many), -ENOMEM. */
int accept_wait(struct proc *p, uint32_t id, uint64_t timeout_ms);

/* Tells a process that watches that there is something to accept. */
void proc_ring_watch(struct proc *p);

/* Drops the one of request @id. False: there is none. */
bool accept_cancel(struct proc *p, uint32_t id);

#endif
