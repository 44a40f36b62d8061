/*
 * eth.h - links on an Ethernet interface, with DIX or with LLC frames (shim/link.h, doc/protocols/shim.md).
 *
 * Opening one takes CAP_NET_RAW, and then gives up all capabilities of the calling thread: the interface
 * may go down, change, or go and come back without a need for any.
 */
#ifndef O7S_IPCPD_ETH_ETH_H
#define O7S_IPCPD_ETH_ETH_H

#include <stdint.h>

#include "ipcpd/shim/link.h"

extern const struct link_ops eth_dix_link, eth_llc_link;

struct eth_counts {
        uint64_t in, out;
        uint64_t refused; /* came: malformed, from a group, or not to us                */
        uint64_t full;    /* came: we were too slow                                     */
        uint64_t lost;    /* not sent: the interface is down, or does not take such one */
};

/* Of a link that is open. */
void eth_link_counts(void *link, struct eth_counts *out);

#endif
