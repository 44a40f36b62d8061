/*
 * OpenSSL reads certificates in any encoding of ASN.1 and keeps the bytes as they came, so that one certificate could be
 * presented in many forms. Certificates are DER: others are refused before OpenSSL sees them.
 */
#include "oap/der.h"

#define DEPTH_MAX 32u

#define CONSTRUCTED 0x20u

/* Takes a tag and a length off @s. The content is *@in. */
static bool element(struct span *s, uint8_t *tag, struct span *in)
{
        size_t len, n;

        if (s->len < 2)
                return false;
        *tag = s->p[0];
        len  = s->p[1];
        s->p += 2;
        s->len -= 2;
        if ((*tag & 0x1f) == 0x1f) /* a tag of several bytes: not in certificates */
                return false;
        if (len >= 0x80) {
                n = len & 0x7f;
                if (n == 0 || n > 3 || n > s->len || s->p[0] == 0)
                        return false;
                for (len = 0; n > 0; n--, s->p++, s->len--)
                        len = len << 8 | s->p[0];
                if (len < 0x80)
                        return false;
        }
        if (len > s->len)
                return false;
        *in = (struct span){s->p, len};
        s->p += len;
        s->len -= len;
        return true;
}

static bool elements_ok(struct span s, unsigned depth)
{
        uint8_t     tag;
        struct span in;

        while (s.len > 0)
                if (!element(&s, &tag, &in) ||
                    ((tag & CONSTRUCTED) && (depth == 0 || !elements_ok(in, depth - 1))))
                        return false;
        return true;
}

bool der_ok(struct span der)
{
        struct span rest = der, in;
        uint8_t     tag;

        return element(&rest, &tag, &in) && rest.len == 0 && elements_ok(der, DEPTH_MAX);
}
