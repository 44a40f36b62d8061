#include "ipcpd/udp/udp_recv.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>

#include "ipcpd/udp/udp_send.h"
#include "wire/cursor.h"

/* Of one system call: what comes together fits the processor's second cache, and is read again at once. */
#define MESSAGES 8u

/* The longest datagram. Buffers do not all begin at the same place of a cache's set. */
#define BUFFER 65536u
#define STRIDE (BUFFER + 256u)

struct udp_recv {
        const struct udp_socket *socket;
        const struct link_up    *up;
        uint32_t                 scope;
        bool                     stopped;
        struct udp_recv_facts    facts;
        struct mmsghdr           msgs[MESSAGES];
        struct iovec             iov[MESSAGES];
        union udp_sockaddr       names[MESSAGES];
        union {
                struct cmsghdr align;
                uint8_t        b[CMSG_SPACE(sizeof(int))];
        } controls[MESSAGES];
        uint8_t buffers[MESSAGES][STRIDE];
};

static void prepare(struct udp_recv *u, size_t i)
{
        u->iov[i]          = (struct iovec){u->buffers[i], BUFFER};
        u->msgs[i].msg_hdr = (struct msghdr){.msg_name       = &u->names[i],
                                             .msg_namelen    = sizeof(u->names[i]),
                                             .msg_iov        = &u->iov[i],
                                             .msg_iovlen     = 1,
                                             .msg_control    = u->controls[i].b,
                                             .msg_controllen = sizeof(u->controls[i].b)};
}

struct udp_recv *udp_recv_create(const struct udp_socket *s, uint32_t scope, const struct link_up *up)
{
        struct udp_recv *u = calloc(1, sizeof(*u));

        if (u == NULL)
                return NULL;
        u->socket = s;
        u->up     = up;
        u->scope  = scope;
        for (size_t i = 0; i < MESSAGES; i++)
                prepare(u, i);
        return u;
}

void udp_recv_destroy(struct udp_recv *u)
{
        free(u);
}

void udp_recv_stop(struct udp_recv *u)
{
        u->stopped = true;
}

void udp_recv_facts(const struct udp_recv *u, struct udp_recv_facts *out)
{
        *out = u->facts;
}

static void hand_up(struct udp_recv *u, const struct link_addr *from, const uint8_t *p, size_t len)
{
        struct rd r   = {p, p + len, false};
        uint32_t  eid = (uint32_t)rd_be(&r, UDP_HDR);

        if (r.bad) {
                u->facts.refused++;
                return;
        }
        u->facts.packets++;
        if (eid == 0)
                u->up->control(u->up->ctx, from, r.p, len - UDP_HDR);
        else
                u->up->data(u->up->ctx, from, eid, r.p, len - UDP_HDR);
}

void udp_recv_pieces(struct udp_recv *u, const union udp_sockaddr *from, const uint8_t *p, size_t len,
                     size_t segment)
{
        struct link_addr addr;
        size_t           n;

        if (!udp_addr_get(&addr, from, u->scope)) {
                u->facts.refused++;
                return;
        }
        do {
                n = segment != 0 && segment < len ? segment : len;
                hand_up(u, &addr, p, n);
                p += n;
                len -= n;
        } while (len > 0 && !u->stopped);
}

/* 0: it was not said. */
static size_t segment_of(struct msghdr *m)
{
        int bytes = 0;

        for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
                if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO &&
                    c->cmsg_len == CMSG_LEN(sizeof(bytes)))
                        memcpy(&bytes, CMSG_DATA(c), sizeof(bytes));
        }
        return bytes > 0 ? (size_t)bytes : 0;
}

/* A sender without address cannot be (udp(7)); what is left of the last one would be taken for it. */
static void take(struct udp_recv *u, size_t i)
{
        struct msghdr *m   = &u->msgs[i].msg_hdr;
        size_t         len = u->msgs[i].msg_len;

        if (m->msg_namelen == 0 || (m->msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
                u->facts.refused++;
        else
                udp_recv_pieces(u, &u->names[i], u->buffers[i], len, segment_of(m));
}

size_t udp_recv_batch(struct udp_recv *u)
{
        uint64_t before = u->facts.packets;
        int      n;

        do {
                n = recvmmsg(u->socket->fd, u->msgs, MESSAGES, MSG_DONTWAIT, NULL);
        } while (n < 0 && errno == EINTR);
        u->facts.calls++;
        for (int i = 0; i < n; i++) {
                if (!u->stopped)
                        take(u, (size_t)i);
                prepare(u, (size_t)i);
        }
        if (n > 0 && !u->stopped)
                u->up->batch(u->up->ctx);
        return (size_t)(u->facts.packets - before);
}
