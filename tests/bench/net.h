/*
 * net.h - what is compared over a network: ways for processes on two hosts to exchange bytes, behind the same calls, and what
 * they do with them. net_main.c is the program; bench_net.py starts one of it on each host and measures.
 */
#ifndef BENCH_NET_H
#define BENCH_NET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define NET_BYTES_MAX (256u * 1024)

/* A file that a client, its server and who measures have in their memory. bench_net.py knows the places. */
struct net_shared {
        _Alignas(128) _Atomic uint64_t received; /* bytes, by the server                        */
        _Alignas(128) _Atomic uint64_t sent;     /* bytes, by the client                        */
        _Atomic uint64_t done;                   /* questions that were answered, by the client */
        _Atomic uint64_t done_ns;                /* how long they took together                 */
        _Alignas(128) _Atomic uint32_t run;      /* the client works                            */
};

struct net_conf {
        const char *own, *peer; /* IPv4 addresses                     */
        uint16_t    port;
        const char *dev;      /* interface                          */
        uint8_t     mac[6];   /* the peer's, on it                  */
        const char *security; /* directory of credentials, or NULL  */
        const char *name;     /* of the service                     */
        const char *qos;      /* raw or data                        */
        size_t      size;     /* of messages                        */
        const void *question; /* first data, or NULL                */
        bool        answers;  /* the server sends everything back   */
};

/*
 * On failure these return a negative number, with errno or a reason on stderr. send() and recv() block; they may take or give
 * more than one message of @len bytes at once, and return how many bytes they were. Batches of datagrams lie in their
 * own memory: @buf may be left alone.
 */
struct net_way {
        const char *name;
        int (*listen)(const struct net_conf *c);
        int (*accept)(const struct net_conf *c, int listener);
        int (*open)(const struct net_conf *c);
        ssize_t (*send)(int fd, void *buf, size_t len);
        ssize_t (*recv)(int fd, void *buf, size_t len);
        void (*close)(int fd);
};

extern const struct net_way net_flow;
extern const struct net_way net_udp;     /* one datagram by send() and recv()             */
extern const struct net_way net_udp_m;   /* sendmmsg(), recvmmsg()                        */
extern const struct net_way net_udp_gso; /* the same with UDP_SEGMENT and UDP_GRO         */
extern const struct net_way net_packet;  /* AF_PACKET: no queue, sendmmsg(), TPACKET_V3   */
extern const struct net_way net_tcp;
extern const struct net_way net_tls; /* 1.3, TLS_AES_256_GCM_SHA384 and X25519         */

#endif
