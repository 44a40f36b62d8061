/* test_source.c - who is known, and that nobody has more than his share. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/clock.h"
#include "source.h"

#define MAX   4
#define SHARE 3

static struct source_tag tag(int n)
{
        struct source_tag t = {{0}};

        snprintf(t.bytes, sizeof(t.bytes), "uid:%d", n);
        return t;
}

static int setup(void **state)
{
        *state = sources_create(MAX, SHARE);
        return *state == NULL;
}

static int teardown(void **state)
{
        sources_destroy(*state);
        return 0;
}

static void test_share(void **state)
{
        struct source_tag a = tag(1), b = tag(2);

        for (int i = 0; i < SHARE; i++)
                assert_true(source_enter(*state, &a));
        assert_false(source_enter(*state, &a));
        assert_true(source_enter(*state, &b)); /* others are not concerned */
        source_leave(*state, &a);
        assert_true(source_enter(*state, &a));
        assert_false(source_enter(*state, &a));
}

static void test_known_for_an_hour(void **state)
{
        struct source_tag a = tag(1);

        assert_false(source_known(*state, &a, 0));
        assert_true(source_enter(*state, &a));
        assert_false(source_known(*state, &a, 0));
        source_verified(*state, &a, 5);
        assert_true(source_known(*state, &a, 5));
        assert_true(source_known(*state, &a, 3600 * NS_PER_S + 4));
        assert_false(source_known(*state, &a, 3600 * NS_PER_S + 5));
        assert_false(source_known(*state, &a, 6)); /* once over, it has to prove itself again */
}

/* Strangers push out strangers before anybody who is known. */
static void test_strangers_give_way(void **state)
{
        struct source_tag known = tag(0), t;

        assert_true(source_enter(*state, &known));
        source_verified(*state, &known, 0);
        source_leave(*state, &known);
        for (int i = 1; i < 100; i++) {
                t = tag(i);
                assert_true(source_enter(*state, &t));
                source_leave(*state, &t);
        }
        assert_true(source_known(*state, &known, 1));
}

static void test_busy_ones_stay(void **state)
{
        struct source_tag t;

        for (int i = 0; i < MAX; i++) {
                t = tag(i);
                assert_true(source_enter(*state, &t));
        }
        t = tag(MAX);
        assert_false(source_enter(*state, &t));
        t = tag(0);
        source_leave(*state, &t);
        t = tag(MAX);
        assert_true(source_enter(*state, &t));
}

static void test_leaving_twice_is_nothing(void **state)
{
        struct source_tag a = tag(1);

        source_leave(*state, &a);
        assert_true(source_enter(*state, &a));
        source_leave(*state, &a);
        source_leave(*state, &a);
        for (int i = 0; i < SHARE; i++)
                assert_true(source_enter(*state, &a));
        assert_false(source_enter(*state, &a));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_share, setup, teardown),
                cmocka_unit_test_setup_teardown(test_known_for_an_hour, setup, teardown),
                cmocka_unit_test_setup_teardown(test_strangers_give_way, setup, teardown),
                cmocka_unit_test_setup_teardown(test_busy_ones_stay, setup, teardown),
                cmocka_unit_test_setup_teardown(test_leaving_twice_is_nothing, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
