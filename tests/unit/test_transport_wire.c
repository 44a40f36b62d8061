/* test_transport_wire.c - control packets of shims: what is refused, and that what is put is got. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/shim.h"

static const uint8_t good[] = {1, SHIM_GOT, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0xa, 0xb};

static bool get(const uint8_t *p, size_t len, struct shim_head *h)
{
        uint8_t  *exact = malloc(len + 1);
        struct rd r;
        bool      ok;

        assert_non_null(exact);
        memcpy(exact, p, len);
        r  = (struct rd){.p = exact, .end = exact + len};
        ok = shim_head_get(&r, h);
        free(exact);
        return ok;
}

/* The good one with a byte changed. */
static bool get_with(size_t at, uint8_t value)
{
        uint8_t          p[sizeof(good)];
        struct shim_head h;

        memcpy(p, good, sizeof(good));
        p[at] = value;
        return get(p, sizeof(p), &h);
}

static void test_header(void **state)
{
        struct shim_head h;

        (void)state;
        assert_true(get(good, sizeof(good), &h));
        assert_int_equal(h.type, SHIM_GOT);
        assert_int_equal(h.count, 1);
        assert_int_equal(h.len, 2);
        assert_true(h.id == UINT64_C(0x0102030405060708));
        assert_false(h.has_token);
        for (size_t n = 0; n < sizeof(good); n++)
                assert_false(get(good, n, &h));
}

static void test_every_field_is_checked(void **state)
{
        (void)state;
        assert_false(get_with(0, 0)); /* versions */
        assert_false(get_with(0, 2));
        assert_false(get_with(1, 0)); /* types */
        assert_false(get_with(1, SHIM_TYPES));
        assert_false(get_with(1, 255));
        for (unsigned bit = 0; bit < 8; bit++)
                assert_false(get_with(2, (uint8_t)(1u << bit)));
        assert_false(get_with(3, 1)); /* reserved */
        assert_false(get_with(10, 1));
        assert_false(get_with(11, 1));
        assert_false(get_with(4, 1)); /* index */
        assert_false(get_with(5, 0)); /* count */
        assert_false(get_with(5, 2));
        assert_false(get_with(7, 1)); /* size of one piece */
        assert_false(get_with(9, 3)); /* longer than the packet, shorter */
        assert_false(get_with(9, 1));
}

static bool piece(unsigned type, unsigned index, unsigned count, unsigned size, unsigned len)
{
        static uint8_t   p[SHIM_HDR + 65535];
        struct shim_head h = {.type  = (uint8_t)type,
                              .index = (uint8_t)index,
                              .count = (uint8_t)count,
                              .size  = (uint16_t)size,
                              .len   = (uint16_t)len};
        struct wr        w = {.p = p, .end = p + sizeof(p)};
        struct rd        r = {.p = p, .end = p + SHIM_HDR + len};

        shim_head_put(&w, &h);
        return shim_head_get(&r, &h);
}

static void test_pieces(void **state)
{
        (void)state;
        assert_true(piece(SHIM_REQUEST, 0, 2, 100, 100));
        assert_true(piece(SHIM_REQUEST, 1, 2, 100, 100));
        assert_true(piece(SHIM_REPLY, 1, 2, 100, 1));
        assert_false(piece(SHIM_REPLY, 0, 2, 100, 99));
        assert_false(piece(SHIM_REPLY, 1, 2, 100, 0));
        assert_false(piece(SHIM_REPLY, 1, 2, 100, 101));
        assert_false(piece(SHIM_REPLY, 0, 2, 0, 0));
        assert_false(piece(SHIM_REPLY, 2, 2, 100, 100));
        assert_false(piece(SHIM_PROVE, 0, 2, 100, 100)); /* only these two have pieces */
        assert_true(piece(SHIM_REQUEST, 0, 64, 1024, 1024));
        assert_false(piece(SHIM_REQUEST, 0, 65, 1000, 1000));
        assert_true(piece(SHIM_REQUEST, 63, 64, 1024, 1023)); /* 65,535 together */
        assert_false(piece(SHIM_REQUEST, 63, 64, 1024, 1024));
        assert_true(piece(SHIM_REQUEST, 0, 64, 1040, 1040));
        assert_false(piece(SHIM_REQUEST, 0, 64, 1041, 1041)); /* the last would have less than a byte */
}

static void test_padding(void **state)
{
        struct shim_head h     = {.type = SHIM_REQUEST, .count = 1, .len = 1};
        uint8_t          p[40] = {0};
        struct wr        w     = {.p = p, .end = p + sizeof(p)};

        (void)state;
        shim_head_put(&w, &h);
        p[SHIM_HDR] = 1;
        assert_true(get(p, sizeof(p), &h));
        p[39] = 1;
        assert_false(get(p, sizeof(p), &h));
        p[39] = 0;
        p[1]  = SHIM_REPLY;
        assert_false(get(p, sizeof(p), &h)); /* others have none */
        assert_true(get(p, SHIM_HDR + 1, &h));
}

static void test_token(void **state)
{
        struct shim_head h = {
                .type = SHIM_REQUEST, .count = 1, .len = 1, .has_token = true, .token = {7, 8, 9}};
        uint8_t          p[SHIM_HDR + SHIM_TOKEN + 1] = {0};
        struct wr        w                            = {.p = p, .end = p + sizeof(p)};
        struct shim_head g;

        (void)state;
        assert_int_equal(shim_packet_len(&h), sizeof(p));
        shim_head_put(&w, &h);
        assert_true(get(p, sizeof(p), &g));
        assert_true(g.has_token);
        assert_memory_equal(g.token, h.token, SHIM_TOKEN);
        for (size_t n = 0; n < sizeof(p); n++)
                assert_false(get(p, n, &g));
        p[1] = SHIM_REPLY; /* requests alone have one */
        assert_false(get(p, sizeof(p), &g));
}

static const uint8_t hash[32] = {1, 2, 3};

static size_t put_request(uint8_t *p, size_t room, uint32_t eid, const qosspec_t *qs)
{
        struct shim_request rq = {.eid      = eid,
                                  .hash     = hash,
                                  .hash_len = 32,
                                  .qs       = *qs,
                                  .oap      = (const uint8_t *)"oap",
                                  .oap_len  = 3};
        struct wr           w  = {.p = p, .end = p + room};

        shim_request_put(&w, &rq);
        assert_false(w.bad);
        return shim_request_len(&rq);
}

static void test_request(void **state)
{
        uint8_t             p[128], came[QOS_WIRE], went[QOS_WIRE];
        qosspec_t           odd = qos_data;
        size_t              len = put_request(p, sizeof(p), 5, &qos_data);
        struct rd           r   = {.p = p, .end = p + len};
        struct shim_request rq;

        (void)state;
        assert_true(shim_request_get(&r, &rq));
        assert_int_equal(rq.eid, 5);
        assert_int_equal(rq.hash_len, 32);
        assert_memory_equal(rq.hash, hash, 32);
        qos_wire_put(&rq.qs, came);
        qos_wire_put(&qos_data, went);
        assert_memory_equal(came, went, QOS_WIRE);
        assert_int_equal(rq.oap_len, 3);
        assert_memory_equal(rq.oap, "oap", 3);
        for (size_t n = 0; n < len - 3; n++) {
                r = (struct rd){.p = p, .end = p + n};
                assert_false(shim_request_get(&r, &rq));
        }
        r = (struct rd){.p = p, .end = p + put_request(p, sizeof(p), 0, &qos_data)};
        assert_false(shim_request_get(&r, &rq));
        odd.in_order = 2;
        r            = (struct rd){.p = p, .end = p + put_request(p, sizeof(p), 5, &odd)};
        assert_false(shim_request_get(&r, &rq));
        (void)put_request(p, sizeof(p), 5, &qos_data);
        for (unsigned n = 0; n <= 255; n += n == 0 ? 65 : 1) { /* lengths of a hash that cannot be */
                r    = (struct rd){.p = p, .end = p + len};
                p[4] = (uint8_t)n;
                assert_false(shim_request_get(&r, &rq));
        }
}

static bool reply(uint8_t code, uint32_t eid, size_t oap_len)
{
        uint8_t           p[64] = {0};
        struct shim_reply rp    = {
                   .code = code, .eid = eid, .oap = (const uint8_t *)"response", .oap_len = oap_len};
        struct wr w = {.p = p, .end = p + sizeof(p)};
        struct rd r = {.p = p, .end = p + SHIM_REPLY_LEN + oap_len};

        shim_reply_put(&w, &rp);
        return shim_reply_get(&r, &rp) && rp.code == code && rp.eid == eid && rp.oap_len == oap_len;
}

static void test_reply(void **state)
{
        uint8_t           p[SHIM_REPLY_LEN] = {SHIM_BUSY};
        struct shim_reply rp;

        (void)state;
        assert_true(reply(SHIM_OK, 3, 8));
        assert_true(reply(SHIM_OK, 3, 0));
        assert_false(reply(SHIM_OK, 0, 8));
        assert_true(reply(SHIM_BUSY, 0, 0));
        assert_true(reply(200, 0, 0));
        assert_false(reply(SHIM_BUSY, 3, 0));
        assert_false(reply(SHIM_BUSY, 0, 8));
        for (size_t n = 0; n < sizeof(p); n++)
                assert_false(shim_reply_get(&(struct rd){.p = p, .end = p + n}, &rp));
}

static bool got(uint8_t what, uint8_t status, size_t len)
{
        uint8_t         p[SHIM_GOT_LEN + 1] = {what, status, 1};
        struct rd       r                   = {.p = p, .end = p + len};
        struct shim_got g;

        return shim_got_get(&r, &g);
}

static void test_got(void **state)
{
        (void)state;
        assert_true(got(SHIM_REQUEST, 1, SHIM_GOT_LEN));
        assert_true(got(SHIM_REPLY, 0, SHIM_GOT_LEN));
        assert_false(got(SHIM_GOT, 0, SHIM_GOT_LEN));
        assert_false(got(SHIM_REPLY, 2, SHIM_GOT_LEN));
        assert_false(got(SHIM_REPLY, 0, SHIM_GOT_LEN + 1));
        for (size_t n = 0; n < SHIM_GOT_LEN; n++)
                assert_false(got(SHIM_REPLY, 0, n));
}

/* What has a code of its own comes out as it went in. */
static void test_codes(void **state)
{
        static const int own[] = {0, -ENAME, -ENOTALLOC, -EBUSY, -EAUTH, -ECRYPT, -ETIMEDOUT, -ETIME};

        (void)state;
        for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
                assert_int_equal(shim_code(own[i]), i);
                assert_int_equal(shim_result((uint8_t)i), own[i]);
        }
        assert_int_equal(shim_code(-ENOMEM), SHIM_BUSY);
        assert_int_equal(shim_code(-EUSERS), SHIM_BUSY);
        assert_int_equal(shim_code(-EIO), SHIM_REFUSED);
        assert_int_equal(shim_result(8), -ENOTALLOC);
        assert_int_equal(shim_result(255), -ENOTALLOC);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_header), cmocka_unit_test(test_every_field_is_checked),
                cmocka_unit_test(test_pieces), cmocka_unit_test(test_padding),
                cmocka_unit_test(test_token),  cmocka_unit_test(test_request),
                cmocka_unit_test(test_reply),  cmocka_unit_test(test_got),
                cmocka_unit_test(test_codes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
