/*
 * ipcp.h - the IPC processes: started, configured, asked, and noticed when they die.
 *
 * Names travel to an IPCP as hashes; a registration (reg) remembers which name a hash stands for in which
 * IPCP. Questions have a continuation that is called exactly once: with the IPCP's answer, or with -EIPCP
 * when it has gone.
 */
#ifndef O7S_IRMD_IPCP_H
#define O7S_IRMD_IPCP_H

#include <uthash.h>

#include <ouroboros/ipcp.h>

#include "crypt/hash.h"
#include "irmd.h"
#include "name.h"

struct chan;
struct ipcp_call;

struct ipcp {
        TAILQ_ENTRY(ipcp) all;
        struct irmd    *irmd;
        char            name[NAME_SIZE + 1];
        enum ipcp_type  type;
        enum ipcp_state state;
        pid_t           pid; /* 0: not yet started */
        char            layer[LAYER_NAME_SIZE + 1];
        enum hash_algo  algo;
        struct chan    *chan;
        bool            leaving;  /* was told to end */
        struct timeout  patience; /* until it is ready, or until it has ended */
        struct reg     *regs;     /* by hash */
        TAILQ_HEAD(, flow) flows; /* that it carries or is asked for */
        struct ipcp_call *calls;  /* by id */
        uint32_t          last_id;
        struct mgmt      *creator;   /* who waits for it to be ready */
        struct mgmt      *destroyer; /* who waits for it to be gone  */
};

/* A name's registration in a layer. */
struct reg {
        LIST_ENTRY(reg) by_name;
        struct ipcp   *ipcp;
        struct name   *name;
        size_t         len;
        uint8_t        digest[HASH_MAX];
        UT_hash_handle hh;
};

/* Who asked for something that takes a while: the request is answered when it is done, if the process is
 * still there. */
struct mgmt {
        struct irmd *irmd;
        uint64_t     serial; /* of the process */
        uint32_t     id;     /* of the request */
};

/* @result: 0 or a negative code. */
typedef void ipcp_done_fn(void *ctx, int result);

/* NULL: none. */
struct ipcp *ipcp_by_pid(const struct irmd *d, pid_t pid);
struct ipcp *ipcp_by_name(const struct irmd *d, const char *name);

/* Starts one; takes @who, which is answered when it is ready. */
void ipcp_create(struct irmd *d, const char *name, enum ipcp_type type, struct mgmt *who);

/* Ends it; takes @who (or NULL), which is answered when it has gone. */
void ipcp_destroy(struct ipcp *i, struct mgmt *who);

/* Without waiting: for the end of the daemon. */
void ipcp_free(struct ipcp *i);

void ipcp_bootstrap(struct ipcp *i, const struct ipcp_config *conf, struct mgmt *who);

/* The registration of @n in @i, or NULL. */
struct reg *reg_find(const struct ipcp *i, const struct name *n);

/* Registers, and answers @who. */
void reg_create(struct ipcp *i, struct name *n, struct mgmt *who);

/* Unregisters, without waiting for the IPCP. */
void reg_drop(struct reg *r);

/* Asks the IPCP for a flow to @r; @done gets @f and the answer, later. 0 or -ENOMEM. */
int ipcp_flow_alloc(struct ipcp *i, const struct reg *r, struct flow *f, ipcp_done_fn *done);

/* Answers the IPCP's question @id about the flow that arrived. */
void ipcp_flow_answer(struct ipcp *i, uint32_t id, int result, uint64_t flow_id);

/* Tells it that this end is over, and drops the question that was asked for it. */
void ipcp_flow_dealloc(struct ipcp *i, struct flow *f);

/* A process that we started has ended. */
void ipcp_exited(struct irmd *d, pid_t pid, int status);

/* Remembers that request @id of @p will be answered. NULL: out of memory, and the request was
 * answered so. */
struct mgmt *mgmt_create(struct proc *p, uint32_t id);

/* Answers who asked, if still there, and frees @m. Takes NULL. */
void mgmt_done(struct mgmt *m, int result, const char *why);

#endif
