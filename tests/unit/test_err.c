/* test_err.c - codes and what perror() says of them. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <ouroboros/errno.h>

#include "base/err.h"

/* The table of <ouroboros/errno.h>. */
static const struct {
        int code, std;
} own[] = {
        {ENOTALLOC, ECONNREFUSED}, {EIPCPTYPE, EINVAL}, {EIRMD, ECONNREFUSED},  {EIPCP, ECONNREFUSED},
        {EIPCPSTATE, EBUSY},       {EFLOWDOWN, EPIPE},  {EFLOWPEER, ETIMEDOUT}, {ENAME, ENOENT},
        {ECRYPT, EACCES},          {EAUTH, EACCES},
};

#define N_OWN (sizeof(own) / sizeof(own[0]))

static void test_own_codes(void **state)
{
        (void)state;
        assert_int_equal(N_OWN, 10);
        for (size_t i = 0; i < N_OWN; i++) {
                assert_int_equal(own[i].code, 1000 + (int)i);
                assert_int_equal(err_std(own[i].code), own[i].std);
                assert_int_equal(err_std(-own[i].code), own[i].std);
        }
}

static void test_standard_codes_stay(void **state)
{
        (void)state;
        for (int code = 0; code < 999; code++) {
                assert_int_equal(err_std(code), code);
                assert_int_equal(err_std(-code), code);
        }
        assert_int_equal(err_std(EAUTH + 1), EAUTH + 1);
}

static void test_extremes(void **state)
{
        (void)state;
        assert_int_equal(err_std(INT_MAX), INT_MAX);
        assert_int_equal(err_std(INT_MIN), INT_MAX);
        assert_string_equal(o7s_strerror(INT_MIN), "Unknown error");
        assert_string_equal(o7s_strerror(INT_MAX), "Unknown error");
}

static void test_return_sets_errno(void **state)
{
        (void)state;
        errno = 77;
        assert_int_equal(err_return(0), 0);
        assert_int_equal(err_return(5), 5);
        assert_int_equal(err_return(SSIZE_MAX), SSIZE_MAX);
        assert_int_equal(errno, 77);
        assert_int_equal(err_return(-EFLOWDOWN), -EFLOWDOWN);
        assert_int_equal(errno, EPIPE);
        assert_int_equal(err_return(-ETIMEDOUT), -ETIMEDOUT);
        assert_int_equal(errno, ETIMEDOUT);
}

static void test_every_code_has_a_sentence(void **state)
{
        (void)state;
        for (size_t i = 0; i < N_OWN; i++) {
                const char *s = o7s_strerror(-own[i].code);

                assert_true(strlen(s) > 5);
                assert_ptr_equal(s, o7s_strerror(own[i].code));
                for (size_t k = 0; k < i; k++)
                        assert_string_not_equal(s, o7s_strerror(own[k].code));
        }
        assert_string_equal(o7s_strerror(-ENOENT), "No such file or directory");
        assert_string_equal(o7s_strerror(ENOENT), "No such file or directory");
        assert_string_equal(o7s_strerror(999), "Unknown error");
        assert_string_equal(o7s_strerror(EAUTH + 1), "Unknown error");
        errno = 77;
        (void)o7s_strerror(12345);
        assert_int_equal(errno, 77);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_own_codes),
                cmocka_unit_test(test_standard_codes_stay),
                cmocka_unit_test(test_extremes),
                cmocka_unit_test(test_return_sets_errno),
                cmocka_unit_test(test_every_code_has_a_sentence),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
