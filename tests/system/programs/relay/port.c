#include "port.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <netdb.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SOCKET_BUFFER (16 << 20)
#define TAP_QUEUE     10000 /* frames that the kernel keeps until they are read here */

static int fail(char why[WHY_MAX], const char *what, const char *which)
{
        snprintf(why, WHY_MAX, "%s %s: %s", what, which, strerror(errno));
        return -1;
}

static int fail_syntax(char why[WHY_MAX], const char *which, const char *wanted)
{
        snprintf(why, WHY_MAX, "\"%s\" is not %s", which, wanted);
        return -1;
}

/* Large ones, beyond the system's limit where that is allowed: what is lost here nobody asked for. */
static void widen(int fd)
{
        int size = SOCKET_BUFFER;

        if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
                (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
        if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
                (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

/* -- UDP ------------------------------------------------------------------- */

/* "127.0.0.1:7000" or "[::1]:7000". @text is cut up. */
static int address_parse(char *text, struct sockaddr_storage *to, socklen_t *len)
{
        struct addrinfo  hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
        struct addrinfo *found;
        char            *colon = strrchr(text, ':');

        if (colon == NULL)
                return -1;
        *colon = '\0';
        if (text[0] == '[' && colon[-1] == ']') {
                colon[-1] = '\0';
                text++;
        }
        if (getaddrinfo(text, colon + 1, &hints, &found) != 0)
                return -1;
        memset(to, 0, sizeof(*to));
        memcpy(to, found->ai_addr, found->ai_addrlen);
        *len = found->ai_addrlen;
        freeaddrinfo(found);
        return 0;
}

static void name_local(struct port *p)
{
        char      host[64], port[8];
        socklen_t len = sizeof(p->local);

        (void)getsockname(p->fd, (struct sockaddr *)&p->local, &len);
        if (getnameinfo((struct sockaddr *)&p->local, len, host, sizeof(host), port, sizeof(port),
                        NI_NUMERICHOST | NI_NUMERICSERV | NI_DGRAM) == 0)
                snprintf(p->name, sizeof(p->name), p->local.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host,
                         port);
}

static int udp_open(struct port *p, char *spec, char why[WHY_MAX])
{
        char      whole[128];
        char     *comma = strchr(spec, ',');
        socklen_t len;

        snprintf(whole, sizeof(whole), "%s", spec);
        if (comma != NULL)
                *comma++ = '\0';
        p->known = comma != NULL;
        if (address_parse(spec, &p->local, &len) < 0 ||
            (p->known && address_parse(comma, &p->peer, &p->peer_len) < 0))
                return fail_syntax(why, whole, "ADDRESS:PORT or ADDRESS:PORT,ADDRESS:PORT (numbers)");
        if (p->known && p->peer.ss_family != p->local.ss_family)
                return fail_syntax(why, whole, "of one family of addresses");
        p->fd = socket(p->local.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (p->fd < 0 || bind(p->fd, (struct sockaddr *)&p->local, len) < 0)
                return fail(why, "udp", whole);
        widen(p->fd);
        name_local(p);
        return 0;
}

/* -- TAP ------------------------------------------------------------------- */

static int namespace_enter(const char *name)
{
        char path[128];
        int  fd, r;

        snprintf(path, sizeof(path), "/run/netns/%s", name);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return -1;
        r = setns(fd, CLONE_NEWNET);
        close(fd);
        return r;
}

/* @r is zeroed. */
static void put_name(struct ifreq *r, const char *name)
{
        memcpy(r->ifr_name, name, strnlen(name, sizeof(r->ifr_name) - 1));
}

/* Up, and with room for bursts. */
static int device_set_up(const char *name)
{
        struct ifreq r  = {0};
        int          fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        int          ok;

        put_name(&r, name);
        r.ifr_qlen = TAP_QUEUE;
        (void)ioctl(fd, SIOCSIFTXQLEN, &r);
        ok = ioctl(fd, SIOCGIFFLAGS, &r);
        r.ifr_flags |= IFF_UP;
        if (ok == 0)
                ok = ioctl(fd, SIOCSIFFLAGS, &r);
        if (fd >= 0)
                close(fd);
        return ok;
}

static int device_open(struct port *p)
{
        struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI};

        put_name(&r, p->name);
        p->fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
        if (p->fd < 0 || ioctl(p->fd, TUNSETIFF, &r) < 0)
                return -1;
        return device_set_up(p->name);
}

static int tap_open(struct port *p, char *spec, char why[WHY_MAX])
{
        char *netns = strchr(spec, ',');
        int   home  = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        int   r     = 0;

        if (netns != NULL)
                *netns++ = '\0';
        snprintf(p->name, sizeof(p->name), "%s", spec);
        if (spec[0] == '\0' || strlen(spec) >= IFNAMSIZ)
                r = fail_syntax(why, spec, "the name of a device");
        else if (netns != NULL && namespace_enter(netns) < 0)
                r = fail(why, "namespace", netns);
        else if (device_open(p) < 0)
                r = fail(why, "tap", spec);
        if (netns != NULL && home >= 0 && setns(home, CLONE_NEWNET) < 0 && r == 0)
                r = fail(why, "back from namespace", netns);
        if (home >= 0)
                close(home);
        return r;
}

static int tap_receive(struct port *p)
{
        int n = 0;

        while (n < (int)PORT_BATCH) {
                ssize_t len = read(p->fd, p->in[n]->data, PKT_ROOM);

                if (len < 0 && errno != EAGAIN && errno != EINTR)
                        return -1;
                if (len <= 0)
                        break;
                p->in[n++]->len = (size_t)len;
        }
        return n;
}

static size_t tap_send(struct port *p, struct pkt *const *out, size_t n)
{
        size_t sent = 0;

        for (size_t i = 0; i < n; i++)
                sent += write(p->fd, out[i]->data, out[i]->len) == (ssize_t)out[i]->len;
        return sent;
}

/* -- an inherited socket --------------------------------------------------- */

static int unix_open(struct port *p, const char *spec, char why[WHY_MAX])
{
        char     *end;
        long      fd   = strtol(spec, &end, 10);
        int       type = 0;
        socklen_t len  = sizeof(type);

        if (*spec == '\0' || *end != '\0' || fd < 0 || fd > 1 << 20)
                return fail_syntax(why, spec, "the number of a descriptor");
        if (getsockopt((int)fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
                return fail(why, "descriptor", spec);
        if (type != SOCK_SEQPACKET && type != SOCK_DGRAM)
                return fail_syntax(why, spec, "a socket that keeps messages apart");
        p->fd = (int)fd;
        widen(p->fd);
        snprintf(p->name, sizeof(p->name), "%ld", fd);
        return 0;
}

/* -- any ------------------------------------------------------------------- */

static int open_kind(struct port *p, char *spec, char why[WHY_MAX])
{
        char *rest = strchr(spec, ':');

        if (rest != NULL)
                *rest++ = '\0';
        if (rest != NULL && strcmp(spec, "udp") == 0)
                return p->kind = PORT_UDP, udp_open(p, rest, why);
        if (rest != NULL && strcmp(spec, "tap") == 0)
                return p->kind = PORT_TAP, tap_open(p, rest, why);
        if (rest != NULL && strcmp(spec, "unix") == 0)
                return p->kind = PORT_UNIX, unix_open(p, rest, why);
        return fail_syntax(why, spec, "udp:, tap: or unix: with what belongs to it");
}

int port_open(struct port *p, const char *spec, struct pool *pool, char why[WHY_MAX])
{
        char copy[128];

        *p = (struct port){.fd = -1};
        if (strlen(spec) >= sizeof(copy))
                return fail_syntax(why, spec, "short enough");
        snprintf(copy, sizeof(copy), "%s", spec);
        for (size_t i = 0; i < PORT_BATCH; i++) {
                p->in[i] = pool_get(pool);
                if (p->in[i] == NULL)
                        return fail_syntax(why, spec, "possible with so small a --pool");
        }
        return open_kind(p, copy, why);
}

void port_close(struct port *p)
{
        if (p->fd >= 0)
                close(p->fd);
        p->fd = -1;
}

/* Whoever sends first is the peer, when none was named. */
static bool from_peer(struct port *p, const struct msghdr *m)
{
        if (p->kind != PORT_UDP)
                return true;
        if (!p->known) {
                memcpy(&p->peer, m->msg_name, m->msg_namelen);
                p->peer_len = m->msg_namelen;
                p->known    = true;
        }
        return m->msg_namelen == p->peer_len && memcmp(m->msg_name, &p->peer, p->peer_len) == 0;
}

/* Moves what strangers sent out of the way. */
static int keep_peers(struct port *p, struct mmsghdr *m, int n)
{
        int kept = 0;

        for (int i = 0; i < n; i++) {
                struct pkt *k = p->in[i];

                k->len = m[i].msg_len;
                if (!from_peer(p, &m[i].msg_hdr)) {
                        p->strangers++;
                        continue;
                }
                p->in[i]      = p->in[kept];
                p->in[kept++] = k;
        }
        return kept;
}

static int socket_receive(struct port *p)
{
        struct sockaddr_storage from[PORT_BATCH];
        struct iovec            io[PORT_BATCH];
        struct mmsghdr          m[PORT_BATCH];
        int                     n;

        for (size_t i = 0; i < PORT_BATCH; i++) {
                io[i] = (struct iovec){p->in[i]->data, PKT_ROOM};
                m[i]  = (struct mmsghdr){.msg_hdr = {.msg_iov = &io[i], .msg_iovlen = 1}};
                if (p->kind == PORT_UDP) {
                        m[i].msg_hdr.msg_name    = &from[i];
                        m[i].msg_hdr.msg_namelen = sizeof(from[i]);
                }
        }
        n = recvmmsg(p->fd, m, PORT_BATCH, MSG_DONTWAIT, NULL);
        if (n < 0)
                return errno == ECONNRESET ? -1 : 0;
        /* A closed socketpair gives messages of no bytes for ever. */
        if (p->kind == PORT_UNIX && n > 0 && m[0].msg_len == 0)
                return -1;
        return keep_peers(p, m, n);
}

int port_receive(struct port *p)
{
        return p->kind == PORT_TAP ? tap_receive(p) : socket_receive(p);
}

static size_t socket_send(struct port *p, struct pkt *const *out, size_t n)
{
        struct iovec   io[PORT_BATCH];
        struct mmsghdr m[PORT_BATCH];
        size_t         sent = 0, done = 0;

        for (size_t i = 0; i < n; i++) {
                io[i] = (struct iovec){out[i]->data, out[i]->len};
                m[i]  = (struct mmsghdr){.msg_hdr = {.msg_iov = &io[i], .msg_iovlen = 1}};
                if (p->kind == PORT_UDP) {
                        m[i].msg_hdr.msg_name    = &p->peer;
                        m[i].msg_hdr.msg_namelen = p->peer_len;
                }
        }
        while (done < n) {
                int r = sendmmsg(p->fd, m + done, (unsigned)(n - done), MSG_DONTWAIT | MSG_NOSIGNAL);

                if (r < 0 && errno == EAGAIN)
                        break;
                sent += r > 0 ? (size_t)r : 0;
                done += r > 0 ? (size_t)r : 1; /* that one cannot be sent: the others may */
        }
        return sent;
}

size_t port_send(struct port *p, struct pkt *const *out, size_t n)
{
        if (p->kind == PORT_TAP)
                return tap_send(p, out, n);
        if (p->kind == PORT_UDP && !p->known)
                return 0;
        return socket_send(p, out, n);
}
