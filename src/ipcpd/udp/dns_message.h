/*
 * dns_message.h - what is said in DNS: a question for the addresses of a name (RFC 1035), an update of the
 * records of a zone (RFC 2136), and what an answer to them says. No socket, no clock; whatever an answer
 * holds is checked.
 */
#ifndef O7S_IPCPD_UDP_DNS_MESSAGE_H
#define O7S_IPCPD_UDP_DNS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define DNS_HEADER      12u
#define DNS_MESSAGE_MAX 1024u /* of ours: an update with the longest names and signature */
#define DNS_ANSWER_MAX  65535u

/* The codes of an answer that are told apart (RFC 1035, 4.1.1; RFC 2136, 2.2). */
enum { DNS_NOERROR = 0, DNS_NXDOMAIN = 3 };

/* A message to the server. */
struct dns_message {
        size_t  len;
        size_t  question; /* bytes of its question (or zone) section, which follows the header */
        uint8_t b[DNS_MESSAGE_MAX];
};

/* Which addresses @name has: A or AAAA by @family. 0; -EINVAL: no such name can be; -ENOMEM. */
int dns_message_find(struct dns_message *m, uint16_t id, const char *name, int family);

/* @name in @zone has the address @own (add it), or not (delete that record alone). As above. */
int dns_message_update(struct dns_message *m, uint16_t id, const char *zone, const char *name,
                       const struct sockaddr_storage *own, bool there);

/* Whether @p looks like the answer to @m: same id, kind and question. The functions below are for such. */
bool dns_message_fits(const struct dns_message *m, const uint8_t *p, size_t len);

/* Whether the answer is only the beginning of one (TC). */
bool dns_message_cut(const uint8_t *p);

/* What the server says of it, 0 to 15. */
unsigned int dns_message_code(const uint8_t *p);

/*
 * The addresses that the answer to dns_message_find() gives for the name that was asked for, without
 * repetition and those that no host can have, at most @max; the port is 0. What else is in the answer is
 * not looked at. Returns how many, or -EPROTO.
 */
int dns_message_hosts(const uint8_t *p, size_t len, struct sockaddr_storage *hosts, size_t max);

#endif
