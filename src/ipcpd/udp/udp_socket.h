/*
 * udp_socket.h - the socket of a layer over UDP.
 *
 * It is not connected, and asks for no errors (IP_RECVERR): so what ICMP says, which anybody can forge, fails
 * no send to somebody else. That a peer is not there is found out by the handshake's time. The kernel learns
 * the MTU of a path from ICMP nevertheless, and sets "don't fragment" on what fits it; what became too large
 * it fragments (*_PMTUDISC_WANT).
 */
#ifndef O7S_IPCPD_UDP_UDP_SOCKET_H
#define O7S_IPCPD_UDP_UDP_SOCKET_H

#include <stdbool.h>

#include "ipcpd/udp/udp_conf.h"

struct udp_socket {
        int  fd;  /* does not block             */
        bool gso; /* sends many packets in one  */
        bool gro; /* receives many in one       */
};

/* Bound to the own address. 0, or a negative code and a log line that says why. */
int udp_socket_open(struct udp_socket *out, const struct udp_conf *conf);

/*
 * Bound to the own host, any port, and connected to @to: for asking the kernel about the way. The
 * descriptor or -errno.
 */
int udp_socket_towards(const struct udp_conf *conf, const struct link_addr *to);

#endif
