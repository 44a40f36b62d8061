/*
 * eth_batch.h - frames on their way out: as many as one system call sends. Each is a header of ours and a
 * packet that stays where it is, in memory that its application may change meanwhile: nobody here reads
 * it.
 */
#ifndef O7S_IPCPD_ETH_ETH_BATCH_H
#define O7S_IPCPD_ETH_ETH_BATCH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "wire/eth.h"

#define ETH_BATCH 64u

struct eth_batch {
        size_t         n, hdr_len;
        uint8_t        hdr[ETH_BATCH][ETH_HDR_MAX];
        struct iovec   iov[ETH_BATCH][2];
        struct mmsghdr msg[ETH_BATCH];
};

/* @hdr_len: bytes of every header, at most ETH_HDR_MAX. The batch may not be moved. */
void eth_batch_init(struct eth_batch *b, size_t hdr_len);

void eth_batch_clear(struct eth_batch *b);

/*
 * Adds @packet, at most ETH_BATCH of them, borrowed until they are sent. Returns where its header is to
 * be.
 */
uint8_t *eth_batch_add(struct eth_batch *b, const struct iovec *packet);

/* Returns how many were sent, from the first; -errno: the first could not be. */
int eth_batch_send(struct eth_batch *b, int fd);

#endif
