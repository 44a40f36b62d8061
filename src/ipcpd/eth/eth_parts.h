/* eth_parts.h - what the parts of eth.c share: a link is one object. */
#ifndef O7S_IPCPD_ETH_ETH_PARTS_H
#define O7S_IPCPD_ETH_ETH_PARTS_H

#include <string.h>

#include "ipcpd/eth/eth.h"
#include "ipcpd/eth/eth_batch.h"
#include "ipcpd/eth/eth_iface.h"
#include "ipcpd/eth/eth_kind.h"
#include "ipcpd/eth/eth_ring.h"
#include "ipcpd/eth/eth_watch.h"

struct eth {
        const struct eth_kind *kind;
        struct link_up         up;
        uint16_t               ethertype; /* llc: 0 */
        int                    fd;
        struct eth_ring        ring;
        struct eth_batch       batch;
        struct eth_iface       iface;
        struct eth_watch       watch;
        uv_timer_t             timer; /* of a retry; and of the first word on a link that does not work */
        struct eth_iface_facts at;    /* the interface we are bound to, as it was when last seen        */
        bool                   works, told_works;
        bool                   complained; /* of frames that cannot be sent, since the link worked */
        struct eth_counts      counts;
        bool                   closed;
        unsigned               closing; /* handles */
};

static inline struct link_addr eth_addr_of(const uint8_t mac[ETH_MAC])
{
        struct link_addr a = {.host_len = ETH_MAC, .len = ETH_MAC};

        memcpy(a.b, mac, ETH_MAC);
        return a;
}

/* eth_in.c: of struct eth_watch_ops. */
size_t eth_in_drain(void *ctx);

/* eth_out.c: of struct link_ops. */
size_t eth_out_data(void *link, const struct link_path *path, const struct iovec *packets, size_t n);
void   eth_out_control(void *link, const struct link_addr *to, const uint8_t *p, size_t len);

/* eth.c: writable() comes soon. */
void eth_retry(struct eth *e);

#endif
