#include "ipcpd/udp/udp_socket.h"

#include <errno.h>
#include <netinet/udp.h>

#include <ouroboros/errno.h>

#include "base/fd.h"
#include "base/log.h"

/*
 * Bytes that wait: for us, which a turn of the loop may take some milliseconds to fetch; and for the
 * network, no more than it soon takes.
 */
#define RECV_BUFFER (4 * 1024 * 1024)
#define SEND_BUFFER (1024 * 1024)

static int set(int fd, int level, int name, int value)
{
        return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

/* Beyond the administrator's limit (net.core.rmem_max) where we may, else up to it. */
static void set_buffer(int fd, int force, int name, int bytes)
{
        if (set(fd, SOL_SOCKET, force, bytes) < 0)
                set(fd, SOL_SOCKET, name, bytes);
}

static int set_family(int fd, int family)
{
        int r;

        if (family == AF_INET)
                return set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_WANT);
        r = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
        return r == 0 ? set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_WANT) : r;
}

static int bind_to(int fd, const struct link_addr *own, uint32_t scope)
{
        union udp_sockaddr sa;
        socklen_t          len = udp_addr_put(&sa, own, scope);

        return bind(fd, &sa.sa, len) < 0 ? -errno : 0;
}

static int connect_to(int fd, const struct link_addr *to, uint32_t scope)
{
        union udp_sockaddr sa;
        socklen_t          len = udp_addr_put(&sa, to, scope);

        return connect(fd, &sa.sa, len) < 0 ? -errno : 0;
}

static int create(int family)
{
        int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        int r  = fd < 0 ? -errno : set_family(fd, family);

        if (r == 0)
                return fd;
        fd_close(&fd);
        return r;
}

static const char *hint(int r)
{
        switch (r) {
        case -EADDRINUSE: return ": another program, or another layer, has it";
        case -EADDRNOTAVAIL: return ": it is none of this host's addresses";
        default: return "";
        }
}

int udp_socket_open(struct udp_socket *out, const struct udp_conf *conf)
{
        char text[UDP_ADDR_TEXT];
        int  r;

        udp_addr_text(&conf->own, text);
        out->fd = create(conf->family);
        r       = out->fd < 0 ? out->fd : bind_to(out->fd, &conf->own, conf->scope);
        if (r < 0) {
                log_err("no socket at %s: %s%s", text, o7s_strerror(r), hint(r));
                fd_close(&out->fd);
                return r;
        }
        set_buffer(out->fd, SO_RCVBUFFORCE, SO_RCVBUF, RECV_BUFFER);
        set_buffer(out->fd, SO_SNDBUFFORCE, SO_SNDBUF, SEND_BUFFER);
        out->gso = set(out->fd, IPPROTO_UDP, UDP_SEGMENT, 0) == 0;
        out->gro = set(out->fd, IPPROTO_UDP, UDP_GRO, 1) == 0;
        log_info("socket at %s%s%s", text, out->gso ? "" : ", without GSO", out->gro ? "" : ", without GRO");
        return 0;
}

int udp_socket_towards(const struct udp_conf *conf, const struct link_addr *to)
{
        struct link_addr host = udp_addr_host(&conf->own);
        int              fd   = create(conf->family);
        int              r;

        if (fd < 0)
                return fd;
        r = bind_to(fd, &host, conf->scope);
        if (r == 0)
                r = connect_to(fd, to, conf->scope);
        if (r == 0)
                return fd;
        fd_close(&fd);
        return r;
}
