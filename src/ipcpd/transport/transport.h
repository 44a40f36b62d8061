/*
 * transport.h - the handshake transport: flow requests, replies, name queries and deallocations over packets
 * that may be lost, repeated, reordered and forged (doc/protocols/shim.md).
 *
 * An engine: packets, time and randomness come in as arguments, packets and outcomes go out through
 * callbacks, and transport_deadline() says when transport_tick() is due. One for all shims, and for the flow
 * allocator of a unicast layer. Not thread safe. Callbacks may call transport_answer(), transport_ask() and
 * the like, but not transport_destroy(), transport_packet() or transport_tick(); send() and random() may call
 * nothing.
 */
#ifndef O7S_IPCPD_TRANSPORT_TRANSPORT_H
#define O7S_IPCPD_TRANSPORT_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ouroboros/qos.h>

#include "crypt/hash.h"
#include "ipcpd/common/link_addr.h"

#define TRANSPORT_MESSAGE_MAX 65535u

struct transport; /* private to transport.c */

struct transport_bytes {
        const uint8_t *p;
        size_t         len;
};

/* What a flow request says. */
struct transport_request {
        uint32_t               eid; /* by which the asker receives, not 0 */
        const uint8_t         *hash;
        size_t                 hash_len; /* 1 to HASH_MAX */
        qosspec_t              qs;
        struct transport_bytes oap;
};

/*
 * An exchange: of the peer at @peer, with its id. What a flow is known by between its two ends. The first
 * TRANSPORT_KEY_LEN bytes are the key of a hash table: nothing is between them.
 */
struct transport_key {
        uint64_t         id;
        struct link_addr peer;
};

#define TRANSPORT_KEY_LEN (offsetof(struct transport_key, peer) + sizeof(struct link_addr))

struct transport_ops {
        /* Fills @buf with random bytes that nobody else can know: ids are drawn from them. */
        void (*random)(void *ctx, void *buf, size_t len);

        /* NULL: to everybody. */
        void (*send)(void *ctx, const struct link_addr *to, const uint8_t *p, size_t len);

        /* Whether the name is registered here. */
        bool (*has)(void *ctx, const uint8_t *hash, size_t len);

        /*
         * A request, once; the owner answers by transport_answer(), now or later, whether it has the name or
         * not. Borrowed for the call. If dealloc() comes first, it need not answer any more.
         */
        void (*request)(void *ctx, const struct transport_key *k, const struct transport_request *rq);

        /*
         * The outcome of transport_ask() with that @cookie, once, unless transport_dealloc() came first: 0
         * with the peer's endpoint id and its OAP response, or a negative code: what the peer said (-ENAME,
         * -ENOTALLOC, -EBUSY, -EAUTH, -ECRYPT, -ETIMEDOUT, -ETIME), or -EHOSTUNREACH: nobody is there. A peer
         * that was heard once, and no more, is waited for until transport_dealloc(): the owner has a
         * deadline.
         */
        void (*reply)(void *ctx, uint64_t cookie, const struct transport_key *k, int result, uint32_t eid,
                      struct transport_bytes oap);

        /* The first answer to transport_query(); NULL: none came. Once. */
        void (*found)(void *ctx, uint64_t cookie, const struct link_addr *at);

        /*
         * The peer has ended the flow or, as its asker, the request. It has been answered. May come more than
         * once, and for what the owner knows nothing of. Not before the reply() of an exchange that is under
         * way.
         */
        void (*dealloc)(void *ctx, const struct transport_key *k);
};

struct transport_config {
        size_t  datagram;   /* bytes of the largest packet to send, at least 128    */
        size_t  pad_to;     /* first pieces of requests, up to a datagram; 0: not   */
        bool    proves;     /* sources can be forged                                */
        uint8_t secret[32]; /* of tokens                                            */
};

/* @conf is copied, @ops and @ctx are borrowed for life. NULL: out of memory. */
struct transport *transport_create(const struct transport_config *conf, const struct transport_ops *ops,
                                   void *ctx);

/* No callback comes. Takes NULL. */
void transport_destroy(struct transport *t);

/*
 * Asks who at @to has the name (of the hash in @rq) for a flow. 0 and the exchange in *@k; -EMSGSIZE,
 * -ENOMEM, -EINVAL. reply() does not come from within.
 */
int transport_ask(struct transport *t, int64_t now_ns, const struct link_addr *to,
                  const struct transport_request *rq, uint64_t cookie, struct transport_key *k);

/*
 * What became of the request @k: with @result 0 our endpoint id and OAP response, else a negative code. Kept,
 * and repeated as often as it is asked for. An exchange that has gone is ignored, and one that is answered
 * already.
 */
void transport_answer(struct transport *t, int64_t now_ns, const struct transport_key *k, int result,
                      uint32_t eid, struct transport_bytes oap);

/* Asks who has the name; @to NULL: everybody. 0, -EINVAL (the length of the hash) or -ENOMEM. */
int transport_query(struct transport *t, int64_t now_ns, const struct link_addr *to, const uint8_t *hash,
                    size_t len, uint64_t cookie);

/* No answer is wanted any more. */
void transport_query_cancel(struct transport *t, uint64_t cookie);

/*
 * Tells the peer that the flow, or the request that it was asked, is over: also when the exchange is long
 * forgotten. No callback of it comes any more, but dealloc() may. A request that was handed up and not
 * answered is refused by this; an answer that the peer has not confirmed is still repeated, so that it learns
 * of a flow that was short.
 */
void transport_dealloc(struct transport *t, int64_t now_ns, const struct transport_key *k);

/* A control packet. Whatever it is. */
void transport_packet(struct transport *t, int64_t now_ns, const struct link_addr *from, const uint8_t *p,
                      size_t len);

/* When transport_tick() is due, or CLOCK_NEVER. */
int64_t transport_deadline(const struct transport *t);
void    transport_tick(struct transport *t, int64_t now_ns);

struct transport_facts {
        uint64_t packets_in, packets_out,
                refused;                        /* refused: that were none of ours, or malformed          */
        uint64_t repeated;                      /* pieces of messages that we sent again                  */
        size_t   asking;                        /* our requests under way                                 */
        size_t   collecting, handed_up, stored; /* theirs: incomplete, unanswered, answers not confirmed  */
        size_t   remembered;                    /* ids                                                    */
        size_t   bytes;                         /* of memory that incomplete requests and answers hold    */
};

void transport_facts(const struct transport *t, struct transport_facts *out);

#endif
