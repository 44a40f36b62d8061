#include "ipcpd/eth/eth_ring.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define RING_SIZE  (8u << 20) /* 5000 frames of the common size: 5 ms of a million each second */
#define BLOCK_SIZE (64u << 10)
#define LINE       64u
#define PAGE       4096u

/* What is in front of a frame's payload: TPACKET_ALIGN(TPACKET2_HDRLEN + 16) is 80. */
#define SLOT_HDR 80u

/*
 * An odd number of cache lines: the headers of slots at a power of two would all compete for the same few
 * sets of the cache, which cost a third of the packets.
 */
static size_t slot_for(uint32_t mtu)
{
        return ((SLOT_HDR + mtu + LINE - 1) / LINE | 1) * LINE;
}

/* Slots do not cross blocks. */
static struct eth_ring plan(uint32_t mtu)
{
        struct eth_ring r = {.size = RING_SIZE, .block = BLOCK_SIZE, .slot = slot_for(mtu)};

        while (r.block < r.slot)
                r.block *= 2;
        r.n = r.size / r.block * (r.block / r.slot);
        return r;
}

static int set_ring(int fd, const struct eth_ring *r)
{
        struct tpacket_req req = {.tp_block_size = (unsigned)r->block,
                                  .tp_block_nr   = (unsigned)(r->n == 0 ? 0 : r->size / r->block),
                                  .tp_frame_size = (unsigned)r->slot,
                                  .tp_frame_nr   = (unsigned)r->n};

        return setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req));
}

/*
 * Writes to each page once, changing nothing (the kernel may be writing there). On virtual machines the
 * first access can cost as much as ten frames; paid while frames come, it loses the first thousands of
 * them.
 */
static void touch(uint8_t *mem, size_t size)
{
        for (size_t at = 0; at < size; at += PAGE)
                __atomic_fetch_or(mem + at, 0, __ATOMIC_RELAXED);
}

int eth_ring_open(struct eth_ring *r, int fd, uint32_t mtu)
{
        int             version = TPACKET_V2;
        struct eth_ring planned = plan(mtu);
        void           *mem;

        if (setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) < 0 ||
            set_ring(fd, &planned) < 0)
                return -errno;
        mem = mmap(NULL, planned.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (mem == MAP_FAILED) {
                int error = errno;

                set_ring(fd, &(struct eth_ring){0});
                return -error;
        }
        *r     = planned;
        r->mem = mem;
        touch(r->mem, r->size);
        return 0;
}

void eth_ring_close(struct eth_ring *r, int fd)
{
        if (r->mem == NULL)
                return;
        munmap(r->mem, r->size);
        set_ring(fd, &(struct eth_ring){0});
        memset(r, 0, sizeof(*r));
}

bool eth_ring_fits(const struct eth_ring *r, uint32_t mtu)
{
        return r->slot >= slot_for(mtu);
}

static struct tpacket2_hdr *slot_at(const struct eth_ring *r)
{
        size_t per_block = r->block / r->slot;

        return (struct tpacket2_hdr *)(void *)(r->mem + r->next / per_block * r->block +
                                               r->next % per_block * r->slot);
}

bool eth_ring_take(struct eth_ring *r, struct eth_seen *out)
{
        const struct tpacket2_hdr *h;

        if (r->mem == NULL)
                return false;
        h = slot_at(r);
        /* Pairs with the kernel's release of the slot: its contents come before its status. */
        if (!(__atomic_load_n(&h->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER))
                return false;
        out->p     = (const uint8_t *)h + h->tp_mac;
        out->len   = h->tp_snaplen;
        out->whole = h->tp_snaplen == h->tp_len;
        return true;
}

void eth_ring_give(struct eth_ring *r)
{
        /* Pairs with the kernel's acquire: we have read all before it writes again. */
        __atomic_store_n(&slot_at(r)->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
        r->next = r->next + 1 < r->n ? r->next + 1 : 0;
}
