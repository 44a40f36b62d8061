#include "oping/message.h"

#include "common/be.h"

#define MAGIC UINT64_C(0x6f70696e) /* "opin" */

void message_put(uint8_t *buf, const struct message *m)
{
        buf = be_put(buf, MAGIC, 4);
        buf = be_put(buf, m->seq, 8);
        be_put(buf, (uint64_t)m->sent_ns, 8);
}

bool message_get(const uint8_t *buf, size_t len, struct message *m)
{
        if (len < MESSAGE_MIN || be_get(buf, 4) != MAGIC)
                return false;
        m->seq     = be_get(buf + 4, 8);
        m->sent_ns = (int64_t)be_get(buf + 12, 8);
        return true;
}
