/*
 * ipcp.h - the IPC processes: started, configured, asked, and noticed when they die.
 *
 * Questions have a continuation that is called exactly once: with the IPCP's answer, or with -EIPCP
 * when it has gone.
 */
#ifndef O7S_IRMD_IPCP_H
#define O7S_IRMD_IPCP_H

#include <uthash.h>

#include <ouroboros/ipcp.h>

#include "crypt/hash.h"
#include "irmd.h"
#include "name.h"
#include "oap/message.h"

struct chan;
struct ipcp_call;
struct way;
struct mgmt;
struct reg;
struct Ipcp__Request;

struct ipcp {
        TAILQ_ENTRY(ipcp) all;
        struct irmd    *irmd;
        uint64_t        serial; /* never given out again */
        char            name[NAME_SIZE + 1];
        enum ipcp_type  type;
        enum ipcp_state state;
        pid_t           pid; /* 0: not yet started */
        char            layer[LAYER_NAME_SIZE + 1];
        enum hash_algo  algo;
        struct chan    *chan;
        bool            leaving;            /* was told to end */
        struct timeout  patience;           /* until it is ready, or until it has ended */
        struct reg     *regs;               /* by hash */
        TAILQ_HEAD(ipcp_flows, flow) flows; /* that it carries or is asked for */
        struct ipcp_call *calls;            /* by id */
        uint32_t          last_id;
        struct mgmt      *creator;   /* who waits for it to be ready */
        struct mgmt      *destroyer; /* who waits for it to be gone  */
};

/* @result: 0 or a negative code; @oap and @way (or NULL): what came with it. */
typedef void ipcp_done_fn(void *ctx, int result, struct span oap, const struct way *way);

/* NULL: none. */
struct ipcp *ipcp_by_pid(const struct irmd *d, pid_t pid);
struct ipcp *ipcp_by_name(const struct irmd *d, const char *name);
struct ipcp *ipcp_by_serial(const struct irmd *d, uint64_t serial);

/* Starts one; takes @who, which is answered when it is ready. */
void ipcp_create(struct irmd *d, const char *name, enum ipcp_type type, struct mgmt *who);

/* Ends it; takes @who (or NULL), which is answered when it has gone. */
void ipcp_destroy(struct ipcp *i, struct mgmt *who);

/* Without waiting: for the end of the daemon. */
void ipcp_free(struct ipcp *i);

void ipcp_bootstrap(struct ipcp *i, const struct ipcp_config *conf, struct mgmt *who);

/* Sends a question whose answer goes to @done, later. Returns its id, or 0: out of memory. */
uint32_t ipcp_ask(struct ipcp *i, struct Ipcp__Request *req, ipcp_done_fn *done, void *ctx);

/* No answer is wanted any more to the question @id. */
void ipcp_forget(struct ipcp *i, uint32_t id);

/* Sends a request that wants no answer. */
void ipcp_tell(struct ipcp *i, struct Ipcp__Request *req);

/* Asks the IPCP for a flow to @f's destination, with its side of the port; @done gets @f and the answer, later. 0 or -ENOMEM. */
int ipcp_flow_alloc(struct ipcp *i, struct flow *f, struct span oap, ipcp_done_fn *done);

/* Answers the IPCP's question @id about the flow that arrived; with @f, that is up, and the IPCP's side of its port. */
void ipcp_flow_accept(struct ipcp *i, uint32_t id, struct flow *f, struct span oap);
void ipcp_flow_refuse(struct ipcp *i, uint32_t id, int result);

/* Drops the question that was asked for this end. */
void ipcp_flow_forget(struct ipcp *i, struct flow *f);

/* Tells it that this end is over, and drops the question that was asked for it. */
void ipcp_flow_dealloc(struct ipcp *i, struct flow *f);

/* A process that we started has ended. */
void ipcp_exited(struct irmd *d, pid_t pid, int status);

#endif
