#include "ipcpd/udp/udp_addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define IP4_BYTES 4u
#define IP6_BYTES 16u
#define PORT      2u

_Static_assert(IP6_BYTES + PORT <= LINK_ADDR_MAX, "an address of IPv6 has a place");

static bool ip4_ok(const struct in_addr *a)
{
        uint32_t ip = ntohl(a->s_addr);

        return ip != INADDR_ANY && ip != INADDR_BROADCAST && !IN_MULTICAST(ip);
}

static bool ip6_ok(const struct in6_addr *a, uint32_t own_scope, uint32_t scope)
{
        if (IN6_IS_ADDR_LINKLOCAL(a))
                return scope != 0 && own_scope == scope;
        return !IN6_IS_ADDR_UNSPECIFIED(a) && !IN6_IS_ADDR_MULTICAST(a) && !IN6_IS_ADDR_V4MAPPED(a);
}

static void set(struct link_addr *out, const void *host, size_t host_len, in_port_t port)
{
        out->host_len = (uint8_t)host_len;
        out->len      = (uint8_t)(host_len + PORT);
        memcpy(out->b, host, host_len);
        memcpy(out->b + host_len, &port, PORT);
}

bool udp_addr_get(struct link_addr *out, const union udp_sockaddr *sa, uint32_t scope)
{
        const struct sockaddr_in  *a4 = &sa->in4;
        const struct sockaddr_in6 *a6 = &sa->in6;

        memset(out, 0, sizeof(*out));
        if (sa->sa.sa_family == AF_INET && a4->sin_port != 0 && ip4_ok(&a4->sin_addr))
                set(out, &a4->sin_addr, IP4_BYTES, a4->sin_port);
        else if (sa->sa.sa_family == AF_INET6 && a6->sin6_port != 0 &&
                 ip6_ok(&a6->sin6_addr, a6->sin6_scope_id, scope))
                set(out, &a6->sin6_addr, IP6_BYTES, a6->sin6_port);
        return out->len != 0;
}

socklen_t udp_addr_put(union udp_sockaddr *out, const struct link_addr *a, uint32_t scope)
{
        memset(out, 0, sizeof(*out));
        if (a->host_len == IP4_BYTES) {
                out->in4.sin_family = AF_INET;
                memcpy(&out->in4.sin_addr, a->b, IP4_BYTES);
                memcpy(&out->in4.sin_port, a->b + IP4_BYTES, PORT);
                return sizeof(out->in4);
        }
        out->in6.sin6_family = AF_INET6;
        memcpy(&out->in6.sin6_addr, a->b, IP6_BYTES);
        memcpy(&out->in6.sin6_port, a->b + IP6_BYTES, PORT);
        if (IN6_IS_ADDR_LINKLOCAL(&out->in6.sin6_addr))
                out->in6.sin6_scope_id = scope;
        return sizeof(out->in6);
}

struct link_addr udp_addr_host(const struct link_addr *a)
{
        struct link_addr host = *a;

        memset(host.b + host.host_len, 0, PORT);
        return host;
}

socklen_t udp_addr_len(int family)
{
        switch (family) {
        case AF_INET: return sizeof(struct sockaddr_in);
        case AF_INET6: return sizeof(struct sockaddr_in6);
        default: return 0;
        }
}

void udp_addr_text(const struct link_addr *a, char *out)
{
        char      host[INET6_ADDRSTRLEN] = "?";
        bool      six                    = a->host_len == IP6_BYTES;
        in_port_t port;

        if (a->host_len != IP4_BYTES && !six) {
                snprintf(out, UDP_ADDR_TEXT, "?");
                return;
        }
        inet_ntop(six ? AF_INET6 : AF_INET, a->b, host, sizeof(host));
        memcpy(&port, a->b + a->host_len, PORT);
        snprintf(out, UDP_ADDR_TEXT, six ? "[%s]:%u" : "%s:%u", host, ntohs(port));
}
