#include "ipcpd/udp/udp_mtu.h"

#include "base/clock.h"
#include "base/fd.h"
#include "ipcpd/udp/udp_send.h"
#include "ipcpd/udp/udp_socket.h"

#define KEPT_NS NS_PER_S

#define UDP_BYTES 8u
#define IP_MAX    65535u

/* RFC 791: 60 bytes of header and 8 more pass everywhere. RFC 8200, section 5. */
static uint32_t mtu_min(int family)
{
        return family == AF_INET ? 68 : 1280;
}

uint32_t udp_mtu_packet(int family, uint32_t mtu)
{
        uint32_t header = (family == AF_INET ? 20 : 40) + UDP_BYTES + UDP_HDR;

        if (mtu > IP_MAX)
                mtu = IP_MAX;
        if (mtu < mtu_min(family))
                mtu = mtu_min(family);
        return mtu - header;
}

/* 0: unknown. */
static uint32_t ask_kernel(const struct udp_conf *conf, const struct link_addr *to)
{
        int       mtu = 0;
        socklen_t len = sizeof(mtu);
        int       fd  = udp_socket_towards(conf, to);
        int       r;

        if (fd < 0)
                return 0;
        if (conf->family == AF_INET)
                r = getsockopt(fd, IPPROTO_IP, IP_MTU, &mtu, &len);
        else
                r = getsockopt(fd, IPPROTO_IPV6, IPV6_MTU, &mtu, &len);
        fd_close(&fd);
        return r == 0 && mtu > 0 ? (uint32_t)mtu : 0;
}

/* FNV-1a: who chooses addresses so that they fall into one place gains nothing. */
static size_t place(const struct link_addr *host)
{
        uint32_t h = 2166136261u;

        for (size_t i = 0; i < host->host_len; i++)
                h = (h ^ host->b[i]) * 16777619u;
        return h % UDP_MTU_HOSTS;
}

uint32_t udp_mtu_towards(struct udp_mtu *m, const struct udp_conf *conf, const struct link_addr *to,
                         int64_t now_ns)
{
        struct link_addr host = udp_addr_host(to);
        size_t           i    = place(&host);
        uint32_t         mtu;

        if (link_addr_equal(&m->known[i].host, &host) && now_ns < m->known[i].until_ns)
                return m->known[i].packet_max;
        mtu                    = ask_kernel(conf, to);
        m->known[i].host       = host;
        m->known[i].until_ns   = clock_after(now_ns, KEPT_NS);
        m->known[i].packet_max = udp_mtu_packet(conf->family, mtu != 0 ? mtu : conf->device_mtu);
        return m->known[i].packet_max;
}
