/*
 * link_addr.h - an address of the technology below: a MAC, or an IP address with its port. Opaque but to the
 * link that made it; unused bytes are 0, so that two are equal if and only if their memory is.
 */
#ifndef O7S_IPCPD_COMMON_LINK_ADDR_H
#define O7S_IPCPD_COMMON_LINK_ADDR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define LINK_ADDR_MAX 18u

struct link_addr {
        uint8_t host_len; /* of b: what says which host it is; the rest says which socket of it */
        uint8_t len;
        uint8_t b[LINK_ADDR_MAX];
};

static inline bool link_addr_equal(const struct link_addr *a, const struct link_addr *b)
{
        return memcmp(a, b, sizeof(*a)) == 0;
}

#endif
