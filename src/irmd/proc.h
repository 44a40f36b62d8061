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

/* A flow_accept() that waits for a flow, or has one whose handshake is being answered. */
struct accept {
        TAILQ_ENTRY(accept) by_proc;
        struct proc   *proc;
        struct flow   *flow; /* the one that is being answered */
        uint32_t       id;   /* of the request */
        struct timeout patience;
        int64_t        due_ns; /* when that is over; CLOCK_NEVER */
        size_t         data_len;
        uint8_t        data[]; /* first data for the client */
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
        char         *user;     /* name of its user; NULL: not looked up            */
        TAILQ_HEAD(, flow) flows;
        uint64_t n_flows;
        TAILQ_HEAD(, accept) accepts; /* that wait, oldest first */
        TAILQ_HEAD(, accept) taken;   /* that have a flow        */
        uint64_t n_accepts;           /* that wait               */
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

/* The oldest waiting accept is @f's from now on: others do not get it, and it does not time out. */
struct accept *accept_take(struct proc *p, struct flow *f);

/* It waits again, in front: the flow came to nothing. */
void accept_give_back(struct accept *a);

/* It is over: freed; the id of its request is returned. */
uint32_t accept_end(struct accept *a);

/* Queues one; @timeout_ms 0 is without end; @data is copied. 0, -EUSERS (too many), -ENOMEM. */
int accept_wait(struct proc *p, uint32_t id, uint64_t timeout_ms, const uint8_t *data, size_t data_len);

/* Name of the user that @p runs as; "" when there is none. */
const char *proc_user(struct proc *p);

/* Tells a process that watches that there is something to accept. */
void proc_ring_watch(struct proc *p);

/* Drops the one of request @id, of those that wait or of all. False: there is none. */
bool accept_cancel(struct proc *p, uint32_t id, bool waiting_only);

#endif
