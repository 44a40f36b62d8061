#include "ipcpd/udp/dns_name.h"

#include <errno.h>
#include <string.h>

/* Of the 63 that are allowed: a multiple of four, as base32 is read by. */
#define LABEL_MAX 60u

static size_t digits(size_t len)
{
        return (len * 8 + 4) / 5;
}

/* Five bits from bit @i * 5 on, the most significant first; what is behind the end counts as zeros. */
static unsigned int digit(const uint8_t *hash, size_t len, size_t i)
{
        size_t       byte = i * 5 / 8;
        unsigned int pair = (unsigned int)hash[byte] << 8;

        if (byte + 1 < len)
                pair |= hash[byte + 1];
        return pair >> (11 - i * 5 % 8) & 31;
}

int dns_name(char out[DNS_NAME_MAX + 1], const uint8_t *hash, size_t len, const char *zone)
{
        size_t n = digits(len);
        size_t z = strlen(zone);
        char  *p = out;

        *out = 0;
        if (n > DNS_NAME_MAX || n + (n + LABEL_MAX - 1) / LABEL_MAX + z > DNS_NAME_MAX)
                return -ENAMETOOLONG;
        for (size_t i = 0; i < n; i++) {
                if (i > 0 && i % LABEL_MAX == 0)
                        *p++ = '.';
                *p++ = "abcdefghijklmnopqrstuvwxyz234567"[digit(hash, len, i)];
        }
        *p++ = '.';
        memcpy(p, zone, z + 1);
        return 0;
}
