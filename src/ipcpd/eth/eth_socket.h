/*
 * eth_socket.h - a packet socket (packet(7)) for frames of one protocol on one interface. To open it needs
 * CAP_NET_RAW; to bind it, also to another interface later, needs nothing.
 */
#ifndef O7S_IPCPD_ETH_ETH_SOCKET_H
#define O7S_IPCPD_ETH_ETH_SOCKET_H

#include <stdint.h>

#include "ipcpd/eth/eth_filter.h"

/* A socket that gets nothing yet, with @filter for good. Returns it, or -errno. */
int eth_socket_open(const struct eth_filter *filter);

/* From now on it gets frames of @protocol from that interface, and sends there. 0 or -errno. */
int eth_socket_bind(int fd, int ifindex, uint16_t protocol);

/* Takes back the error of the socket that poll() keeps telling. */
void eth_socket_clear(int fd);

/* Frames that came since the last call, and for which there was no room. */
uint32_t eth_socket_dropped(int fd);

#endif
