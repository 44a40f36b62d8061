/*
 * udp_addr.h - an IP address with a port: as the shim knows it (link_addr.h: the host's 4 or 16 bytes, then
 * the port, big-endian), as sockets want it, and for people.
 */
#ifndef O7S_IPCPD_UDP_UDP_ADDR_H
#define O7S_IPCPD_UDP_UDP_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "ipcpd/common/link_addr.h"

#define UDP_ADDR_TEXT 64u /* bytes for udp_addr_text() */

union udp_sockaddr {
        struct sockaddr     sa;
        struct sockaddr_in  in4;
        struct sockaddr_in6 in6;
};

/*
 * False, and *@out is all zeros: no single host can be reached by @sa (unspecified, broadcast, multicast,
 * IPv4 mapped into IPv6, port 0). A link-local IPv6 address counts only in the interface @scope, which is the
 * socket's own, or 0: none.
 */
bool udp_addr_get(struct link_addr *out, const union udp_sockaddr *sa, uint32_t scope);

/* Returns the length. @a is from udp_addr_get(). */
socklen_t udp_addr_put(union udp_sockaddr *out, const struct link_addr *a, uint32_t scope);

/* The same host, all zeros instead of the port: for tables of hosts. */
struct link_addr udp_addr_host(const struct link_addr *a);

/* 0: the family has none of that. */
socklen_t udp_addr_len(int family);

void udp_addr_text(const struct link_addr *a, char *out);

#endif
