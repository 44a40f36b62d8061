/* test_quota.c - counting per user: limits hold, and what was taken and given back leaves nothing. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "quota.h"

static const struct limits limits = {
        .ports_per_process = 3, .ports_per_user = 5, .bytes_per_user = 1000, .connections_per_user = 2};

static void test_connections(void **state)
{
        struct quotas *qs = quotas_create(&limits);
        struct quota  *a, *b, *other;

        (void)state;
        assert_int_equal(quota_connect(qs, 7, &a), 0);
        assert_int_equal(quota_connect(qs, 7, &b), 0);
        assert_ptr_equal(a, b);
        assert_int_equal(quota_connect(qs, 7, &b), -EUSERS);
        assert_int_equal(quota_connect(qs, 8, &other), 0); /* one user's limit is not another's */
        quota_disconnect(qs, a);
        assert_int_equal(quota_connect(qs, 7, &b), 0);
        quota_disconnect(qs, b);
        quota_disconnect(qs, b);
        quota_disconnect(qs, other);
        quotas_destroy(qs);
}

static void test_ports(void **state)
{
        struct quotas *qs = quotas_create(&limits);
        struct quota  *q;

        (void)state;
        assert_int_equal(quota_connect(qs, 7, &q), 0);
        for (int i = 0; i < 3; i++)
                assert_int_equal(quota_take_port(qs, q, (uint64_t)i), 0);
        assert_int_equal(quota_take_port(qs, q, 3), -EMFILE); /* this process has its share */
        assert_int_equal(quota_take_port(qs, q, 0), 0);       /* another one has not */
        assert_int_equal(quota_take_port(qs, q, 1), 0);
        assert_int_equal(quota_take_port(qs, q, 2), -EUSERS);
        quota_give_port(qs, q);
        assert_int_equal(quota_take_port(qs, q, 1), 0);
        for (int i = 0; i < 5; i++)
                quota_give_port(qs, q);
        quota_disconnect(qs, q);
        quotas_destroy(qs);
}

static void test_bytes(void **state)
{
        struct quotas *qs = quotas_create(&limits);
        struct quota  *q;

        (void)state;
        assert_int_equal(quota_connect(qs, 7, &q), 0);
        assert_int_equal(quota_take_bytes(qs, q, 1001), -EUSERS);
        assert_int_equal(quota_take_bytes(qs, q, UINT64_MAX), -EUSERS);
        assert_int_equal(quota_take_bytes(qs, q, 600), 0);
        assert_int_equal(quota_take_bytes(qs, q, 401), -EUSERS);
        assert_int_equal(quota_take_bytes(qs, q, 400), 0);
        quota_give_bytes(qs, q, 600);
        assert_int_equal(quota_take_bytes(qs, q, 600), 0);
        quota_give_bytes(qs, q, 1000);
        quota_disconnect(qs, q);
        quotas_destroy(qs);
}

/* The account lives until the last thing on it is given back, also when the user has disconnected before. */
static void test_account_outlives_the_connection(void **state)
{
        struct quotas *qs = quotas_create(&limits);
        struct quota  *q;

        (void)state;
        assert_int_equal(quota_connect(qs, 7, &q), 0);
        assert_int_equal(quota_take_bytes(qs, q, 10), 0);
        quota_disconnect(qs, q);
        quota_give_bytes(qs, q, 10);
        quotas_destroy(qs);
        quotas_destroy(NULL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_connections),
                cmocka_unit_test(test_ports),
                cmocka_unit_test(test_bytes),
                cmocka_unit_test(test_account_outlives_the_connection),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
