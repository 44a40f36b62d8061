/*
 * dns.h - DNS as the directory of a layer over UDP: which hosts have a name, and that this host has it
 * (doc/protocols/shim.md, "Names"). One server is asked, on the daemon's loop; nothing blocks.
 *
 * It knows hosts only: the port of a flow is the layer's own. What the server says is hostile; what comes
 * from elsewhere is not looked at. Not thread safe.
 */
#ifndef O7S_IPCPD_UDP_DNS_H
#define O7S_IPCPD_UDP_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#define DNS_HOSTS_MAX 16u /* that are told of one name; a server may have more */

struct dns; /* private to dns.c */

/*
 * Copied, with what it points to. By @family a host has an A or an AAAA record, which @own is; its port
 * does not count. The server, of either family (port 53 if it says 0), is master of @zone. @key_file signs
 * updates: "algorithm:name:base64"; NULL: none.
 */
struct dns_config {
        int                     family;
        struct sockaddr_storage server;
        struct sockaddr_storage own;
        const char             *zone;
        const char             *key_file;
};

/* Upwards, on the loop, once for each question; not from within the functions below, which may be called. */
struct dns_up {
        void *ctx;

        /* The answer to dns_find(), borrowed for the call; port 0. None: nobody, or no usable answer. */
        void (*found)(void *ctx, uint32_t ask, const struct sockaddr_storage *hosts, size_t n);

        /* The answer to dns_publish(): 0; -EPERM (refused), -EAUTH (key, zone), -EHOSTUNREACH (silence), … */
        void (*published)(void *ctx, uint32_t ask, int result);
};

/*
 * @up is copied, @loop borrowed for life. 0 and *@out, or a negative code and a log line that says why:
 * -EINVAL (zone, key or addresses), -EPERM (others may read the key file), what reading it says, -ENOMEM.
 */
int dns_open(struct dns **out, uv_loop_t *loop, const struct dns_config *conf, const struct dns_up *up);

/* Questions that are open end without a callback; the loop must turn once more. Takes NULL. */
void dns_close(struct dns *d);

/* Which hosts have the name of this hash, of 1 to HASH_MAX bytes: found(). Without memory no answer comes. */
void dns_find(struct dns *d, uint32_t ask, const uint8_t *hash, size_t len);

/*
 * Adds the record of this host to the name, or deletes it: IPCP_LATER and published(), or a negative code.
 * Updates of one name are sent in the order in which they were asked for.
 */
int dns_publish(struct dns *d, uint32_t ask, const uint8_t *hash, size_t len, bool there);

#endif
