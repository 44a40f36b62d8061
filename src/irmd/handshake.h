/*
 * handshake.h - the OAP handshake of one end of a flow (oap/oap.h) on the loop: which step comes next, which of them
 * are for the work queue, and what belongs to the flow afterwards.
 *
 *     client    handshake_client -> handshake_request -> (the layer) -> handshake_response
 *     server    handshake_server -> handshake_verify  -> (who accepts?) -> handshake_respond
 *
 * A step returns its result, or HANDSHAKE_LATER: then its done function is called, once, on the loop. Where there is no
 * public-key work (no credentials, plain suite) every step is done at once.
 */
#ifndef O7S_IRMD_HANDSHAKE_H
#define O7S_IRMD_HANDSHAKE_H

#include "oap/oap.h"
#include "oap/reason.h"
#include "security.h"

struct flow;
struct handshake;

#define HANDSHAKE_LATER (-1)

/* @r: enum oap_reason. */
typedef void handshake_fn(struct flow *f, int r);

/*
 * Take the policy of now. OAP_OK and *@out, of the flow @f, which outlives it (handshake_free()); or why the flow is
 * refused at once. @kernel: who the kernel says the peer is ("uid:1000"), or NULL when the flow is not local.
 */
int handshake_client(struct handshake **out, struct flow *f, const char *principal, const char *kernel,
                     struct span data);
int handshake_server(struct handshake **out, struct flow *f, const char *kernel);

/* Takes NULL. A step under way is not waited for; its done function is not called. */
void handshake_free(struct handshake *h);

int handshake_request(struct handshake *h, handshake_fn *done);
int handshake_response(struct handshake *h, struct span response, handshake_fn *done);
int handshake_verify(struct handshake *h, struct span request, handshake_fn *done);
int handshake_respond(struct handshake *h, struct span data, handshake_fn *done);

/* The request or the response, once made. */
struct span handshake_message(const struct handshake *h);

/* What came of it; see oap.h. Keys and data are there when the last step is done. */
const struct oap_keys  *handshake_keys(const struct handshake *h);
const struct oap_facts *handshake_facts(const struct handshake *h);
const struct leaf      *handshake_peer(const struct handshake *h);
struct span             handshake_data(const struct handshake *h);

/* First data waits until the client has proved to be live. */
bool handshake_holds(const struct handshake *h);

/* Whose credentials are used; NULL: nobody's. */
const char *handshake_principal(const struct handshake *h);

#endif
