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

#include <ouroboros/ipcp.h>
#include <ouroboros/qos.h>

/* What the two irmds say to each other (OAP): a layer carries it as it is. Borrowed for the call. */
struct oap_bytes {
        const uint8_t *p;
        size_t         len;
};

/* Upwards. May be called from within the functions of struct ipcp_ops. */
struct ipcp_up {
        void *ctx;

        /* The answer to flow_alloc() with the same @ask, once; @oap is the server's when @result is 0. */
        void (*flow_reply)(void *ctx, uint32_t ask, int result, struct oap_bytes oap);

        /*
         * A flow has arrived for @hash; @twin is the client's end when that is on this host, else 0. The
         * layer draws @ask and will get it back with flow_answered(). With 0 it does not: the twin is
         * answered by irmd itself, and its flow_alloc() needs no flow_reply() any more.
         */
        void (*flow_arrived)(void *ctx, uint32_t ask, const uint8_t *hash, const qosspec_t *qs, uint64_t twin,
                             struct oap_bytes oap);

        /* This end is over. */
        void (*flow_dealloc)(void *ctx, uint64_t flow_id);
};

struct ipcp_ops {
        const char    *program; /* as it is called in the log */
        enum ipcp_type type;

        /* @up is borrowed for life. NULL: out of memory. */
        void *(*create)(const struct ipcp_up *up);
        void (*destroy)(void *layer); /* takes NULL */

        /* Once, before anything else. */
        int (*bootstrap)(void *layer, const struct ipcp_config *conf);

        int (*reg)(void *layer, const uint8_t *hash);   /* -EEXIST: it is */
        int (*unreg)(void *layer, const uint8_t *hash); /* -ENAME: it is not */

        /* Answered with flow_reply(), now or later; not after flow_dealloc() of the same flow. */
        void (*flow_alloc)(void *layer, uint32_t ask, uint64_t flow_id, const uint8_t *hash,
                           const qosspec_t *qs, struct oap_bytes oap);

        /*
         * What became of the flow that arrived; @flow_id is the server's end and @oap for the client when
         * @result is 0. @ask may be any number.
         */
        void (*flow_answered)(void *layer, uint32_t ask, int result, uint64_t flow_id, struct oap_bytes oap);

        /* This end is over. @flow_id may be any number. */
        void (*flow_dealloc)(void *layer, uint64_t flow_id);
};

#endif
