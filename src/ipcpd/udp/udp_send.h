/*
 * udp_send.h - packets of a layer over UDP on their way out: an endpoint id, big-endian, and the packet. 0 is
 * management.
 *
 * Packets of one flow go in batches, one system call each. Where consecutive ones have the same length (of
 * such a run the last may be shorter), the kernel takes the run as one large datagram and cuts it up as late
 * as it can, in the network card if that does it (UDP_SEGMENT); that is what makes small packets cheap. The
 * bytes are the application's shared memory, and only the kernel reads them.
 */
#ifndef O7S_IPCPD_UDP_UDP_SEND_H
#define O7S_IPCPD_UDP_UDP_SEND_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "ipcpd/udp/udp_socket.h"

#define UDP_HDR 4u

struct udp_send;

/* @s is borrowed for life. NULL: out of memory. */
struct udp_send *udp_send_create(const struct udp_socket *s, uint32_t scope);
void             udp_send_destroy(struct udp_send *u); /* takes NULL */

/*
 * As link_ops.send_data(). What the kernel refuses (no route, a firewall, too large) is thrown away and
 * counted, with a log line now and then.
 */
size_t udp_send_packets(struct udp_send *u, const struct link_addr *to, uint32_t eid,
                        const struct iovec *packets, size_t n);

/* One packet for endpoint 0; lost if it cannot be sent now. */
void udp_send_control(struct udp_send *u, const struct link_addr *to, const uint8_t *p, size_t len);

struct udp_send_facts {
        uint64_t calls;
        uint64_t thrown_away; /* packets that the kernel refused                             */
        uint64_t cut_here;    /* runs that the kernel did not take as one: a path that narrowed */
};

void udp_send_facts(const struct udp_send *u, struct udp_send_facts *out);

#endif
