#include "mark.h"

#define ETHER_LEN 14u
#define IPV4_LEN  20u
#define IPV6_LEN  40u

enum { NOT_ECT = 0, CE = 3 };

static unsigned word(const uint8_t *p)
{
        return (unsigned)p[0] << 8 | p[1];
}

/* Only the first word of the header changes: RFC 1624, equation 3. */
static void checksum_mend(uint8_t *ip, unsigned before)
{
        unsigned sum = (~word(ip + 10) & 0xffff) + (~before & 0xffff) + word(ip);

        sum    = (sum & 0xffff) + (sum >> 16);
        sum    = ~((sum & 0xffff) + (sum >> 16));
        ip[10] = (uint8_t)(sum >> 8);
        ip[11] = (uint8_t)sum;
}

static bool mark_ipv4(uint8_t *ip)
{
        unsigned before = word(ip);

        if ((ip[1] & CE) == NOT_ECT || (ip[1] & CE) == CE)
                return false;
        ip[1] |= CE;
        checksum_mend(ip, before);
        return true;
}

/* The traffic class lies across the first two bytes; the ECN field is in the second, above the flow label. */
static bool mark_ipv6(uint8_t *ip)
{
        unsigned ecn = ip[1] >> 4 & CE;

        if (ecn == NOT_ECT || ecn == CE)
                return false;
        ip[1] |= CE << 4;
        return true;
}

bool mark_ce(uint8_t *frame, size_t len)
{
        uint8_t *ip = frame + ETHER_LEN;

        if (len >= ETHER_LEN + IPV4_LEN && word(frame + 12) == 0x0800 && ip[0] >> 4 == 4)
                return mark_ipv4(ip);
        if (len >= ETHER_LEN + IPV6_LEN && word(frame + 12) == 0x86dd && ip[0] >> 4 == 6)
                return mark_ipv6(ip);
        return false;
}
