/* test_str.c - which strings from outside are names, text or numbers. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <ouroboros/name.h>

#include "base/str.h"

/* One character, or what claims to be one, and its length by RFC 3629 (0: refused). */
static const struct {
        const char *s;
        size_t      len;
} chars[] = {
        /* the ends of each range */
        {" ", 1},
        {"~", 1},
        {"\xc2\xa0", 2},
        {"\xdf\xbf", 2},
        {"\xe0\xa0\x80", 3},
        {"\xed\x9f\xbf", 3},
        {"\xee\x80\x80", 3},
        {"\xef\xbf\xbf", 3},
        {"\xf0\x90\x80\x80", 4},
        {"\xf4\x8f\xbf\xbf", 4},
        /* controls: C0, DEL, C1 */
        {"\x01", 0},
        {"\t", 0},
        {"\n", 0},
        {"\x1b", 0},
        {"\x1f", 0},
        {"\x7f", 0},
        {"\xc2\x80", 0},
        {"\xc2\x85", 0},
        {"\xc2\x9b", 0},
        {"\xc2\x9f", 0},
        /* longer than need be */
        {"\xc0\x80", 0},
        {"\xc0\xaf", 0},
        {"\xc1\xbf", 0},
        {"\xe0\x80\xaf", 0},
        {"\xe0\x9f\xbf", 0},
        {"\xf0\x80\x80\xaf", 0},
        {"\xf0\x8f\xbf\xbf", 0},
        /* surrogates */
        {"\xed\xa0\x80", 0},
        {"\xed\xaf\xbf", 0},
        {"\xed\xb0\x80", 0},
        {"\xed\xbf\xbf", 0},
        /* above U+10FFFF */
        {"\xf4\x90\x80\x80", 0},
        {"\xf5\x80\x80\x80", 0},
        {"\xf7\xbf\xbf\xbf", 0},
        {"\xf8\x88\x80\x80\x80", 0},
        {"\xfc\x84\x80\x80\x80\x80", 0},
        {"\xfe", 0},
        {"\xff", 0},
        /* stray and missing continuations */
        {"\x80", 0},
        {"\xbf", 0},
        {"\xc3", 0},
        {"\xe2\x82", 0},
        {"\xf0\x9f\x98", 0},
        {"\xc3(", 0},
        {"\xe2(\xac", 0},
        {"\xe2\x82(", 0},
        {"\xf0\x9f\x98(", 0},
        {"\xc3\xc3", 0},
};

static void test_characters(void **state)
{
        (void)state;
        for (size_t i = 0; i < sizeof(chars) / sizeof(chars[0]); i++) {
                assert_int_equal(str_char(chars[i].s), chars[i].len);
                assert_int_equal(str_text_ok(chars[i].s), chars[i].len > 0);
        }
        assert_true(str_text_ok(""));
        assert_int_equal(str_char(""), 0);
}

/* A bad character is found wherever it stands. */
static void test_bad_text_anywhere(void **state)
{
        char s[32];

        (void)state;
        for (size_t i = 0; i < sizeof(chars) / sizeof(chars[0]); i++) {
                for (size_t before = 0; before < 4; before++) {
                        memset(s, 'a', sizeof(s));
                        strcpy(s + before, chars[i].s);
                        assert_int_equal(str_text_ok(s), chars[i].len > 0);
                        strcat(s, "\xc3\xa9z");
                        assert_int_equal(str_text_ok(s), chars[i].len > 0);
                }
        }
}

static void encode(uint32_t c, char s[5])
{
        memset(s, 0, 5);
        if (c < 0x80) {
                s[0] = (char)c;
        } else if (c < 0x800) {
                s[0] = (char)(0xc0 | c >> 6);
                s[1] = (char)(0x80 | (c & 0x3f));
        } else if (c < 0x10000) {
                s[0] = (char)(0xe0 | c >> 12);
                s[1] = (char)(0x80 | (c >> 6 & 0x3f));
                s[2] = (char)(0x80 | (c & 0x3f));
        } else {
                s[0] = (char)(0xf0 | c >> 18);
                s[1] = (char)(0x80 | (c >> 12 & 0x3f));
                s[2] = (char)(0x80 | (c >> 6 & 0x3f));
                s[3] = (char)(0x80 | (c & 0x3f));
        }
}

static void test_every_code_point(void **state)
{
        char s[5];

        (void)state;
        for (uint32_t c = 1; c < 0x1fffff; c++) {
                bool bad =
                        c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff;

                encode(c, s);
                assert_int_equal(str_char(s), bad ? 0 : strlen(s));
        }
}

static void test_names(void **state)
{
        static const char *const good[] = {"a",  "oping.server",      "a.b.c",        "a b", "-x",
                                           "a.", "\xc3\xa9t\xc3\xa9", "\xe2\x82\xac", "%s",  "\\",
                                           "*"};
        static const char *const bad[]  = {
                 "",     ".",    "..",        ".hidden",          "a/b",         "/", "a..b", "a..", "a\n",
                 "\x7f", "\xff", "a\xc2\x85", "\xc0\xae\xc0\xae", "\xed\xa0\x80"};

        (void)state;
        for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
                assert_null(str_name_fault(good[i]));
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                assert_non_null(str_name_fault(bad[i]));
        assert_non_null(str_name_fault(NULL));
}

static void test_longest_name(void **state)
{
        char s[NAME_SIZE + 2];

        (void)state;
        memset(s, 'n', sizeof(s));
        s[NAME_SIZE] = '\0';
        assert_null(str_name_fault(s));
        s[NAME_SIZE]     = 'n';
        s[NAME_SIZE + 1] = '\0';
        assert_non_null(str_name_fault(s));
}

static void test_copy(void **state)
{
        char d[4] = "zzz";

        (void)state;
        assert_true(str_copy(d, sizeof(d), "abc"));
        assert_string_equal(d, "abc");
        assert_true(str_copy(d, sizeof(d), ""));
        assert_string_equal(d, "");
        strcpy(d, "zzz");
        assert_false(str_copy(d, sizeof(d), "abcd"));
        assert_string_equal(d, "");
}

static void test_numbers(void **state)
{
        static const struct {
                const char        *s;
                unsigned long long max;
                bool               ok;
                unsigned long long v;
        } t[] = {
                {"0", 0, true, 0},
                {"7", 7, true, 7},
                {"8", 7, false, 0},
                {"007", 7, true, 7},
                {"18446744073709551615", ULLONG_MAX, true, ULLONG_MAX},
                {"18446744073709551616", ULLONG_MAX, false, 0},
                {"99999999999999999999999", ULLONG_MAX, false, 0},
                {"", 9, false, 0},
                {" 1", 9, false, 0},
                {"1 ", 9, false, 0},
                {"+1", 9, false, 0},
                {"-1", ULLONG_MAX, false, 0},
                {"1x", 9, false, 0},
                {"0x1", 9, false, 0},
                {"1.0", 9, false, 0},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
                unsigned long long v = 12345;

                assert_int_equal(str_number(t[i].s, t[i].max, &v), t[i].ok);
                assert_true(v == (t[i].ok ? t[i].v : 12345));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_characters),       cmocka_unit_test(test_bad_text_anywhere),
                cmocka_unit_test(test_every_code_point), cmocka_unit_test(test_names),
                cmocka_unit_test(test_longest_name),     cmocka_unit_test(test_copy),
                cmocka_unit_test(test_numbers),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
