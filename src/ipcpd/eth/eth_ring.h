/*
 * eth_ring.h - frames that have come, in memory that the kernel writes and we read (packet_mmap,
 * TPACKET_V2): no system call for a frame, and no copy of ours. A slot is the kernel's until its status
 * says that it is ours.
 *
 * V2 and not V3: V3 gathers frames in blocks, which it hands over when they are full, or after a
 * millisecond at the earliest: as long as ten round trips. What makes V3 fast, few wake-ups, is
 * eth_watch.h's.
 */
#ifndef O7S_IPCPD_ETH_ETH_RING_H
#define O7S_IPCPD_ETH_ETH_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct eth_ring {
        uint8_t *mem;                        /* NULL: there is none */
        size_t   size, slot, block, next, n; /* bytes of all, of a slot and of a block of slots; slots */
};

/* A frame; it stays as it is until eth_ring_give(). */
struct eth_seen {
        const uint8_t *p;
        size_t         len;
        bool           whole; /* false: there was no room for all of it */
};

/* Gives the socket @fd a ring for frames over an MTU of @mtu. 0 or -errno. @r is all zeros at first. */
int  eth_ring_open(struct eth_ring *r, int fd, uint32_t mtu);
void eth_ring_close(struct eth_ring *r, int fd); /* takes one that is all zeros */

/* Whether frames over @mtu fit. */
bool eth_ring_fits(const struct eth_ring *r, uint32_t mtu);

/* The next frame, if there is one. */
bool eth_ring_take(struct eth_ring *r, struct eth_seen *out);

/* The frame that was taken is not needed any more. */
void eth_ring_give(struct eth_ring *r);

#endif
