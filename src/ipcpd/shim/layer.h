/*
 * layer.h - what the files of the shim share, and nobody else sees: shim.c (its life, and what the link
 * says), where.c (names), client.c, server.c and end.c (flows).
 *
 * A function that takes a flow may end it, but for shim_flow_*() of flows.h: nobody touches a flow that
 * he has handed to one, nor after pump_in() and pump_end(), which may find that the application broke its
 * ring.
 */
#ifndef O7S_IPCPD_SHIM_LAYER_H
#define O7S_IPCPD_SHIM_LAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/deadline.h"
#include "ipcpd/shim/link.h"
#include "ipcpd/common/ops.h"
#include "ipcpd/shim/pump.h"
#include "ipcpd/shim/flows.h"
#include "ipcpd/shim/lookup.h"
#include "ipcpd/shim/names.h"
#include "ipcpd/transport/transport.h"
#include "loop/ticker.h"

#define SHIM_ADDR_TEXT 64u /* link_ops.addr_text() */

#define SHIM_NO_OAP ((struct oap_bytes){NULL, 0})

struct shim {
        const struct ipcp_up  *up;
        const struct link_ops *link_ops;
        uv_loop_t             *loop;
        struct link_up         link_up; /* we, as the link sees us */
        size_t                 hash_len;
        bool                   works; /* the link */

        /* Made by bootstrap(), in this order; NULL before and after. */
        void                *link;
        struct link_facts    facts;
        struct shim_names   *names;
        struct shim_lookups *lookups;
        struct shim_flows   *flows;
        struct transport    *transport;
        struct ticker       *ticker;
        struct pump         *pump;
        struct deadline      tick; /* of the transport */
};

/* -- shim.c ---------------------------------------------------------------- */

/* To be called after whatever may have given the transport something to do. */
void shim_rearm(struct shim *s);

/* At most 256 bytes. */
void shim_random(void *buf, size_t len);

/* For @port, or IPCP_NO_PORT, there is no flow: its application, if it has one, reads the end. */
void shim_port_end(struct shim *s, struct ipcp_port port);

/* @out as text. Returns it. */
const char *shim_addr(const struct shim *s, const struct link_addr *a, char out[SHIM_ADDR_TEXT]);

/* How packets of a flow with @peer travel. */
void shim_way(const struct shim *s, const struct link_addr *peer, struct ipcp_way *out);

/* -- where.c ---------------------------------------------------------- */

int  shim_reg(void *layer, uint32_t ask, const uint8_t *hash);
int  shim_unreg(void *layer, uint32_t ask, const uint8_t *hash);
void shim_name_query(void *layer, uint32_t ask, const uint8_t *hash);

/* @who is told where @hash is, now or later. */
void shim_look_up(struct shim *s, const uint8_t *hash, struct shim_waiter who);

/* What a source says to the look-up @number; none: nobody. */
void shim_heard(struct shim *s, uint32_t number, const struct link_addr *addrs, size_t n);

/* -- client.c --------------------------------------------------------- */

void shim_flow_alloc(void *layer, uint32_t ask, uint64_t flow_id, const uint8_t *hash, const qosspec_t *qs,
                     struct oap_bytes oap, struct ipcp_port port);

/* The name that @f looks for is @at; none: nowhere. */
void shim_flow_found(struct shim *s, struct shim_flow *f, const struct shim_places *at);

/* transport_ops.reply */
void shim_on_reply(void *ctx, uint64_t cookie, const struct transport_key *k, int result, uint32_t eid,
                   struct transport_bytes oap);

/* A flow that is not OPEN yet has failed: irmd is told, the peer is not. */
void shim_flow_refuse(struct shim *s, struct shim_flow *f, int result);

/* -- server.c --------------------------------------------------------- */

/* transport_ops.request */
void shim_on_request(void *ctx, const struct transport_key *k, const struct transport_request *rq);

void shim_flow_answered(void *layer, uint32_t ask, int result, uint64_t flow_id, struct oap_bytes oap,
                        struct ipcp_port port);

/* -- end.c ------------------------------------------------------------ */

/* Gives back all that @f has, and tells nobody. */
void shim_flow_drop(struct shim *s, struct shim_flow *f);

/* The same, and the peer is told. */
void shim_flow_finish(struct shim *s, struct shim_flow *f);

void shim_flow_dealloc(void *layer, uint64_t flow_id);

/* What @f still had to say has not been said in time. */
void shim_flow_lingered(struct shim *s, struct shim_flow *f);

/* transport_ops.dealloc, pump_ops.broken, pump_ops.drained */
void shim_on_dealloc(void *ctx, const struct transport_key *k);
void shim_on_broken(void *ctx, void *flow_ctx);
void shim_on_drained(void *ctx, void *flow_ctx);

/* Ends all flows, whose peers are told. */
void shim_end_all(struct shim *s);

#endif
