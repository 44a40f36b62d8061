/*
 * flow_step.h - inside the flow modules: the events of the table in flow.h, the handlers of its cells (flow_client.c,
 * flow_server.c), and what handlers are made of (flow.c). A handler does what the event means, and returns the next
 * state; it never frees.
 */
#ifndef O7S_IRMD_FLOW_STEP_H
#define O7S_IRMD_FLOW_STEP_H

#include "flow.h"

enum flow_event {
        EV_ASK,
        EV_READY, /* a step of the handshake is done */
        EV_ARRIVE,
        EV_WAIT,
        EV_START,
        EV_ACCEPT,
        EV_ANSWER,
        EV_REFUSE,
        EV_TIMEOUT,
        EV_CLOSE,
        EV_N
};

/* What comes with an event: a result that was given, what the other irmd says, or the process that accepts. */
struct cause {
        int          result;
        const char  *why;
        struct span  oap;
        struct proc *proc;
};

typedef enum flow_state flow_fn(struct flow *f, const struct cause *c);

flow_fn client_ask, client_found, client_prepared, client_prepare_refused, client_answered, client_refused,
        client_checked, client_check_refused, client_timed_out;
flow_fn server_arrive, server_verified, server_wait, server_wait_for_start, server_accepted, server_responded,
        server_refused, server_timed_out, server_closed, server_answer_refused, server_answer_timed_out,
        server_answer_closed;
flow_fn flow_closed;

/* A process takes the end as its own. 0, -EUSERS or -EMFILE, which flow_quota_why() explains. */
int         flow_adopt(struct flow *f, struct proc *p);
const char *flow_quota_why(int r);

/* The layer that carries it. */
void flow_attach(struct flow *f, struct ipcp *i);
void flow_detach(struct flow *f);

/*
 * The port of an end whose other end is elsewhere, or still to be found: side 0 is the process, side 1 the IPCP. The process
 * pays. 0, -EUSERS, -EMFILE, -ENOMEM, …
 */
int flow_make_port(struct flow *f);

/* An attempt has failed: the next one gets a port of its own. */
void flow_drop_port(struct flow *f);

/* Why it is over, unless that is known better already. Returns @result. */
int flow_note_result(struct flow *f, int result);

/* The client's end has its answer, from a layer or from its twin (an ipcp_done_fn). */
void flow_answered(void *ctx, int result, struct span oap, const struct way *way);

/* Its lookup has something to say (a lookup_fn). */
void flow_found(struct flow *f);

/* A step of the handshake has come to its end on the work queue (a handshake_fn). */
void flow_handshake_ready(struct flow *f, int r);

#endif
