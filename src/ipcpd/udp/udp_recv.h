/*
 * udp_recv.h - packets of a layer over UDP on their way in.
 *
 * The kernel hands over what it received of one sender as one large datagram, if it can (UDP_GRO), and says
 * how long the pieces are. Whatever comes is harmless: too short, from nowhere, for nobody.
 */
#ifndef O7S_IPCPD_UDP_UDP_RECV_H
#define O7S_IPCPD_UDP_UDP_RECV_H

#include <stddef.h>
#include <stdint.h>

#include "ipcpd/shim/link.h"
#include "ipcpd/udp/udp_socket.h"

struct udp_recv;

struct udp_recv_facts {
        uint64_t calls;
        uint64_t packets; /* that were handed up                                                    */
        uint64_t refused; /* datagrams that were too short, or from no address that can be answered */
};

/* @s and @up are borrowed for life. NULL: out of memory. */
struct udp_recv *udp_recv_create(const struct udp_socket *s, uint32_t scope, const struct link_up *up);
void             udp_recv_destroy(struct udp_recv *u); /* takes NULL */

/* Nothing more is handed up, not even the rest of a batch: for who is called from within one. */
void udp_recv_stop(struct udp_recv *u);

/* Receives a batch and hands it up. Returns of how many packets; 0: nothing was there, or all was refused. */
size_t udp_recv_batch(struct udp_recv *u);

/*
 * Hands up what came from @from at once: pieces of @segment bytes, the last may be shorter. 0: it is one
 * piece.
 */
void udp_recv_pieces(struct udp_recv *u, const union udp_sockaddr *from, const uint8_t *p, size_t len,
                     size_t segment);

void udp_recv_facts(const struct udp_recv *u, struct udp_recv_facts *out);

#endif
