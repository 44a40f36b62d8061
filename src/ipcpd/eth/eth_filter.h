/*
 * eth_filter.h - which frames the kernel hands to the socket at all, as a classic BPF program.
 *
 * Ours to us, and nothing else: what floods a network must not cost this process a wake-up. The program
 * knows no address: the kernel compares the destination with that of the interface anyway, and tells the
 * result (packet type). So it stays right when the address changes, and can be locked.
 */
#ifndef O7S_IPCPD_ETH_ETH_FILTER_H
#define O7S_IPCPD_ETH_ETH_FILTER_H

#include <linux/filter.h>
#include <stdint.h>

#define ETH_FILTER_MAX 32u

struct eth_filter {
        struct sock_filter code[ETH_FILTER_MAX];
        unsigned short     n;
};

void eth_filter_dix(struct eth_filter *f, uint16_t ethertype);
void eth_filter_llc(struct eth_filter *f);

#endif
