/* udp_conf.h - the configuration of a layer over UDP, checked, in one form for both families. */
#ifndef O7S_IPCPD_UDP_UDP_CONF_H
#define O7S_IPCPD_UDP_UDP_CONF_H

#include <stddef.h>
#include <stdint.h>

#include <ouroboros/ipcp.h>

#include "ipcpd/udp/udp_addr.h"

struct udp_conf {
        int                family;
        struct link_addr   own;
        uint16_t           port;       /* of the layer: everywhere, where nothing else is said        */
        uint32_t           scope;      /* interface of the own address, if that is link-local; else 0 */
        uint32_t           device_mtu; /* of the interface that has the own address                   */
        struct link_addr   peers[UDP_PEERS_MAX];
        size_t             n_peers;
        union udp_sockaddr dns; /* AF_UNSPEC: there is no directory */
        struct udp_dns     names;
};

/* 0, or -EINVAL, -EADDRNOTAVAIL and a log line that says what is wrong. */
int udp_conf_get(struct udp_conf *out, int family, const struct ipcp_config *conf);

#endif
