/*
 * flows.h - the flows of a shim, and how they are found: by irmd's id, by the number of an arrival, by
 * where their packets come from, and by their exchange. Owns the memory of flows, not what hangs on them.
 * Pure.
 */
#ifndef O7S_IPCPD_SHIM_FLOWS_H
#define O7S_IPCPD_SHIM_FLOWS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define HASH_NONFATAL_OOM 1 /* an element that could not be added has no table */
#include <uthash.h>

#include "base/deadline.h"
#include "ipcpd/shim/link.h"
#include "ipcpd/shim/pump.h"
#include "ipcpd/transport/transport.h"

/*
 *     client: LOOKING -> ASKING -> OPEN -> ENDING        (back to LOOKING once, when the name has moved)
 *     server:           ARRIVED -> OPEN -> ENDING
 *
 * Any of them may be the last: a flow that has failed is removed.
 */
enum shim_state {
        SHIM_LOOKING, /* for who has the name                         */
        SHIM_ASKING,  /* the peer; packets that come are kept already */
        SHIM_ARRIVED, /* irmd is asked                                */
        SHIM_OPEN,
        SHIM_ENDING, /* the application has ended it; what it wrote goes out */
        SHIM_N_STATES
};

/* Where a packet that comes belongs. Bytes only, so that equal keys are equal memory; likewise below. */
struct shim_end {
        struct link_addr peer;
        uint8_t          eid[4];
};

struct shim_exchange {
        struct link_addr peer;
        uint8_t          id[8];
};

struct shim_wish; /* of a client: client.c */

struct shim_flow {
        enum shim_state   state;
        uint32_t          ask;     /* client: irmd's; server: ours, by which it was found when ARRIVED */
        struct link_path  path;    /* `to` and `own_eid` when placed, `eid` when OPEN                  */
        struct pump_flow *pump;    /* NULL when ARRIVED                                                */
        struct shim_wish *request; /* until a client is OPEN; else NULL                                */
        struct deadline   linger;  /* when ENDING                                                      */
        /* private to flows.c */
        uint64_t             id;
        struct shim_end      end;
        struct shim_exchange exchange;
        LIST_ENTRY(shim_flow) all;
        UT_hash_handle by_id, by_ask, by_end, by_exchange;
};

struct shim_flows; /* private to flows.c */

/* NULL: out of memory. */
struct shim_flows *shim_flows_create(void);
void               shim_flows_destroy(struct shim_flows *fs); /* with all flows. Takes NULL */

/* One after the other, while they are removed. NULL: there is none. */
struct shim_flow *shim_flows_first(const struct shim_flows *fs);

/* A new flow, to be found by nothing yet. NULL: out of memory. */
struct shim_flow *shim_flows_add(struct shim_flows *fs);
void              shim_flows_remove(struct shim_flows *fs, struct shim_flow *f);

/* By irmd's @id, which stays. 0, -EEXIST, -ENOMEM. */
int shim_flow_name(struct shim_flows *fs, struct shim_flow *f, uint64_t id);

/* 0: it has none. */
uint64_t shim_flow_id(const struct shim_flow *f);

/* By a number that is drawn as `ask`, until shim_flow_settle(). 0 or -ENOMEM. */
int  shim_flow_number(struct shim_flows *fs, struct shim_flow *f);
void shim_flow_settle(struct shim_flows *fs, struct shim_flow *f);

/*
 * By where its packets come from: @peer and an endpoint id that no other flow with it has, which @eid_of
 * makes of a random number; @r is one. Then the path's `to` and `own_eid` are set. 0, -EBUSY: none is free,
 * -ENOMEM.
 */
int shim_flow_place(struct shim_flows *fs, struct shim_flow *f, const struct link_addr *peer,
                    uint32_t (*eid_of)(uint64_t r), uint64_t r);

/* By the exchange with the peer that it was placed at. 0, -EEXIST, -ENOMEM. */
int shim_flow_bind(struct shim_flows *fs, struct shim_flow *f, uint64_t exchange_id);

/* The exchange; its id is 0 when the flow is not bound, and its peer is none when it is not placed. */
void shim_flow_key(const struct shim_flow *f, struct transport_key *out);

/* Neither placed nor bound any more. */
void shim_flow_unplace(struct shim_flows *fs, struct shim_flow *f);

/* NULL: there is none. */
struct shim_flow *shim_flow_by_id(const struct shim_flows *fs, uint64_t id);
struct shim_flow *shim_flow_by_ask(const struct shim_flows *fs, uint32_t ask);
struct shim_flow *shim_flow_by_end(const struct shim_flows *fs, const struct link_addr *peer,
                                   uint32_t own_eid);
struct shim_flow *shim_flow_by_exchange(const struct shim_flows *fs, const struct transport_key *k);

size_t shim_flows_count(const struct shim_flows *fs);

#endif
