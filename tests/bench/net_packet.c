/* net_packet.c - the yardstick of flows over Ethernet: frames by a packet socket (packet(7)), past the queues of the interface and
 * many in a call on their way out, in a ring of blocks (TPACKET_V3) on their way in. Each end uses one direction only. */
#include "net.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define ETHERTYPE 0x88b5 /* for experiments (IEEE 802) */
#define BATCH     64
#define FRAME     2048u
#define HEADER    14u
#define BLOCK     (1u << 18)
#define BLOCKS    32u

static uint8_t  memory[BATCH * FRAME];
static uint8_t *ring;

static int packet_socket(const struct net_conf *c, uint16_t protocol)
{
        struct sockaddr_ll a  = {.sll_family   = AF_PACKET,
                                 .sll_protocol = htons(protocol),
                                 .sll_ifindex  = (int)if_nametoindex(c->dev)};
        int                fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

        return fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ? -1 : fd;
}

static int ring_open(int fd)
{
        int                 version = TPACKET_V3;
        struct tpacket_req3 r       = {.tp_block_size     = BLOCK,
                                       .tp_block_nr       = BLOCKS,
                                       .tp_frame_size     = FRAME,
                                       .tp_frame_nr       = BLOCK / FRAME * BLOCKS,
                                       .tp_retire_blk_tov = 1};

        if (setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) < 0 ||
            setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &r, sizeof(r)) < 0)
                return -1;
        ring = mmap(NULL, BLOCK * BLOCKS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
        return ring == MAP_FAILED ? -1 : fd;
}

/* The ring is there before the first frame. */
static int packet_listen(const struct net_conf *c)
{
        int fd = packet_socket(c, 0);

        if (fd < 0 || ring_open(fd) < 0)
                return -1;
        return bind(fd,
                    (struct sockaddr *)&(struct sockaddr_ll){.sll_family   = AF_PACKET,
                                                             .sll_protocol = htons(ETHERTYPE),
                                                             .sll_ifindex  = (int)if_nametoindex(c->dev)},
                    sizeof(struct sockaddr_ll)) < 0
                       ? -1
                       : fd;
}

static int packet_accept(const struct net_conf *c, int listener)
{
        (void)c;
        return listener;
}

static bool put_headers(int fd, const struct net_conf *c)
{
        struct ifreq r = {0};

        strncpy(r.ifr_name, c->dev, IFNAMSIZ - 1);
        if (ioctl(fd, SIOCGIFHWADDR, &r) < 0)
                return false;
        for (uint8_t *p = memory; p < memory + sizeof(memory); p += FRAME) {
                memcpy(p, c->mac, 6);
                memcpy(p + 6, r.ifr_hwaddr.sa_data, 6);
                p[12] = ETHERTYPE >> 8;
                p[13] = ETHERTYPE & 0xff;
        }
        return true;
}

static int packet_open(const struct net_conf *c)
{
        int fd   = packet_socket(c, 0);
        int on   = 1;
        int size = 1 << 20;

        if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)) < 0 ||
            !put_headers(fd, c))
                return -1;
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
        return fd;
}

/* A full queue of the interface is not waited for: the next batch is offered to it. */
static ssize_t packet_send(int fd, void *buf, size_t len)
{
        static struct mmsghdr m[BATCH];
        static struct iovec   v[BATCH];
        int                   n;

        (void)buf;
        for (size_t i = 0; i < BATCH && m[i].msg_hdr.msg_iov == NULL; i++) {
                v[i] = (struct iovec){memory + i * FRAME, HEADER + len};
                m[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &v[i], .msg_iovlen = 1}};
        }
        n = sendmmsg(fd, m, BATCH, 0);
        return n < 0 ? 0 : n * (ssize_t)len;
}

/* Looks at each frame's length, and at its first byte, which is one of an address that the socket was given: not broadcast. */
static size_t read_block(const struct tpacket_block_desc *b, size_t size)
{
        const uint8_t *p   = (const uint8_t *)b + b->hdr.bh1.offset_to_first_pkt;
        size_t         sum = 0;

        for (uint32_t i = 0; i < b->hdr.bh1.num_pkts; i++) {
                const struct tpacket3_hdr *h = (const void *)p;

                sum += h->tp_snaplen >= HEADER && p[h->tp_mac] != 0xff ? size : 0;
                p += h->tp_next_offset;
        }
        return sum;
}

static ssize_t packet_recv(int fd, void *buf, size_t len)
{
        static unsigned            at;
        struct tpacket_block_desc *b     = (void *)(ring + at * BLOCK);
        struct pollfd              ready = {.fd = fd, .events = POLLIN};
        ssize_t                    sum;

        (void)buf;
        while ((__atomic_load_n(&b->hdr.bh1.block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER) == 0)
                poll(&ready, 1, -1);
        sum = (ssize_t)read_block(b, len);
        __atomic_store_n(&b->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
        at = (at + 1) % BLOCKS;
        return sum;
}

static void packet_close(int fd)
{
        (void)fd;
}

const struct net_way net_packet = {"packet",    packet_listen, packet_accept, packet_open,
                                   packet_send, packet_recv,   packet_close};
