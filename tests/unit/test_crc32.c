/* test_crc32.c - the checksum of plain flows that leave the host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "crypt/crc32.h"

/* The check value that every description of CRC-32 gives. */
static void test_known_answer(void **state)
{
        uint8_t sum[CRC32_LEN];

        (void)state;
        crc32_put("123456789", 9, sum);
        assert_memory_equal(sum, ((uint8_t[]){0xcb, 0xf4, 0x39, 0x26}), CRC32_LEN);
}

static void test_every_bit_counts(void **state)
{
        uint8_t packet[64 + CRC32_LEN];

        (void)state;
        for (size_t i = 0; i < 64; i++)
                packet[i] = (uint8_t)(i * 7);
        crc32_put(packet, 64, packet + 64);
        assert_true(crc32_ok(packet, sizeof(packet)));
        for (size_t bit = 0; bit < 8 * sizeof(packet); bit++) {
                packet[bit / 8] ^= (uint8_t)(1u << bit % 8);
                assert_false(crc32_ok(packet, sizeof(packet)));
                packet[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        assert_false(crc32_ok(packet, sizeof(packet) - 1));
}

/* The checksum of nothing is right, and yet no packet. */
static void test_too_short(void **state)
{
        static const uint8_t nothing[CRC32_LEN];

        (void)state;
        for (size_t len = 0; len <= CRC32_LEN; len++)
                assert_false(crc32_ok(nothing, len));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_known_answer),
                cmocka_unit_test(test_every_bit_counts),
                cmocka_unit_test(test_too_short),
        };

        return cmocka_run_group_tests_name("crc32", tests, NULL, NULL);
}
