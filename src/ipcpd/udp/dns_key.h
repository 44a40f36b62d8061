/*
 * dns_key.h - the key that this host and the DNS server share (RFC 8945), read from a file of one line, as
 * tools take it on their command line: "hmac-sha256:name:base64". It is in memory for secrets, wiped with it.
 */
#ifndef O7S_IPCPD_UDP_DNS_KEY_H
#define O7S_IPCPD_UDP_DNS_KEY_H

#include <stddef.h>
#include <stdint.h>

#define DNS_NAME_WIRE_MAX 255u

struct dns_key; /* private to dns_key.c */

/* A signature. */
struct dns_mac {
        size_t  len;
        uint8_t b[64];
};

struct dns_key_piece {
        const uint8_t *p;
        size_t         len;
};

/* A name in wire format and in lower case, as it is signed (RFC 4034, 6.2). */
struct dns_key_name {
        size_t  len;
        uint8_t b[DNS_NAME_WIRE_MAX];
};

/* 0 and *@out; or a negative code and at *@why the reason, a constant sentence without a subject. */
int dns_key_read(struct dns_key **out, const char *path, const char **why);

void dns_key_free(struct dns_key *k); /* takes NULL */

const struct dns_key_name *dns_key_name(const struct dns_key *k);
const struct dns_key_name *dns_key_algorithm(const struct dns_key *k);

/* Signs the @n pieces one after the other. 0 or -ENOMEM. */
int dns_key_sign(const struct dns_key *k, const struct dns_key_piece *pieces, size_t n, struct dns_mac *mac);

#endif
