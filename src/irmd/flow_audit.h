/*
 * flow_audit.h - what the audit log is told of a flow's end: that it was asked for, whom it is with, how it came to an
 * end. Every end that begins there ends there, once.
 */
#ifndef O7S_IRMD_FLOW_AUDIT_H
#define O7S_IRMD_FLOW_AUDIT_H

#include "flow.h"
#include "oap/reason.h"

/* What the handshake has found out is kept with the flow. */
void flow_learn(struct flow *f);

/* The number that a request gives itself, whatever becomes of it: both ends log the same. */
void flow_learn_id(struct flow *f, struct span request);

/* Once, as soon as its number in OAP is known. */
void flow_audit_asked(struct flow *f);
void flow_audit_authenticated(const struct flow *f);
void flow_audit_established(const struct flow *f);

/* It is over: refused, or closed when it was open (after keep_look()). */
void flow_audit_end(struct flow *f);

/* Why it is going to be over: a security reason with the handshake's detail; returns what the other side hears. */
int flow_blame(struct flow *f, int reason);

#endif
