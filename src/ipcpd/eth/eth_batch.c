#include "ipcpd/eth/eth_batch.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

void eth_batch_init(struct eth_batch *b, size_t hdr_len)
{
        assert(hdr_len <= ETH_HDR_MAX);
        memset(b, 0, sizeof(*b));
        b->hdr_len = hdr_len;
        for (size_t i = 0; i < ETH_BATCH; i++) {
                b->iov[i][0]                 = (struct iovec){b->hdr[i], hdr_len};
                b->msg[i].msg_hdr.msg_iov    = b->iov[i];
                b->msg[i].msg_hdr.msg_iovlen = 2;
        }
}

void eth_batch_clear(struct eth_batch *b)
{
        b->n = 0;
}

uint8_t *eth_batch_add(struct eth_batch *b, const struct iovec *packet)
{
        assert(b->n < ETH_BATCH);
        b->iov[b->n][1] = *packet;
        return b->hdr[b->n++];
}

int eth_batch_send(struct eth_batch *b, int fd)
{
        int n = sendmmsg(fd, b->msg, (unsigned)b->n, MSG_DONTWAIT);

        return n < 0 ? -errno : n;
}
