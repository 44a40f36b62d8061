/* test_operf_message.c - what client and server of operf say to each other, and what they refuse to hear. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "operf/message.h"
#include "operf/rate.h"

static const struct hello sample = {
        .test = TEST_BI, .size = 0x01020, .rate = 0x0304050607, .duration_ns = 0x0012131415161718};

static void a_hello_is_read_back(void **state)
{
        struct hello h = sample, back;
        uint8_t      good[MESSAGE_ROOM];

        (void)state;
        assert_int_equal(message_put_hello(good, &h), MESSAGE_MIN);
        assert_memory_equal(good, "oprf\1\1\2\0\0\0\x10\x20\0\0\0\3\4\5\6\7\0\x12\x13\x14\x15\x16\x17\x18",
                            28);
        assert_true(message_get_hello(good, 28, &back));
        assert_true(back.test == h.test && back.size == h.size && back.rate == h.rate &&
                    back.duration_ns == h.duration_ns);
        assert_true(message_get_hello(good, 40, &back)); /* padding */
        for (size_t len = 0; len < 28; len++)
                assert_false(message_get_hello(good, len, &back));
}

static void every_byte_of_a_head_counts(void **state)
{
        uint8_t      buf[MESSAGE_ROOM];
        struct hello h = sample, back;

        (void)state;
        for (size_t i = 0; i < 8; i++) {
                if (i == 6)
                        continue; /* another test: a good one */
                for (unsigned int bit = 0; bit < 8; bit++) {
                        message_put_hello(buf, &h);
                        buf[i] ^= (uint8_t)(1u << bit);
                        assert_false(message_get_hello(buf, 28, &back));
                }
        }
}

static void hellos_of_the_impossible_are_none(void **state)
{
        static const struct hello bad[] = {
                {TEST_UNI, MESSAGE_MIN - 1, 0, 1},
                {TEST_UNI, MESSAGE_MAX + 1, 0, 1},
                {TEST_UNI, 0, 0, 1},
                {TEST_UNI, UINT32_MAX, 0, 1},
                {TEST_UNI, 64, RATE_TOP + 1, 1},
                {TEST_UNI, 64, UINT64_MAX, 1},
                {TEST_UNI, 64, 0, 0},
                {TEST_UNI, 64, 0, -1},
                {TEST_UNI, 64, 0, INT64_MAX},
                {(enum test)0, 64, 0, 1},
                {(enum test)5, 64, 0, 1},
        };
        uint8_t      buf[MESSAGE_ROOM];
        struct hello h;

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                message_put_hello(buf, &bad[i]);
                assert_false(message_get_hello(buf, 28, &h));
        }
}

static void data_is_read_back(void **state)
{
        const struct data d = {UINT64_C(0x0102030405060708), INT64_C(0x1112131415161718)};
        struct data       back;
        uint8_t           buf[MESSAGE_ROOM];

        (void)state;
        assert_int_equal(message_put_data(buf, TEST_RR, &d), 24);
        assert_memory_equal(buf, "oprf\1\3\3\0\1\2\3\4\5\6\7\10\21\22\23\24\25\26\27\30", 24);
        assert_true(message_get_data(buf, 24, TEST_RR, &back));
        assert_true(back.number == d.number && back.time_ns == d.time_ns);
        assert_false(message_get_data(buf, 24, TEST_UNI, &back));
        for (size_t len = 0; len < 24; len++)
                assert_false(message_get_data(buf, len, TEST_RR, &back));
        buf[8] = 0x80; /* more messages than there can be */
        assert_false(message_get_data(buf, 24, TEST_RR, &back));
}

static void a_count_is_read_back(void **state)
{
        const struct tally t = {.sent = 1, .messages = 500, .out_of_order = 3, .duplicates = 4, .span_ns = 5};
        struct tally       back;
        uint8_t            buf[MESSAGE_ROOM];

        (void)state;
        assert_int_equal(message_put_count(buf, TEST_UNI, &t), 48);
        assert_true(message_get_count(buf, 48, TEST_UNI, &back));
        assert_true(back.sent == 1 && back.messages == 500 && back.out_of_order == 3 &&
                    back.duplicates == 4 && back.span_ns == 5);
        for (size_t len = 0; len < 48; len++)
                assert_false(message_get_count(buf, len, TEST_UNI, &back));
}

static void counts_of_the_impossible_are_none(void **state)
{
        static const struct tally bad[] = {
                {.sent = UINT64_MAX},       {.messages = UINT64_MAX}, {.messages = 1, .out_of_order = 2},
                {.duplicates = UINT64_MAX}, {.span_ns = -1},          {.span_ns = INT64_MAX},
        };
        struct tally back;
        uint8_t      buf[MESSAGE_ROOM];

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                message_put_count(buf, TEST_UNI, &bad[i]);
                assert_false(message_get_count(buf, 48, TEST_UNI, &back));
        }
}

static void kinds_are_told_apart(void **state)
{
        uint8_t buf[MESSAGE_ROOM];

        (void)state;
        assert_int_equal(message_put_bare(buf, TEST_UNI, MESSAGE_DONE), 8);
        assert_int_equal(message_kind(buf, 8, TEST_UNI), MESSAGE_DONE);
        assert_int_equal(message_kind(buf, 7, TEST_UNI), MESSAGE_NONE);
        assert_int_equal(message_kind(buf, 8, TEST_BI), MESSAGE_NONE);
        message_put_bare(buf, TEST_UNI, MESSAGE_READY);
        assert_int_equal(message_kind(buf, 8, TEST_UNI), MESSAGE_READY);
        for (unsigned int kind = 0; kind < 256; kind++) {
                buf[5] = (uint8_t)kind;
                if (kind != MESSAGE_READY && kind != MESSAGE_DONE)
                        assert_int_equal(message_kind(buf, 8, TEST_UNI), MESSAGE_NONE);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_hello_is_read_back),
                cmocka_unit_test(every_byte_of_a_head_counts),
                cmocka_unit_test(hellos_of_the_impossible_are_none),
                cmocka_unit_test(data_is_read_back),
                cmocka_unit_test(a_count_is_read_back),
                cmocka_unit_test(counts_of_the_impossible_are_none),
                cmocka_unit_test(kinds_are_told_apart),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
