/* eth_kind.h - in what the two kinds of frames differ: a table for each. */
#ifndef O7S_IPCPD_ETH_ETH_KIND_H
#define O7S_IPCPD_ETH_ETH_KIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipcpd/eth/eth_filter.h"
#include "wire/eth.h"

struct eth_kind {
        uint32_t overhead;    /* bytes of the MTU that are not the packet's */
        uint32_t payload_max; /* of a frame, however large the MTU */
        bool (*get)(struct rd *r, struct eth_frame *h);
        void (*put)(struct wr *w, const struct eth_frame *h);
        void (*filter)(struct eth_filter *f, uint16_t ethertype);
        uint16_t (*protocol)(uint16_t ethertype); /* as the kernel calls it */
};

extern const struct eth_kind eth_kind_dix, eth_kind_llc;

/* Numbers that a flow of ours may have, from the random @r. */
uint32_t eth_dix_draw(uint64_t r);
bool     eth_dix_ok(uint32_t eid);
uint32_t eth_llc_draw(uint64_t r);
bool     eth_llc_ok(uint32_t eid);

/* Bytes of the largest packet over @mtu; 0: none fits. */
uint32_t eth_kind_packet_max(const struct eth_kind *k, uint32_t mtu);

#endif
