#include "ipcpd/udp/udp_iface.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/fd.h"

static bool same_host(const struct sockaddr *a, const union udp_sockaddr *b)
{
        union udp_sockaddr sa;

        if (a == NULL || a->sa_family != b->sa.sa_family)
                return false;
        memcpy(&sa, a, udp_addr_len(a->sa_family));
        if (a->sa_family == AF_INET)
                return sa.in4.sin_addr.s_addr == b->in4.sin_addr.s_addr;
        return IN6_ARE_ADDR_EQUAL(&sa.in6.sin6_addr, &b->in6.sin6_addr);
}

static uint32_t mtu_of(const char *name)
{
        struct ifreq rq = {.ifr_ifindex = 0};
        int          fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        bool         ok;

        snprintf(rq.ifr_name, sizeof(rq.ifr_name), "%s", name);
        ok = fd >= 0 && ioctl(fd, SIOCGIFMTU, &rq) == 0 && rq.ifr_mtu > 0;
        fd_close(&fd);
        return ok ? (uint32_t)rq.ifr_mtu : UDP_IFACE_MTU;
}

int udp_iface_find(struct udp_iface *out, const union udp_sockaddr *addr)
{
        struct ifaddrs *all;
        int             n = 0;

        if (getifaddrs(&all) < 0)
                return -EADDRNOTAVAIL;
        for (const struct ifaddrs *i = all; i != NULL; i = i->ifa_next) {
                if (!same_host(i->ifa_addr, addr))
                        continue;
                out->index = if_nametoindex(i->ifa_name);
                out->mtu   = mtu_of(i->ifa_name);
                n++;
        }
        freeifaddrs(all);
        return n == 1 ? 0 : n > 1 ? -ENOTUNIQ : -EADDRNOTAVAIL;
}
