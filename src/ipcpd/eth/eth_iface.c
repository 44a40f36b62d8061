/*
 * eth_iface.c - a netlink message is only a hint that something changed; then the facts are read anew. So
 * it does not matter if messages are lost, or tell of a state that is over.
 */
#include "ipcpd/eth/eth_iface.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/str.h"
#include "ipcpd/eth/eth_handle.h"

/* -- facts ----------------------------------------------------------------- */

static bool ask(const struct eth_iface *i, unsigned long what, struct ifreq *rq)
{
        memset(rq, 0, sizeof(*rq));
        memcpy(rq->ifr_name, i->name, sizeof(rq->ifr_name));
        return ioctl(i->fd, what, rq) == 0;
}

/* An interface that goes while it is read is one that is not there. */
static bool read_facts(const struct eth_iface *i, struct eth_iface_facts *out)
{
        const int    working = IFF_UP | IFF_RUNNING;
        struct ifreq rq;

        if (!ask(i, SIOCGIFINDEX, &rq))
                return false;
        out->index = rq.ifr_ifindex;
        if (!ask(i, SIOCGIFMTU, &rq))
                return false;
        out->mtu = (uint32_t)rq.ifr_mtu;
        if (!ask(i, SIOCGIFHWADDR, &rq))
                return false;
        out->ethernet = rq.ifr_hwaddr.sa_family == ARPHRD_ETHER;
        memcpy(out->mac, rq.ifr_hwaddr.sa_data, ETH_MAC);
        if (!ask(i, SIOCGIFFLAGS, &rq))
                return false;
        out->works = (rq.ifr_flags & working) == working;
        return true;
}

static bool same(const struct eth_iface_facts *a, const struct eth_iface_facts *b)
{
        return a->index == b->index && a->mtu == b->mtu && a->ethernet == b->ethernet &&
               a->works == b->works && eth_mac_equal(a->mac, b->mac);
}

static void look(struct eth_iface *i, struct eth_iface_facts *out)
{
        if (!read_facts(i, out))
                *out = (struct eth_iface_facts){0};
}

/* -- messages -------------------------------------------------------------- */

/* Many interfaces may change at once: one look for all that has been told. */
static void drain(int fd)
{
        char    bytes[4096];
        ssize_t n;

        do
                n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        while (n > 0 || (n < 0 && (errno == EINTR || errno == ENOBUFS)));
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
        struct eth_iface      *i = poll->data;
        struct eth_iface_facts now;

        (void)events;
        drain(i->fd);
        if (status < 0) /* messages were lost, which the loop takes for the end of the socket */
                uv_poll_start(poll, UV_READABLE, on_poll);
        look(i, &now);
        if (same(&now, &i->last))
                return;
        i->last = now;
        i->changed(i->ctx, &now); /* last line: @i may be gone */
}

/* -- opening --------------------------------------------------------------- */

static int open_netlink(void)
{
        struct sockaddr_nl a  = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
        int                fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

        if (fd >= 0 && bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
                fd_close(&fd); /* keeps errno */
        return fd < 0 ? -errno : fd;
}

int eth_iface_open(struct eth_iface *i, uv_loop_t *loop, const char *name, eth_iface_fn *changed, void *ctx)
{
        int r;

        memset(i, 0, sizeof(*i));
        i->fd = -1;
        if (!str_copy(i->name, sizeof(i->name), name))
                return -ENAMETOOLONG;
        r = open_netlink();
        if (r < 0)
                return r;
        i->fd        = r;
        i->changed   = changed;
        i->ctx       = ctx;
        i->poll.data = i;
        r            = uv_poll_init(loop, &i->poll, i->fd);
        if (r < 0)
                return r;
        uv_poll_start(&i->poll, UV_READABLE, on_poll);
        look(i, &i->last); /* after the socket is open: no change is missed */
        return 0;
}

unsigned eth_iface_close(struct eth_iface *i, void *owner, uv_close_cb closed)
{
        unsigned n;

        if (i->changed == NULL)
                return 0;
        i->changed = NULL;
        n          = eth_handle_close((uv_handle_t *)&i->poll, owner, closed);
        fd_close(&i->fd); /* the loop has let go of it */
        return n;
}
