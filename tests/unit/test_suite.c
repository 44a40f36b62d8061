/* test_suite.c - names and numbers of the suites, and what of them there is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

#include "crypt/suite.h"

static void test_names_are_read_back(void **state)
{
        (void)state;
        for (unsigned i = SUITE_PLAIN + 1; i < SUITE_N; i++) {
                enum suite s = SUITE_PLAIN;

                assert_true(suite_parse(suite_name((enum suite)i), &s));
                assert_int_equal(s, i);
        }
        assert_string_equal(suite_name(SUITE_P384), "p384");
        assert_string_equal(suite_name(SUITE_P384_MLKEM1024), "p384-mlkem1024");
        assert_string_equal(suite_name(SUITE_X25519), "x25519");
        assert_string_equal(suite_name(SUITE_X25519_MLKEM768), "x25519-mlkem768");
}

static void test_other_words_are_none(void **state)
{
        static const char *const words[] = {
                "", "plain", "P384", "p384 ", "p38", "p3844", "x25519-mlkem1024", "unknown"};

        (void)state;
        for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
                enum suite s = SUITE_N;

                assert_false(suite_parse(words[i], &s));
                assert_int_equal(s, SUITE_N);
        }
}

static void test_other_numbers_are_unknown(void **state)
{
        (void)state;
        assert_string_equal(suite_name(SUITE_PLAIN), "plain");
        assert_string_equal(suite_name(SUITE_N), "unknown");
        assert_string_equal(suite_name((enum suite)255), "unknown");
        assert_string_equal(suite_name((enum suite) - 1), "unknown");
        assert_false(suite_available(SUITE_N));
        assert_false(suite_available((enum suite) - 1));
}

/* ML-KEM came with OpenSSL 3.5. */
static void test_what_there_is(void **state)
{
        bool kem = OPENSSL_version_major() > 3 || OPENSSL_version_minor() >= 5;

        (void)state;
        assert_true(suite_available(SUITE_PLAIN));
        assert_true(suite_available(SUITE_P384));
        assert_true(suite_available(SUITE_X25519));
        assert_int_equal(suite_available(SUITE_P384_MLKEM1024), kem);
        assert_int_equal(suite_available(SUITE_X25519_MLKEM768), kem);
        assert_int_equal(ERR_peek_error(), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names_are_read_back),
                cmocka_unit_test(test_other_words_are_none),
                cmocka_unit_test(test_other_numbers_are_unknown),
                cmocka_unit_test(test_what_there_is),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
