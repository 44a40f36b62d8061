/*
 * dns_tsig.h - the signature on a message to the DNS server and on its answer (TSIG, RFC 8945).
 *
 * Ours and not that of ldns, which leaves the key in freed memory, and believes the algorithm and the time
 * that the answer itself names.
 */
#ifndef O7S_IPCPD_UDP_DNS_TSIG_H
#define O7S_IPCPD_UDP_DNS_TSIG_H

#include "ipcpd/udp/dns_key.h"
#include "ipcpd/udp/dns_message.h"

/* Appends the signature; @mac is needed for the answer. @now_s: since 1970. 0; -EMSGSIZE, -ENOMEM. */
int dns_tsig_sign(const struct dns_key *k, struct dns_message *m, int64_t now_s, struct dns_mac *mac);

/*
 * Whether the answer @p is the server's to the message with the signature @request. 0: it is; 1: it is, and
 * says that it does not accept ours; -EAUTH: nothing in it can be believed. *@why is a constant sentence,
 * NULL at 0 and where there is no signature with our key at all.
 */
int dns_tsig_verify(const struct dns_key *k, const struct dns_mac *request, const uint8_t *p, size_t len,
                    int64_t now_s, const char **why);

#endif
