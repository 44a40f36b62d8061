/* dns_verdict.h - what the answer to an update means: whether to believe it, and what came of the update. */
#ifndef O7S_IPCPD_UDP_DNS_VERDICT_H
#define O7S_IPCPD_UDP_DNS_VERDICT_H

#include <stdbool.h>

#include "ipcpd/udp/dns_tsig.h"

/*
 * Of the answer @p to an update with the signature @request, if there is a key (else NULL). True: *@result
 * is 0 or a negative code. False: it cannot be believed, and is to be taken as if it had not come (RFC
 * 8945, 5.3). *@why is a constant sentence about the server, NULL with the result 0.
 */
bool dns_verdict(const struct dns_key *k, const struct dns_mac *request, const uint8_t *p, size_t len,
                 int64_t now_s, int *result, const char **why);

#endif
