/* test_frct_wire.c - FRCT's header and its numbers: exact bytes, every combination of flags, every prefix. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "frct/number.h"
#include "wire/frct.h"

#include "guarded.h"
#include "random.h"

#define PAYLOAD 3u

/* A header with all fields set that its flags and ranges call for. */
static struct frct_hdr make(uint8_t flags, uint8_t n_ranges)
{
        struct frct_hdr h   = {.flags = flags, .n_ranges = n_ranges, .stamp = 0x01020304};
        bool            ack = flags & FRCT_ACK;

        h.marks = ack ? 0x0506 : 0;
        h.seq   = flags & FRCT_DATA ? 0x0708090a : 0;
        h.first = flags & FRCT_RUN ? 0x0b0c0d0e : 0;
        h.ack   = ack ? 0x0f101112 : 0;
        h.edge  = ack ? 0x13141516 : 0;
        h.echo  = ack ? 0x1718191a : 0;
        h.delay = ack ? 0x1b1c1d1e : 0;
        for (uint32_t i = 0; i < n_ranges && i < FRCT_RANGES_MAX; i++)
                h.ranges[i] = (struct frct_range){0x20000000 + i, 0x30000000 + i};
        return h;
}

/* The header and @payload bytes behind it. Returns the length. */
static size_t encode(const struct frct_hdr *h, size_t payload, uint8_t *out, size_t room)
{
        struct wr w = {out, out + room, false};

        frct_hdr_put(&w, h);
        assert_false(w.bad);
        memset(w.p, 0xee, payload);
        return (size_t)(w.p - out) + payload;
}

static bool decode(const uint8_t *p, size_t len, struct frct_hdr *h, size_t *payload)
{
        struct rd r  = {p, p + len, false};
        bool      ok = frct_hdr_get(&r, h);

        assert_true(r.p <= r.end);
        *payload = (size_t)(r.end - r.p);
        return ok;
}

static void expect_equal(const struct frct_hdr *a, const struct frct_hdr *b)
{
        assert_int_equal(a->flags, b->flags);
        assert_int_equal(a->n_ranges, b->n_ranges);
        assert_int_equal(a->marks, b->marks);
        assert_int_equal(a->stamp, b->stamp);
        assert_int_equal(a->seq, b->seq);
        assert_int_equal(a->first, b->first);
        assert_int_equal(a->ack, b->ack);
        assert_int_equal(a->edge, b->edge);
        assert_int_equal(a->echo, b->echo);
        assert_int_equal(a->delay, b->delay);
        assert_memory_equal(a->ranges, b->ranges, a->n_ranges * sizeof(a->ranges[0]));
}

/* What doc/protocols/frct.md allows, in other words than wire/frct.h has. */
static bool allowed(unsigned flags, unsigned n_ranges, bool marks, size_t payload)
{
        if (flags > 0x7f || (flags & (FRCT_DATA | FRCT_ACK | FRCT_PROBE)) == 0)
                return false;
        if ((flags & FRCT_ACK) == 0 && (n_ranges > 0 || marks))
                return false;
        if (n_ranges > 32)
                return false;
        switch (flags & (FRCT_DATA | FRCT_FIRST | FRCT_LAST | FRCT_FIN)) {
        case 0: return ((flags & FRCT_RUN) == 0 || (flags & FRCT_PROBE) != 0) && payload == 0;
        case FRCT_DATA | FRCT_FIN: return payload == 0;
        case FRCT_DATA: return payload > 0;
        case FRCT_DATA | FRCT_FIRST: return payload > 0;
        case FRCT_DATA | FRCT_LAST: return payload > 0;
        case FRCT_DATA | FRCT_FIRST | FRCT_LAST: return payload > 0;
        default: return false;
        }
}

static void test_exact_bytes(void **state)
{
        static const uint8_t expect[] = {0x77, 2,    0x05, 0x06, 0x01, 0x02, 0x03, 0x04, 0x07, 0x08,
                                         0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x11, 0x12,
                                         0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c,
                                         0x1d, 0x1e, 0x20, 0,    0,    0,    0x30, 0,    0,    0,
                                         0x20, 0,    0,    1,    0x30, 0,    0,    1};
        struct frct_hdr      h        = make(0x77, 2);
        uint8_t              buf[FRCT_HDR_MAX];

        (void)state;
        assert_int_equal(encode(&h, 0, buf, sizeof(buf)), sizeof(expect));
        assert_memory_equal(buf, expect, sizeof(expect));
}

static void test_lengths(void **state)
{
        (void)state;
        assert_int_equal(frct_hdr_len(FRCT_DATA, 0), FRCT_HDR_DATA);
        assert_int_equal(frct_hdr_len(FRCT_DATA | FRCT_FIRST | FRCT_LAST, 0), FRCT_HDR_DATA);
        assert_int_equal(frct_hdr_len(FRCT_DATA | FRCT_RUN, 0), 16);
        assert_int_equal(frct_hdr_len(FRCT_DATA | FRCT_RUN | FRCT_ACK, 0), FRCT_HDR_DATA_MAX);
        assert_int_equal(frct_hdr_len(FRCT_DATA | FRCT_RUN | FRCT_ACK, FRCT_RANGES_MAX), FRCT_HDR_MAX);
        assert_int_equal(frct_hdr_len(FRCT_ACK, 0), FRCT_HDR_ACK);
        assert_int_equal(frct_hdr_len(FRCT_ACK, 5), FRCT_HDR_ACK + 5 * FRCT_RANGE_LEN);
        assert_int_equal(frct_hdr_len(FRCT_PROBE, 0), 8);
        assert_int_equal(FRCT_HDR_DATA, 12);
        assert_int_equal(FRCT_HDR_DATA_MAX, 32);
        assert_int_equal(FRCT_HDR_ACK, 24);
        assert_int_equal(FRCT_HDR_MAX, 288);
}

/* One packet: accepted if it is allowed, and then the same again. */
static void try_packet(const struct frct_hdr *h, size_t payload)
{
        uint8_t         buf[FRCT_HDR_MAX + 64 * FRCT_RANGE_LEN + PAYLOAD], again[sizeof(buf)];
        size_t          len = encode(h, payload, buf, sizeof(buf)), left;
        struct frct_hdr got;

        assert_int_equal(len - payload, frct_hdr_len(h->flags, h->n_ranges));
        if (!allowed(h->flags, h->n_ranges, h->marks != 0, payload)) {
                assert_false(decode(buf, len, &got, &left));
                return;
        }
        assert_true(decode(buf, len, &got, &left));
        assert_int_equal(left, payload);
        expect_equal(h, &got);
        assert_int_equal(encode(&got, payload, again, sizeof(again)), len);
        assert_memory_equal(buf, again, len);
}

static void test_every_combination_of_flags(void **state)
{
        static const uint8_t ranges[] = {0, 1, 2, 31, 32};

        (void)state;
        for (unsigned flags = 0; flags < 256; flags++) {
                for (size_t i = 0; i < sizeof(ranges); i++) {
                        struct frct_hdr h = make((uint8_t)flags, ranges[i]);

                        for (size_t payload = 0; payload <= PAYLOAD; payload++)
                                try_packet(&h, payload);
                        h.marks ^= 1;
                        try_packet(&h, flags & FRCT_DATA && !(flags & FRCT_FIN));
                }
        }
}

static void test_too_many_ranges(void **state)
{
        uint8_t         buf[FRCT_HDR_ACK + 255 * FRCT_RANGE_LEN] = {FRCT_ACK};
        struct frct_hdr h;
        size_t          left;

        (void)state;
        for (unsigned n = 0; n < 256; n++) {
                buf[1] = (uint8_t)n;
                assert_int_equal(decode(buf, FRCT_HDR_ACK + n * FRCT_RANGE_LEN, &h, &left), n <= 32);
        }
}

/* Of packets of every kind. Behind each prefix lies a page that nobody may touch. */
static void test_every_prefix(void **state)
{
        uint8_t *page = guarded_alloc(GUARDED_PAGE);

        (void)state;
        for (unsigned flags = 0; flags < 128; flags++) {
                for (uint8_t n = 0; n <= (flags & FRCT_ACK ? 3 : 0); n++) {
                        bool            piece = flags & FRCT_DATA && !(flags & FRCT_FIN);
                        struct frct_hdr h     = make((uint8_t)flags, n), got;
                        uint8_t         buf[FRCT_HDR_MAX + PAYLOAD];
                        size_t          len  = encode(&h, piece ? PAYLOAD : 0, buf, sizeof(buf)), left;
                        size_t          need = frct_hdr_len(h.flags, n) + piece;

                        if (!allowed(flags, n, h.marks != 0, piece))
                                continue;
                        for (size_t cut = 0; cut <= len; cut++) {
                                uint8_t *p = page + GUARDED_PAGE - cut;

                                memcpy(p, buf, cut);
                                assert_int_equal(decode(p, cut, &got, &left), cut >= need);
                        }
                }
        }
        guarded_free(page, GUARDED_PAGE);
}

/* A header does not fit where it is longer than the room. */
static void test_put_into_every_room(void **state)
{
        struct frct_hdr h    = make(0x77, 2);
        uint8_t        *page = guarded_alloc(GUARDED_PAGE);
        size_t          len  = frct_hdr_len(h.flags, h.n_ranges);

        (void)state;
        for (size_t room = 0; room <= len + 1; room++) {
                uint8_t  *p = page + GUARDED_PAGE - room;
                struct wr w = {p, p + room, false};

                frct_hdr_put(&w, &h);
                assert_int_equal(w.bad, room < len);
        }
        guarded_free(page, GUARDED_PAGE);
}

static void test_round_trip_of_noise(void **state)
{
        uint64_t seed = 9, accepted = 0;

        (void)state;
        for (int i = 0; i < 200000; i++) {
                uint8_t         buf[80], again[FRCT_HDR_MAX];
                size_t          len = random_below(&seed, sizeof(buf) + 1), left;
                struct frct_hdr h;

                random_fill(&seed, buf, len);
                if (len > 1 && random_below(&seed, 2) == 0)
                        buf[1] = (uint8_t)random_below(&seed, 6);
                if (!decode(buf, len, &h, &left))
                        continue;
                accepted++;
                assert_int_equal(encode(&h, 0, again, sizeof(again)), len - left);
                assert_memory_equal(buf, again, len - left);
        }
        assert_true(accepted > 100);
}

static void test_the_nearest_number(void **state)
{
        static const int64_t by[] = {0, 1, -1, 2, -2, 65536, -65536, INT32_MAX, -INT32_MAX, INT32_MIN};
        uint64_t             seed = 3;

        (void)state;
        for (int i = 0; i < 10000; i++) {
                uint64_t near = NUMBER_BASE + random_below(&seed, 8 * NUMBER_BASE);

                if (i % 2 == 0)
                        near = (near & ~(NUMBER_BASE - 1)) + random_below(&seed, 5) - 2;
                for (size_t k = 0; k < sizeof(by) / sizeof(by[0]); k++)
                        assert_true(number_near(near, (uint32_t)(near + (uint64_t)by[k])) ==
                                    near + (uint64_t)by[k]);
        }
        assert_true(number_near(NUMBER_BASE, UINT32_MAX) == NUMBER_BASE - 1);
        assert_true(number_near(NUMBER_BASE - 1, 0) == NUMBER_BASE);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_exact_bytes),
                cmocka_unit_test(test_lengths),
                cmocka_unit_test(test_every_combination_of_flags),
                cmocka_unit_test(test_too_many_ranges),
                cmocka_unit_test(test_every_prefix),
                cmocka_unit_test(test_put_into_every_room),
                cmocka_unit_test(test_round_trip_of_noise),
                cmocka_unit_test(test_the_nearest_number),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
