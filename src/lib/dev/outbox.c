#include "dev/outbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "crypt/crc32.h"

_Static_assert(PORT_MSG_MAX + RECORD_OVERHEAD <= PORT_RECORD_MAX, "a port takes every record");
_Static_assert(RECORD_OVERHEAD <= PORT_LAST_MAX, "a close finds room");

struct outbox {
        struct record_tx *records; /* NULL: checksums */
        /* The record in the making: ciphertext, nothing to be wiped. */
        alignas(64) uint8_t sealed[PORT_MSG_MAX + RECORD_OVERHEAD];
};

struct outbox *outbox_create(const uint8_t secret[RECORD_SECRET])
{
        struct outbox *o = aligned_alloc(alignof(struct outbox), sizeof(*o));

        if (o == NULL)
                return NULL;
        o->records = secret != NULL ? record_tx_create(secret, clock_coarse_ns()) : NULL;
        if (secret == NULL || o->records != NULL)
                return o;
        free(o);
        return NULL;
}

void outbox_destroy(struct outbox *o)
{
        if (o == NULL)
                return;
        if (o->records != NULL)
                record_tx_destroy(o->records);
        free(o);
}

struct record_tx *outbox_records(struct outbox *o)
{
        return o->records;
}

size_t outbox_overhead(const struct outbox *o)
{
        return o->records != NULL ? RECORD_OVERHEAD : CRC32_LEN;
}

static int put_summed(struct port *p, const void *buf, size_t n)
{
        uint8_t *to;
        int      r = port_reserve(p, n + CRC32_LEN, false, &to);

        if (r < 0)
                return r;
        memcpy(to, buf, n);
        crc32_put(buf, n, to + n);
        port_commit(p, n + CRC32_LEN, n, true);
        return 0;
}

/* Room comes first: what cannot be sent must not cost a number, nor the work. */
static int put(struct outbox *o, struct port *p, enum record_type type, const void *buf, size_t n, bool wakes)
{
        size_t    len = n + RECORD_OVERHEAD;
        uint8_t  *to;
        ptrdiff_t sealed;
        int       r = port_reserve(p, len, type == RECORD_CLOSE, &to);

        if (r < 0)
                return r;
        sealed = record_seal(o->records, type, buf, n, clock_coarse_ns(), o->sealed);
        if (sealed < 0)
                return sealed == -ENOMEM ? -ENOMEM : -EPROTO;
        memcpy(to, o->sealed, len);
        port_commit(p, len, n, wakes);
        return 0;
}

int outbox_write(struct outbox *o, struct port *p, const void *buf, size_t n)
{
        if (n == 0 || n > PORT_MSG_MAX)
                return -EMSGSIZE;
        return o->records != NULL ? put(o, p, RECORD_DATA, buf, n, true) : put_summed(p, buf, n);
}

int outbox_say(struct outbox *o, struct port *p, enum record_type type, bool wakes)
{
        return o->records != NULL ? put(o, p, type, "", 0, wakes) : 0;
}
