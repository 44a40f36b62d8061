#include "record_rig.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

const uint8_t rig_secret[RECORD_SECRET] = {0x5e, 0xc4, 0xe7};
const uint8_t rig_zeros[REC_MAX];

int rig_set_up(void **state)
{
        struct rig *g = calloc(1, sizeof(*g));

        g->tx  = record_tx_create(rig_secret, 0);
        g->rx  = record_rx_create(rig_secret);
        *state = g;
        return g->tx == NULL || g->rx == NULL ? -1 : 0;
}

int rig_tear_down(void **state)
{
        struct rig *g = *state;

        record_tx_destroy(g->tx);
        record_rx_destroy(g->rx);
        free(g);
        return 0;
}

struct rec rig_seal_at(struct rig *g, int64_t now_ns)
{
        struct rec r;
        ptrdiff_t  n = record_seal(g->tx, RECORD_DATA, "content", 7, now_ns, r.bytes);

        assert_int_equal(n, 7 + RECORD_OVERHEAD);
        r.len = (size_t)n;
        return r;
}

struct rec rig_seal(struct rig *g)
{
        return rig_seal_at(g, 0);
}

struct rec rig_seal_next(struct rig *g)
{
        struct rec r;

        record_tx_rotate_after(g->tx, 1);
        r = rig_seal(g);
        record_tx_rotate_after(g->tx, RECORD_EPOCH_RECORDS);
        return r;
}

struct rec rig_seal_in(struct rig *g, uint32_t epoch)
{
        while (record_tx_epoch(g->tx) + 1 < epoch)
                (void)rig_seal_next(g);
        return rig_seal_next(g);
}

ptrdiff_t rig_open(struct rig *g, const struct rec *r, int64_t now_ns)
{
        memset(g->out, 0, sizeof(g->out));
        return record_open(g->rx, r->bytes, r->len, now_ns, g->out, &g->type);
}

void rig_accept_at(struct rig *g, const struct rec *r, int64_t now_ns)
{
        assert_int_equal(rig_open(g, r, now_ns), 7);
        assert_memory_equal(g->out, "content", 7);
        assert_int_equal(g->type, RECORD_DATA);
}

void rig_accept(struct rig *g, const struct rec *r)
{
        rig_accept_at(g, r, 0);
}

void rig_refuse_at(struct rig *g, const struct rec *r, int64_t now_ns, int error)
{
        uint64_t forged = record_rx_forged(g->rx), replayed = record_rx_replayed(g->rx);
        uint32_t epoch = record_rx_epoch(g->rx);

        assert_int_equal(rig_open(g, r, now_ns), error);
        assert_memory_equal(g->out, rig_zeros, sizeof(g->out));
        assert_int_equal(record_rx_epoch(g->rx), epoch);
        assert_int_equal(record_rx_forged(g->rx), forged + (error == -EBADMSG));
        assert_int_equal(record_rx_replayed(g->rx), replayed + (error == -EALREADY));
}

void rig_refuse(struct rig *g, const struct rec *r, int error)
{
        rig_refuse_at(g, r, 0, error);
}

struct rec rec_altered(const struct rec *r, size_t bit)
{
        struct rec a = *r;

        a.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        return a;
}

struct rec rec_forged(uint32_t epoch, uint32_t counter)
{
        struct rec r = {.len = RECORD_OVERHEAD + 5};

        for (size_t i = 0; i < 3; i++)
                r.bytes[1 + i] = (uint8_t)(epoch >> (16 - 8 * i));
        for (size_t i = 0; i < 4; i++)
                r.bytes[4 + i] = (uint8_t)(counter >> (24 - 8 * i));
        return r;
}
