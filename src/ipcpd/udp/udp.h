/*
 * udp.h - packets in UDP datagrams over IPv4 or IPv6 (link.h; doc/protocols/shim.md): one socket, bound to
 * the layer's address and port, for all flows and peers.
 *
 *     udp_conf      the configuration, checked, in the form that the rest wants
 *     udp_addr      addresses: of the link, of sockets, for people
 *     udp_socket    the socket and its options
 *     udp_send      packets out, in batches
 *     udp_recv      packets in, in batches
 *     udp_mtu       how large a packet may be
 *     udp_dir       who has a name: DNS, if there is one
 */
#ifndef O7S_IPCPD_UDP_UDP_H
#define O7S_IPCPD_UDP_UDP_H

#include "ipcpd/shim/link.h"

extern const struct link_ops udp4_link, udp6_link;

#endif
