/* udp_mtu.h - how large a packet may be on its way to a host, by what the kernel knows of the path now. */
#ifndef O7S_IPCPD_UDP_UDP_MTU_H
#define O7S_IPCPD_UDP_UDP_MTU_H

#include <stdint.h>

#include "ipcpd/udp/udp_conf.h"

/* A host that was asked about lately; of several that fall into one place, the last. */
#define UDP_MTU_HOSTS 64u

struct udp_mtu {
        struct {
                struct link_addr host; /* len 0: nobody */
                int64_t          until_ns;
                uint32_t         packet_max;
        } known[UDP_MTU_HOSTS];
};

/* Bytes of the largest packet of a flow in an IP packet of @mtu bytes. */
uint32_t udp_mtu_packet(int family, uint32_t mtu);

/*
 * The same on the way to @to; where the kernel knows no way, as the own interface has it. @m is all zeros
 * at first.
 */
uint32_t udp_mtu_towards(struct udp_mtu *m, const struct udp_conf *conf, const struct link_addr *to,
                         int64_t now_ns);

#endif
