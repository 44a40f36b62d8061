/* udp_iface.h - the interface that has an address. */
#ifndef O7S_IPCPD_UDP_UDP_IFACE_H
#define O7S_IPCPD_UDP_UDP_IFACE_H

#include <stdint.h>

#include "ipcpd/udp/udp_addr.h"

#define UDP_IFACE_MTU 1500u /* where nothing better is known */

struct udp_iface {
        uint32_t index;
        uint32_t mtu;
};

/* 0; -ENOTUNIQ: several have it (and *@out is one of them); -EADDRNOTAVAIL: none has. */
int udp_iface_find(struct udp_iface *out, const union udp_sockaddr *addr);

#endif
