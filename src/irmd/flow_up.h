/* flow_up.h - what the process of an end is told: that it must wait, that there is a flow, that there is none. */
#ifndef O7S_IRMD_FLOW_UP_H
#define O7S_IRMD_FLOW_UP_H

#include "flow.h"

/* Gives the client the end of its bell that becomes the flow descriptor, before the outcome is known. 0 or -errno. */
int flow_send_pending(struct flow *f);

/*
 * The flow is up: sends the process of this end its port and, if there are any, the flow's secrets, in answer to
 * @request.
 */
void flow_send_up(struct flow *f, uint32_t request);

/* There is none: answers the client; one that has its bell already and may not be waiting for the answer hears it. */
void flow_send_refusal(struct flow *f, int result, const char *why);

#endif
