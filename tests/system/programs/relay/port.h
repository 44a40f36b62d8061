/*
 * port.h - one side of the relay: a UDP socket, a TAP device, or an inherited socket that keeps messages
 * apart. Packets are read and written in batches, as far as the kind of descriptor lets that be.
 */
#ifndef O7S_RELAY_PORT_H
#define O7S_RELAY_PORT_H

#include <stdbool.h>
#include <sys/socket.h>

#include "pool.h"

#define PORT_BATCH 64u
#define WHY_MAX    256u

enum port_kind { PORT_UDP, PORT_TAP, PORT_UNIX };

struct port {
        enum port_kind          kind;
        int                     fd;
        char                    name[80];  /* where to reach it, for people and tests */
        bool                    known;     /* UDP: the peer's address is              */
        uint64_t                strangers; /* UDP: packets from anybody else          */
        struct sockaddr_storage local, peer;
        socklen_t               peer_len;
        struct pkt *in[PORT_BATCH]; /* port_receive() fills them; the caller may put others in their place */
};

/*
 * Opens what @spec says and takes its batch of packets from @pool:
 *
 *     udp:ADDRESS:PORT[,ADDRESS:PORT]  ours, and the peer's (without: whoever sends first); IPv6 in brackets; port 0: any
 *     tap:NAME[,NETNS]                 made unless it is there, and set up; in that namespace of `ip netns`
 *     unix:FD                          an inherited socket of type SEQPACKET or DGRAM
 *
 * 0, or -1 with a sentence in @why. port_close() takes what failed, too.
 */
int  port_open(struct port *p, const char *spec, struct pool *pool, char why[WHY_MAX]);
void port_close(struct port *p);

/* How many packets came into @in, without waiting. -1: the device or the other end has gone. */
int port_receive(struct port *p);

/* Sends without waiting; how many of the @n went. */
size_t port_send(struct port *p, struct pkt *const *out, size_t n);

#endif
