#include "ipcpd/udp/udp_conf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include <ouroboros/errno.h>

#include "base/log.h"
#include "ipcpd/udp/udp_iface.h"

/* What the two families' configurations come to. */
struct given {
        union udp_sockaddr    own, dns;
        union udp_sockaddr    peers[UDP_PEERS_MAX];
        size_t                n_peers;
        uint16_t              port;
        const struct udp_dns *names;
};

static void set4(union udp_sockaddr *out, struct in_addr addr, uint16_t port)
{
        out->in4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = addr, .sin_port = htons(port)};
}

static void set6(union udp_sockaddr *out, struct in6_addr addr, uint16_t port)
{
        out->in6 =
                (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = addr, .sin6_port = htons(port)};
}

static void take4(struct given *g, const struct udp4_config *c)
{
        set4(&g->own, c->ip_addr, c->port);
        g->port = c->port;
        if (c->dns_addr.s_addr != INADDR_ANY)
                set4(&g->dns, c->dns_addr, 0);
        g->n_peers = c->n_peers;
        for (size_t i = 0; i < c->n_peers && i < UDP_PEERS_MAX; i++)
                set4(&g->peers[i], c->peers[i].addr, c->peers[i].port != 0 ? c->peers[i].port : c->port);
        g->names = &c->dns;
}

static void take6(struct given *g, const struct udp6_config *c)
{
        set6(&g->own, c->ip_addr, c->port);
        g->port = c->port;
        if (!IN6_IS_ADDR_UNSPECIFIED(&c->dns_addr))
                set6(&g->dns, c->dns_addr, 0);
        g->n_peers = c->n_peers;
        for (size_t i = 0; i < c->n_peers && i < UDP_PEERS_MAX; i++)
                set6(&g->peers[i], c->peers[i].addr, c->peers[i].port != 0 ? c->peers[i].port : c->port);
        g->names = &c->dns;
}

static bool link_local(const union udp_sockaddr *sa)
{
        return sa->sa.sa_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&sa->in6.sin6_addr);
}

/* A configuration names no interfaces: link-local addresses are all on the one that has the own. */
static void set_scope(union udp_sockaddr *sa, uint32_t scope)
{
        if (link_local(sa))
                sa->in6.sin6_scope_id = scope;
}

static int get_own(struct udp_conf *out, struct given *g)
{
        struct udp_iface iface;
        int              r = udp_iface_find(&iface, &g->own);

        if (r < 0 && link_local(&g->own)) {
                log_err("the link-local address is on %s interface", r == -ENOTUNIQ ? "more than one" : "no");
                return -EADDRNOTAVAIL;
        }
        out->device_mtu = r < 0 ? UDP_IFACE_MTU : iface.mtu;
        out->scope      = link_local(&g->own) ? iface.index : 0;
        set_scope(&g->own, out->scope);
        if (udp_addr_get(&out->own, &g->own, out->scope))
                return 0;
        log_err("the layer needs an address of this host, and a port");
        return -EINVAL;
}

static int get_peers(struct udp_conf *out, struct given *g)
{
        if (g->n_peers > UDP_PEERS_MAX) {
                log_err("%zu peers, at most %d are possible", g->n_peers, UDP_PEERS_MAX);
                return -EINVAL;
        }
        for (size_t i = 0; i < g->n_peers; i++) {
                set_scope(&g->peers[i], out->scope);
                if (!udp_addr_get(&out->peers[i], &g->peers[i], out->scope)) {
                        log_err("peer %zu has no address of a host that can be reached from here", i + 1);
                        return -EINVAL;
                }
        }
        out->n_peers = g->n_peers;
        return 0;
}

int udp_conf_get(struct udp_conf *out, int family, const struct ipcp_config *conf)
{
        struct given g = {.n_peers = 0};
        int          r;

        memset(out, 0, sizeof(*out));
        if (family == AF_INET)
                take4(&g, &conf->udp4);
        else
                take6(&g, &conf->udp6);
        out->family = family;
        out->port   = g.port;
        r           = get_own(out, &g);
        if (r == 0)
                r = get_peers(out, &g);
        set_scope(&g.dns, out->scope);
        out->dns   = g.dns;
        out->names = *g.names;
        return r;
}
