/*
 * ipcp_config.h - the configuration of an IPCP as a message: what belongs to its type is a message of its own.
 *
 * It comes from other processes, so everything is checked.
 */
#ifndef O7S_PB_IPCP_CONFIG_H
#define O7S_PB_IPCP_CONFIG_H

#include <ouroboros/ipcp.h>

#include "pb/irm.pb-c.h"

/* The message and what it consists of. */
struct pb_ipcp_config {
        Irm__IpcpConfig m;
        Irm__EthConfig  eth;
        Irm__UdpConfig  udp;
        Irm__UdpPeer    peer[UDP_PEERS_MAX];
        Irm__UdpPeer   *peers[UDP_PEERS_MAX];
};

/* Fills @c, which borrows strings and addresses of @conf. */
void pb_ipcp_config_put(struct pb_ipcp_config *c, const struct ipcp_config *conf);

/*
 * 0, or why the message is no configuration, in one constant sentence at *@why (may be NULL): -EINVAL, -EIPCPTYPE. On failure
 * *@conf may be half filled.
 */
int pb_ipcp_config_get(const Irm__IpcpConfig *m, struct ipcp_config *conf, const char **why);

#endif
