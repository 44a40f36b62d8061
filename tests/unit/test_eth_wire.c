/*
 * test_eth_wire.c - frames of the Ethernet shims: exact bytes, every prefix, and each rule that refuses
 * one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ipcpd/eth/eth_kind.h"
#include "wire/eth.h"

/* clang-format off */
static const uint8_t dix[] = {
        0x02, 0, 0, 0, 0, 1,  0x02, 0, 0, 0, 0, 2,  0xA0, 0x00,  0x12, 0x34,  0, 3,  'a', 'b', 'c',  0, 0, 0};
static const uint8_t llc[] = {
        0x02, 0, 0, 0, 0, 1,  0x02, 0, 0, 0, 0, 2,  0, 6,  0x10,  0x3C,  0x03,  'a', 'b', 'c',  0, 0, 0, 0};
/* clang-format on */

#define PADDING 3u /* of dix; llc has one more */

static bool get(const struct eth_kind *k, const uint8_t *p, size_t len, struct eth_frame *h)
{
        struct rd r  = {p, p + len, false};
        bool      ok = k->get(&r, h);

        assert_true(!ok || (!r.bad && r.p == p + ETH_HDR + k->overhead));
        return ok;
}

static void put(const struct eth_kind *k, const struct eth_frame *h, uint8_t *out)
{
        struct wr w = {out, out + ETH_HDR + k->overhead, false};

        k->put(&w, h);
        assert_false(w.bad);
        assert_ptr_equal(w.p, w.end);
}

/* @frame with one byte changed. */
static bool get_with(const struct eth_kind *k, const uint8_t *frame, size_t at, uint8_t value)
{
        uint8_t          copy[sizeof(dix)];
        struct eth_frame h;

        memcpy(copy, frame, sizeof(copy));
        copy[at] = value;
        return get(k, copy, sizeof(copy), &h);
}

static void check_bytes(const struct eth_kind *k, const uint8_t *frame)
{
        struct eth_frame h;
        uint8_t          again[ETH_HDR_MAX];

        assert_true(get(k, frame, sizeof(dix), &h));
        assert_memory_equal(h.dst, frame, ETH_MAC);
        assert_memory_equal(h.src, frame + ETH_MAC, ETH_MAC);
        assert_int_equal(h.len, 3);
        put(k, &h, again);
        assert_memory_equal(again, frame, ETH_HDR + k->overhead);
}

static void test_bytes(void **state)
{
        struct eth_frame h;

        (void)state;
        check_bytes(&eth_kind_dix, dix);
        check_bytes(&eth_kind_llc, llc);
        get(&eth_kind_dix, dix, sizeof(dix), &h);
        assert_int_equal(h.ethertype, 0xA000);
        assert_int_equal(h.eid, 0x1234);
        get(&eth_kind_llc, llc, sizeof(llc), &h);
        assert_int_equal(h.eid, 0x10);
        assert_int_equal(h.own_eid, 0);
}

/* The packet has to be there; padding need not be. */
static void test_prefixes(void **state)
{
        struct eth_frame h;

        (void)state;
        for (size_t len = 0; len <= sizeof(dix); len++) {
                assert_int_equal(get(&eth_kind_dix, dix, len, &h), len >= sizeof(dix) - PADDING);
                assert_int_equal(get(&eth_kind_llc, llc, len, &h), len >= sizeof(llc) - PADDING - 1);
        }
}

static void test_source_is_no_group(void **state)
{
        (void)state;
        assert_false(get_with(&eth_kind_dix, dix, 6, 0x03));
        assert_false(get_with(&eth_kind_dix, dix, 6, 0xff));
        assert_false(get_with(&eth_kind_llc, llc, 6, 0x03));
        assert_true(get_with(&eth_kind_llc, llc, 0, 0xff));
}

static void test_dix_length(void **state)
{
        (void)state;
        for (unsigned len = 0; len < 256; len++)
                assert_int_equal(get_with(&eth_kind_dix, dix, 17, (uint8_t)len), len <= 6);
        assert_false(get_with(&eth_kind_dix, dix, 16, 0x01));
}

static void test_llc_length(void **state)
{
        static uint8_t   frame[ETH_HDR + 2000];
        struct eth_frame h;

        (void)state;
        memcpy(frame, llc, sizeof(llc));
        for (unsigned length = 0; length <= 0xFFFF; length++) {
                frame[12] = (uint8_t)(length >> 8);
                frame[13] = (uint8_t)length;
                assert_int_equal(get(&eth_kind_llc, frame, sizeof(frame), &h), length >= 3 && length <= 1500);
        }
}

static void test_llc_points(void **state)
{
        unsigned n = 0;

        (void)state;
        for (unsigned sap = 0; sap < 256; sap++) {
                bool ours = eth_llc_is_flow(sap) || sap == 0x3C;

                assert_int_equal(get_with(&eth_kind_llc, llc, 14, (uint8_t)sap), ours);
                assert_int_equal(get_with(&eth_kind_llc, llc, 15, (uint8_t)sap), ours);
                n += eth_llc_is_flow(sap);
        }
        assert_int_equal(n, 121);
        for (unsigned control = 0; control < 256; control++)
                assert_int_equal(get_with(&eth_kind_llc, llc, 16, (uint8_t)control), control == 3);
}

/* Every number can be drawn, and no other. */
static void test_draw(void **state)
{
        uint8_t  seen[0x10000] = {0};
        unsigned n             = 0;

        (void)state;
        for (uint64_t r = 0; r < UINT16_MAX; r++)
                seen[eth_dix_draw(r)]++;
        for (unsigned eid = 0; eid <= UINT16_MAX; eid++)
                assert_int_equal(seen[eid], eid != 0);
        memset(seen, 0, sizeof(seen));
        for (uint64_t r = 0; r < 121; r++)
                seen[eth_llc_draw(r)]++;
        for (unsigned sap = 0; sap < 256; sap++)
                n += seen[sap] == 1 && eth_llc_is_flow(sap);
        assert_int_equal(n, 121);
        assert_in_range(eth_dix_draw(UINT64_MAX), 1, UINT16_MAX);
        assert_true(eth_llc_is_flow(eth_llc_draw(UINT64_MAX)));
}

static void test_packet_max(void **state)
{
        (void)state;
        assert_int_equal(eth_kind_packet_max(&eth_kind_dix, 1500), 1496);
        assert_int_equal(eth_kind_packet_max(&eth_kind_dix, 9000), 8996);
        assert_int_equal(eth_kind_packet_max(&eth_kind_dix, UINT32_MAX), 65535);
        assert_int_equal(eth_kind_packet_max(&eth_kind_dix, 3), 0);
        assert_int_equal(eth_kind_packet_max(&eth_kind_llc, 1500), 1497);
        assert_int_equal(eth_kind_packet_max(&eth_kind_llc, 9000), 1497);
        assert_int_equal(eth_kind_packet_max(&eth_kind_llc, 0), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_bytes),      cmocka_unit_test(test_prefixes),
                cmocka_unit_test(test_dix_length), cmocka_unit_test(test_source_is_no_group),
                cmocka_unit_test(test_llc_length), cmocka_unit_test(test_llc_points),
                cmocka_unit_test(test_draw),       cmocka_unit_test(test_packet_max),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
