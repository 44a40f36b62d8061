/* net_udp.c - the yardsticks of raw flows over UDP: a program with a system call for a datagram, for 64, and for as many as
 * one run of segments holds. */
#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define BATCH     64
#define RUN_MAX   65000u
#define BUFFER    (4 * 1024 * 1024)
#define DATAGRAM  2048u
#define RECV_RUNS 8 /* what fits the second cache, and is read again at once */

static uint8_t memory[RECV_RUNS * 65536];

static int udp_socket(const char *own, uint16_t port)
{
        struct sockaddr_in a    = {.sin_family = AF_INET, .sin_port = htons(port)};
        int                fd   = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        int                size = BUFFER;

        inet_pton(AF_INET, own, &a.sin_addr);
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
        return bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ? -1 : fd;
}

static int join(int fd, const char *peer, uint16_t port)
{
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};

        inet_pton(AF_INET, peer, &a.sin_addr);
        return connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ? -1 : fd;
}

static int udp_listen(const struct net_conf *c)
{
        int on = 1;
        int fd = udp_socket(c->own, c->port);

        (void)setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on));
        return fd;
}

static int udp_listen_plainly(const struct net_conf *c)
{
        return udp_socket(c->own, c->port);
}

static int udp_accept(const struct net_conf *c, int listener)
{
        return c->answers ? join(listener, c->peer, (uint16_t)(c->port + 1)) : listener;
}

static int udp_open(const struct net_conf *c)
{
        return join(udp_socket(c->own, (uint16_t)(c->port + 1)), c->peer, c->port);
}

static void udp_close(int fd)
{
        (void)fd; /* there is only one */
}

/* -- one ---------------------------------------------------------------------- */

static ssize_t one_send(int fd, void *buf, size_t len)
{
        return send(fd, buf, len, 0);
}

static ssize_t one_recv(int fd, void *buf, size_t len)
{
        return recv(fd, buf, len, 0);
}

/* -- many ----------------------------------------------------------------------- */

static void point(struct mmsghdr *m, struct iovec *v, size_t n, size_t stride, size_t len)
{
        for (size_t i = 0; i < n; i++) {
                v[i] = (struct iovec){memory + i * stride, len};
                m[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &v[i], .msg_iovlen = 1}};
        }
}

static ssize_t many_send(int fd, void *buf, size_t len)
{
        static struct mmsghdr m[BATCH];
        static struct iovec   v[BATCH];
        int                   n;

        (void)buf;
        if (m[0].msg_hdr.msg_iov == NULL)
                point(m, v, BATCH, DATAGRAM, len);
        n = sendmmsg(fd, m, BATCH, 0);
        return n < 0 ? -1 : n * (ssize_t)len;
}

static ssize_t gather(int fd, struct mmsghdr *m, unsigned n)
{
        int     r   = recvmmsg(fd, m, n, MSG_WAITFORONE, NULL);
        ssize_t sum = 0;

        for (int i = 0; i < r; i++)
                sum += m[i].msg_len;
        return r < 0 ? -1 : sum;
}

static ssize_t many_recv(int fd, void *buf, size_t len)
{
        static struct mmsghdr m[BATCH];
        static struct iovec   v[BATCH];

        (void)buf;
        (void)len;
        if (m[0].msg_hdr.msg_iov == NULL)
                point(m, v, BATCH, DATAGRAM, DATAGRAM);
        return gather(fd, m, BATCH);
}

/* -- runs ----------------------------------------------------------------------- */

static ssize_t run_send(int fd, void *buf, size_t len)
{
        static union {
                struct cmsghdr align;
                uint8_t        b[CMSG_SPACE(sizeof(uint16_t))];
        } control;
        uint16_t      segment = (uint16_t)len;
        struct iovec  v       = {memory, RUN_MAX / len * len};
        struct msghdr m       = {
                      .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);

        (void)buf;
        c->cmsg_level = IPPROTO_UDP;
        c->cmsg_type  = UDP_SEGMENT;
        c->cmsg_len   = CMSG_LEN(sizeof(segment));
        memcpy(CMSG_DATA(c), &segment, sizeof(segment));
        return sendmsg(fd, &m, 0);
}

static ssize_t run_recv(int fd, void *buf, size_t len)
{
        static struct mmsghdr m[RECV_RUNS];
        static struct iovec   v[RECV_RUNS];

        (void)buf;
        (void)len;
        if (m[0].msg_hdr.msg_iov == NULL)
                point(m, v, RECV_RUNS, 65536, 65536);
        return gather(fd, m, RECV_RUNS);
}

const struct net_way net_udp     = {"udp",    udp_listen_plainly, udp_accept, udp_open,
                                    one_send, one_recv,           udp_close};
const struct net_way net_udp_m   = {"udp-mmsg", udp_listen_plainly, udp_accept, udp_open,
                                    many_send,  many_recv,          udp_close};
const struct net_way net_udp_gso = {"udp-gso", udp_listen, udp_accept, udp_open,
                                    run_send,  run_recv,   udp_close};
