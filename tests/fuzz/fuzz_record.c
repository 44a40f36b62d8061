/*
 * fuzz_record.c - a sender, and a receiver who gets its records in any order, late, twice, altered, with junk
 * between them, while time passes and epochs are skipped.
 *
 * A model knows what must be accepted: the receiver may do neither more nor less. Nothing else moves the
 * epoch, and no content comes out twice.
 */
#include <errno.h>
#include <string.h>

#include "crypt/record.h"

#include "input.h"

#define LOG     256u /* records that can still be delivered */
#define CONTENT 40u
#define REC_MAX (CONTENT + RECORD_OVERHEAD)
#define WINDOW  4096u
#define AHEAD   64u
#define S       INT64_C(1000000000)
#define WORK    10000u /* records of one input, about: an epoch is worth thirty */

struct rec {
        uint8_t  bytes[REC_MAX];
        size_t   len;
        uint32_t epoch, counter;
        bool     taken;
};

/* What the receiver is expected to hold. */
struct model {
        uint32_t current, previous;
        bool     has_previous;
        uint64_t end, previous_end; /* one past the highest counter taken */
        int64_t  moved_ns;
};

struct rig {
        struct record_tx *tx;
        struct record_rx *rx;
        struct rec        log[LOG];
        uint64_t          sealed;
        uint32_t          last_epoch, counter; /* of the sender */
        struct model      m;
        int64_t           now_ns;
        unsigned          work;
};

static struct rig rig;

static void begin(struct rig *g)
{
        static const uint8_t secret[RECORD_SECRET] = "fuzz";

        memset(g, 0, sizeof(*g));
        g->tx = record_tx_create(secret, 0);
        g->rx = record_rx_create(secret);
        MUST(g->tx != NULL && g->rx != NULL);
}

static void end(struct rig *g)
{
        record_tx_destroy(g->tx);
        record_rx_destroy(g->rx);
}

/* -- model ------------------------------------------------------------------------- */

static bool in_window(uint64_t end_, uint32_t counter)
{
        return counter + (uint64_t)WINDOW >= end_;
}

static bool acceptable(const struct model *m, const struct rec *r)
{
        if (r->taken)
                return false;
        if (r->epoch == m->current)
                return in_window(m->end, r->counter);
        if (r->epoch > m->current)
                return r->epoch - m->current <= AHEAD;
        return m->has_previous && r->epoch == m->previous && in_window(m->previous_end, r->counter);
}

static void expire(struct model *m, int64_t now_ns)
{
        if (now_ns - m->moved_ns >= 10 * S)
                m->has_previous = false;
}

static void note(struct model *m, const struct rec *r, int64_t now_ns)
{
        uint64_t *end_ = r->epoch < m->current ? &m->previous_end : &m->end;

        if (r->epoch > m->current) {
                m->previous     = m->current;
                m->previous_end = m->end;
                m->has_previous = true;
                m->current      = r->epoch;
                m->end          = 0;
                m->moved_ns     = now_ns;
        }
        if (r->counter >= *end_)
                *end_ = (uint64_t)r->counter + 1;
}

/* -- steps ------------------------------------------------------------------------- */

static void seal(struct rig *g, size_t n)
{
        struct rec      *r = &g->log[g->sealed++ % LOG];
        uint8_t          content[CONTENT];
        enum record_type type = (enum record_type)(n % 3);

        memset(content, (int)(g->sealed % 251), n);
        MUST(record_seal(g->tx, type, content, n, g->now_ns, r->bytes) == (ptrdiff_t)(n + RECORD_OVERHEAD));
        r->len     = n + RECORD_OVERHEAD;
        r->epoch   = record_tx_epoch(g->tx);
        g->counter = r->epoch == g->last_epoch && g->sealed > 1 ? g->counter + 1 : 0;
        MUST(r->epoch - g->last_epoch <= 1);
        g->last_epoch = r->epoch;
        r->counter    = g->counter;
        r->taken      = false;
}

static void skip(struct rig *g, unsigned epochs)
{
        g->work += 30 * epochs;
        record_tx_rotate_after(g->tx, 1);
        for (; epochs > 0; epochs--)
                seal(g, 1);
        record_tx_rotate_after(g->tx, RECORD_EPOCH_RECORDS);
}

static void seal_many(struct rig *g, unsigned n)
{
        g->work += n;
        for (; n > 0; n--)
                seal(g, 0);
}

static ptrdiff_t give(struct rig *g, const uint8_t *bytes, size_t len, uint8_t *out)
{
        enum record_type type  = RECORD_DATA;
        uint64_t         count = record_rx_forged(g->rx) + record_rx_replayed(g->rx);
        ptrdiff_t        n     = record_open(g->rx, bytes, len, g->now_ns, out, &type);

        expire(&g->m, g->now_ns);
        if (n >= 0) {
                MUST((size_t)n + RECORD_OVERHEAD == len && type == (enum record_type)(n % 3));
        } else {
                MUST(n == -EBADMSG || n == -EALREADY);
                MUST(record_rx_forged(g->rx) + record_rx_replayed(g->rx) == count + 1);
        }
        return n;
}

static void deliver(struct rig *g, struct rec *r)
{
        uint8_t   out[REC_MAX];
        bool      expected;
        ptrdiff_t n;

        if (r->len == 0)
                return;
        expire(&g->m, g->now_ns);
        expected = acceptable(&g->m, r);
        n        = give(g, r->bytes, r->len, out);
        MUST((n >= 0) == expected);
        if (n >= 0) {
                note(&g->m, r, g->now_ns);
                r->taken = true;
                for (ptrdiff_t i = 1; i < n; i++)
                        MUST(out[i] == out[0]);
        } else {
                MUST(n == -EALREADY || r->epoch > g->m.current);
        }
}

static void deliver_altered(struct rig *g, const struct rec *r, struct input *in)
{
        uint8_t out[REC_MAX + 8], bytes[REC_MAX + 8] = {0};
        size_t  len = r->len;

        if (len == 0)
                return;
        memcpy(bytes, r->bytes, len);
        if (input_byte(in) & 1)
                len = input_byte(in) % (sizeof(bytes) + 1);
        bytes[input_byte(in) % r->len] ^= input_byte(in);
        if (len != r->len || memcmp(bytes, r->bytes, len) != 0)
                MUST(give(g, bytes, len, out) < 0);
}

/* With numbers from the input, or anything at all. */
static void deliver_junk(struct rig *g, struct input *in)
{
        uint8_t  out[REC_MAX], bytes[REC_MAX];
        size_t   len   = input_byte(in) % (sizeof(bytes) + 1);
        uint32_t epoch = g->m.current + (uint32_t)(int8_t)input_byte(in);

        for (size_t i = 0; i < sizeof(bytes); i++)
                bytes[i] = i < RECORD_HDR || i % 8 == 0 ? input_byte(in) : (uint8_t)i;
        if (input_byte(in) & 1) {
                bytes[0] = 0;
                bytes[1] = (uint8_t)(epoch >> 16);
                bytes[2] = (uint8_t)(epoch >> 8);
                bytes[3] = (uint8_t)epoch;
        }
        MUST(give(g, bytes, len, out) < 0);
}

static struct rec *from_log(struct rig *g, struct input *in)
{
        return &g->log[(g->sealed - 1 - input_byte(in)) % LOG];
}

static void step(struct rig *g, struct input *in)
{
        uint8_t op = input_byte(in);

        switch (op & 7) {
        case 0: seal(g, op >> 3); break;
        case 1: deliver(g, from_log(g, in)); break;
        case 2: deliver_altered(g, from_log(g, in), in); break;
        case 3: deliver_junk(g, in); break;
        case 4: skip(g, input_byte(in) % 80); break;
        case 5: g->now_ns += S * (op & 8 ? input_byte(in) * 100 : input_byte(in) % 12); break;
        case 6: seal_many(g, 8u * (op >> 3) * (op >> 3)); break;
        default: record_rx_expire(g->rx, g->now_ns); expire(&g->m, g->now_ns);
        }
        MUST(record_rx_epoch(g->rx) == g->m.current);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct input in = {data, data + size};

        begin(&rig);
        while (input_left(&in) && rig.work++ < WORK)
                step(&rig, &in);
        end(&rig);
        return 0;
}
