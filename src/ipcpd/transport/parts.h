/*
 * parts.h - what the files of the handshake transport share: the engine, and its kinds of things
 * under way, each with its table and its timer. Private to transport*.c.
 *
 *     asker.c      requests of ours
 *     answerer.h   requests of others: let in (request.c), answered (reply.c)
 *     query.c      who has a name, both sides
 *     farewell.c   the end of flows, both sides
 */
#ifndef O7S_IPCPD_TRANSPORT_PARTS_H
#define O7S_IPCPD_TRANSPORT_PARTS_H

#include <sys/queue.h>

#include "base/deadline.h"
#include "ipcpd/transport/transport.h"
#include "ipcpd/transport/memory.h"
#include "ipcpd/transport/message.h"
#include "ipcpd/transport/quota.h"
#include "ipcpd/transport/table.h"
#include "ipcpd/transport/token.h"
#include "wire/shim.h"

#define REPEAT_NS (300 * NS_PER_MS) /* first gap of what is repeated */

/* Queued from the birth of what it belongs to until its end, so that moving it needs no memory. */
struct timer {
        struct deadline at;
        void (*due)(struct transport *t, struct timer *m, int64_t now_ns);
};

struct asker;
struct answerer;
struct query;
struct farewell;

TAILQ_HEAD(answerers, answerer);

struct transport {
        struct transport_config     conf;
        const struct transport_ops *ops;
        void                       *ctx;
        struct table_secret         secret;
        struct deadlines            deadlines;
        uint8_t                    *packet; /* conf.datagram bytes, to build one */

        struct asker    *askers;
        struct answerer *answerers;
        struct query    *queries;
        struct farewell *farewells;

        struct sources   sources; /* of answerers that are not answered      */
        struct answerers stored;  /* that are, the oldest first              */
        size_t           stored_bytes;
        struct tokens    tokens;
        struct memory    memory;
        struct timer     memory_timer;

        struct transport_facts facts; /* but for the bytes */
};

/* A packet that has come, its header checked. */
struct arrival {
        int64_t              now_ns;
        struct transport_key key; /* its source, and the id in it */
        struct shim_head     head;
        const uint8_t       *body; /* head.len bytes */
        size_t               packet_len;
};

/* -- transport.c ------------------------------------------------------------ */

/* Starts it, 0 or -ENOMEM; moves it, also to CLOCK_NEVER; ends it. */
int  timer_start(struct transport *t, struct timer *m, int64_t due_ns);
void timer_move(struct transport *t, struct timer *m, int64_t due_ns);
void timer_stop(struct transport *t, struct timer *m);

uint64_t transport_draw_id(struct transport *t);

/*
 * Sends the packet of this header, with its @h->len bytes; @to NULL: to everybody. First pieces of requests
 * are padded.
 */
void transport_send(struct transport *t, const struct link_addr *to, const struct shim_head *h,
                    const void *body);

/* Sends a message that has nothing but its type. */
void transport_say(struct transport *t, const struct transport_key *k, enum shim_type type);

/* @token may be NULL. */
void transport_say_got(struct transport *t, const struct transport_key *k, const struct shim_got *got,
                       const uint8_t *token);

void transport_remember(struct transport *t, int64_t now_ns, const struct transport_key *k,
                        enum memory_of what);

/* -- what comes, and of whom. False: it is of no use, or malformed. ----------- */

bool asker_got(struct transport *t, const struct arrival *a, const struct shim_got *got);
bool asker_reply(struct transport *t, const struct arrival *a);
bool asker_prove(struct transport *t, const struct arrival *a);
bool answerer_request(struct transport *t, const struct arrival *a);
bool answerer_got(struct transport *t, const struct arrival *a, const struct shim_got *got);
bool answerer_done(struct transport *t, const struct arrival *a);
bool query_asked(struct transport *t, const struct arrival *a);
bool query_here(struct transport *t, const struct arrival *a);
bool farewell_dealloc(struct transport *t, const struct arrival *a);
bool farewell_deallocated(struct transport *t, const struct arrival *a);

/* -- what ends --------------------------------------------------------------- */

bool asker_is(const struct transport *t, const struct transport_key *k);

/* The owner gives it up. Returns whether there was one. */
bool asker_give_up(struct transport *t, int64_t now_ns, const struct transport_key *k);

/* The peer has ended the flow before its reply was complete. Returns whether there is such a request. */
bool asker_ended(struct transport *t, int64_t now_ns, const struct transport_key *k);

/* The owner ends it: refused, if it is not answered yet. Returns whether it was so. */
bool answerer_refuse(struct transport *t, int64_t now_ns, const struct transport_key *k);

/* The peer ends it. */
void answerer_ended(struct transport *t, int64_t now_ns, const struct transport_key *k);

void askers_fini(struct transport *t);
void answerers_fini(struct transport *t);
void queries_fini(struct transport *t);
void farewells_fini(struct transport *t);

#endif
