/*
 * dns_query.h - one question to the DNS server: sent over UDP from a port of its own, which the kernel
 * draws at random, at 0, 300, 600 and 1200 ms; over TCP when the answer says that it was cut; given up
 * after 2 s.
 *
 * Only datagrams of that server come in, and only what fits the question is handed up; all else is as if it
 * had not come: also that the server cannot be reached, since anybody can send an ICMP message, and servers
 * come back.
 */
#ifndef O7S_IPCPD_UDP_DNS_QUERY_H
#define O7S_IPCPD_UDP_DNS_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#include "ipcpd/udp/dns_message.h"

struct dns_query; /* private to dns_query.c */

/*
 * On the loop; never from within the functions below. They may close the query; it does not close by
 * itself.
 */
struct dns_query_up {
        /* What fits the question. False: it is none that can be believed, the wait goes on; true: it ends. */
        bool (*answer)(void *ctx, const uint8_t *p, size_t len);

        /* Nothing more will come: -EHOSTUNREACH (no answer), or why there is none. */
        void (*failed)(void *ctx, int result);
};

/* Sends nothing yet. @up is borrowed for life. NULL: out of memory. */
struct dns_query *dns_query_open(uv_loop_t *loop, const struct dns_query_up *up, void *ctx);

/* No callback comes any more; the loop must turn once more. Takes NULL. */
void dns_query_close(struct dns_query *q);

/* Asks, once in the life of a query; @m is copied. */
void dns_query_ask(struct dns_query *q, const struct sockaddr_storage *server, const struct dns_message *m);

/* Instead of that: failed() with @result. */
void dns_query_fail(struct dns_query *q, int result);

#endif
