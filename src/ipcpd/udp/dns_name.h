/* dns_name.h - how the hash of a name is written in DNS (doc/protocols/shim.md, "Names"). */
#ifndef O7S_IPCPD_UDP_DNS_NAME_H
#define O7S_IPCPD_UDP_DNS_NAME_H

#include <stddef.h>
#include <stdint.h>

#define DNS_NAME_MAX 253u /* characters of a name as text (RFC 1035, 2.3.4: 255 bytes on the wire) */

/*
 * Base32 (RFC 4648) in lower case and without padding, cut into labels of 60 characters, in @zone;
 * terminated. 0, or -ENAMETOOLONG: @out is empty then. @zone is not looked at closer.
 */
int dns_name(char out[DNS_NAME_MAX + 1], const uint8_t *hash, size_t len, const char *zone);

#endif
