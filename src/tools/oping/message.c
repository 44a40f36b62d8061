#include "oping/message.h"

#define MAGIC UINT64_C(0x6f70696e) /* "opin" */

static uint8_t *put_be(uint8_t *p, uint64_t v, size_t n)
{
        while (n-- > 0)
                *p++ = (uint8_t)(v >> (8 * n));
        return p;
}

static uint64_t get_be(const uint8_t *p, size_t n)
{
        uint64_t v = 0;

        while (n-- > 0)
                v = v << 8 | *p++;
        return v;
}

void message_put(uint8_t *buf, const struct message *m)
{
        buf = put_be(buf, MAGIC, 4);
        buf = put_be(buf, m->seq, 8);
        put_be(buf, (uint64_t)m->sent_ns, 8);
}

bool message_get(const uint8_t *buf, size_t len, struct message *m)
{
        if (len < MESSAGE_MIN || get_be(buf, 4) != MAGIC)
                return false;
        m->seq     = get_be(buf + 4, 8);
        m->sent_ns = (int64_t)get_be(buf + 12, 8);
        return true;
}
