/*
 * link.h - what a technology (eth, udp) implements under a shim (shim.h), and what it tells the shim.
 *
 * A link sends and receives packets on the daemon's loop; it knows nothing of names, exchanges or flows. Control
 * packets are for endpoint 0. Nothing blocks. Layouts: doc/protocols/shim.md.
 */
#ifndef O7S_IPCPD_SHIM_LINK_H
#define O7S_IPCPD_SHIM_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>
#include <uv.h>

#include <ouroboros/ipcp.h>

#include "ipcpd/common/link_addr.h"

/* Where the packets of one flow go. */
struct link_path {
        struct link_addr to;
        uint32_t         eid; /* the peer's */
        uint32_t         own_eid;
};

/* Upwards, on the loop; never from within the functions of struct link_ops. @from and bytes are borrowed for the call. */
struct link_up {
        void *ctx;

        /* A control packet. Padding of Ethernet is gone, that of a message may be there. */
        void (*control)(void *ctx, const struct link_addr *from, const uint8_t *p, size_t len);

        /* A packet of a flow, whatever @eid the wire says (not 0). */
        void (*data)(void *ctx, const struct link_addr *from, uint32_t eid, const uint8_t *p, size_t len);

        /* The packets that had come are handed up: a good time to wake readers. */
        void (*batch)(void *ctx);

        /* After a send that said -EAGAIN. */
        void (*writable)(void *ctx);

        /* The link works or not (cable, interface down or gone). At first it does. */
        void (*state)(void *ctx, bool works);

        /* The answer to find(): the addresses of who has the name; none: nobody, or the directory does not say. Once. */
        void (*found)(void *ctx, uint32_t ask, const struct link_addr *addrs, size_t n);

        /* The answer to publish() when that was IPCP_LATER. Once. */
        void (*published)(void *ctx, uint32_t ask, int result);
};

struct link_facts {
        uint32_t
                packet_max; /* bytes of a flow's packet to anybody; link_ops.packet_max says it for one peer */
        uint32_t control_max; /* bytes of a control packet */
        uint32_t pad_to;      /* first pieces of requests are padded to this, or 0 (doc/protocols/shim.md) */
        bool     proves;      /* sources can be forged: ask them for a token */
        uint32_t mpl_ms;      /* longest life of a packet */
};

struct link_ops {
        const char    *program;
        enum ipcp_type type;

        /* Opens by the configuration. 0 and *@out, or a negative code that is logged with its reason. */
        int (*open)(void **out, uv_loop_t *loop, const struct ipcp_config *conf, const struct link_up *up);

        /* Handles are closed, the loop must turn once more. No call comes after this. Takes NULL. */
        void (*close)(void *link);

        void (*facts)(void *link, struct link_facts *out);

        /* Bytes of the largest packet on the way to @to, as far as it is known now. */
        uint32_t (*packet_max)(void *link, const struct link_addr *to);

        /* A number that a peer may address a flow of ours by, from the random @r; not 0 nor reserved. */
        uint32_t (*eid)(uint64_t r);

        /* Whether a flow can be addressed by @eid, that a peer has drawn. */
        bool (*eid_ok)(uint32_t eid);

        /* To @to, or with NULL to everybody (broadcast; all configured peers). Lost if it cannot be sent now. */
        void (*send_control)(void *link, const struct link_addr *to, const uint8_t *p, size_t len);

        /*
         * Sends packets of one flow, in order, each at most packet_max() bytes. Returns how many of @n were sent (or had to be thrown
         * away); less than @n: the link takes no more now, writable() comes. The bytes may change meanwhile.
         */
        size_t (*send_data)(void *link, const struct link_path *path, const struct iovec *packets, size_t n);

        /* "02:00:00:00:00:01", "192.0.2.1:3435": @out has at least 64 bytes. */
        void (*addr_text)(const struct link_addr *a, char *out);

        /* The directory, if it is none of ours (DNS); else NULL. publish(): 0, a negative code, IPCP_LATER (ops.h). */
        void (*find)(void *link, uint32_t ask, const uint8_t *hash, size_t len);
        int (*publish)(void *link, uint32_t ask, const uint8_t *hash, size_t len, bool there);
};

#endif
