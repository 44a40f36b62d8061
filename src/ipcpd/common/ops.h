/*
 * ops.h - what a kind of layer implements, and what it tells the daemon around it.
 *
 * A layer is an engine. The common part asks it only what fits the state of its life, and has checked every
 * value: a hash is as long as the layer's algorithm says, a flow id is not 0. Results are 0 or a negative
 * code. A flow is known by the id that irmd gave its own end.
 */
#ifndef O7S_IPCPD_COMMON_OPS_H
#define O7S_IPCPD_COMMON_OPS_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include <ouroboros/ipcp.h>
#include <ouroboros/qos.h>

/* What reg() and unreg() say when the result comes later, by ipcp_up.done(). */
#define IPCP_LATER 1

struct link_ops;

/* What the two irmds say to each other (OAP): a layer carries it as it is. Borrowed for the call. */
struct oap_bytes {
        const uint8_t *p;
        size_t         len;
};

/*
 * Our side (1) of the port of a flow, whose other side (0) the application has: for port_open(). The layer takes the
 * descriptors over, also when it fails. A local layer gets none (all -1).
 */
struct ipcp_port {
        int memfd, bell, peer_bell;
};

#define IPCP_NO_PORT ((struct ipcp_port){-1, -1, -1})

/* How a flow travels. A local layer has none of this: zeros. */
struct ipcp_way {
        uint32_t packet_max; /* bytes of the largest packet                                       */
        uint32_t mpl_ms;     /* longest life of a packet                                          */
        char     peer[64];   /* address of the other end, for people                              */
        char     source[40]; /* of the host there, padded with zeros: who has how many handshakes */
};

/* Upwards. May be called from within the functions of struct ipcp_ops. */
struct ipcp_up {
        void *ctx;

        /* The answer to flow_alloc() with the same @ask, once; @oap is the server's when @result is 0, and @way is not NULL then. */
        void (*flow_reply)(void *ctx, uint32_t ask, int result, struct oap_bytes oap,
                           const struct ipcp_way *way);

        /*
         * A flow has arrived for @hash; @twin is the client's end when that is on this host, else 0, and @way is not NULL. The
         * layer draws @ask and will get it back with flow_answered(). With 0 it does not: the twin is
         * answered by irmd itself, and its flow_alloc() needs no flow_reply() any more.
         */
        void (*flow_arrived)(void *ctx, uint32_t ask, const uint8_t *hash, const qosspec_t *qs, uint64_t twin,
                             struct oap_bytes oap, const struct ipcp_way *way);

        /* The client of the flow that arrived with @ask has given up. It need not be answered any more. */
        void (*arrival_gone)(void *ctx, uint32_t ask);

        /* This end is over: the peer has ended it. */
        void (*flow_dealloc)(void *ctx, uint64_t flow_id);

        /* The answer to name_query() (0 or -ENAME), or to reg() and unreg() when they said IPCP_LATER. Once. */
        void (*done)(void *ctx, uint32_t ask, int result);
};

struct ipcp_ops {
        const char            *program; /* as it is called in the log */
        enum ipcp_type         type;
        const struct link_ops *link; /* of a shim (shim.h); else NULL */

        /* @ops, @up and @loop are borrowed for life. NULL: out of memory. */
        void *(*create)(const struct ipcp_ops *ops, const struct ipcp_up *up, uv_loop_t *loop);

        /* Lets go of all that keeps the loop running; it turns once more before destroy(). */
        void (*stop)(void *layer);
        void (*destroy)(void *layer); /* takes NULL */

        /* Once, before anything else. */
        int (*bootstrap)(void *layer, const struct ipcp_config *conf);

        /* @ask: for done(), if they say IPCP_LATER. */
        int (*reg)(void *layer, uint32_t ask, const uint8_t *hash);   /* -EEXIST: it is */
        int (*unreg)(void *layer, uint32_t ask, const uint8_t *hash); /* -ENAME: it is not */

        /* Whether somebody else in the layer has the name: done(), now or later. NULL: a local layer. */
        void (*name_query)(void *layer, uint32_t ask, const uint8_t *hash);

        /*
         * Answered with flow_reply(), now or later; not after flow_dealloc() of the same flow. A request that may have been heard
         * is not sent elsewhere: where nobody answers, the result is -EHOSTUNREACH, and irmd makes another.
         */
        void (*flow_alloc)(void *layer, uint32_t ask, uint64_t flow_id, const uint8_t *hash,
                           const qosspec_t *qs, struct oap_bytes oap, struct ipcp_port port);

        /*
         * What became of the flow that arrived; @flow_id is the server's end, @port its port and @oap for the client when
         * @result is 0. @ask may be any number.
         */
        void (*flow_answered)(void *layer, uint32_t ask, int result, uint64_t flow_id, struct oap_bytes oap,
                              struct ipcp_port port);

        /* This end is over. What the application has written still goes out. @flow_id may be any number. */
        void (*flow_dealloc)(void *layer, uint64_t flow_id);
};

#endif
