/* test_shim_names.c - names registered here and found elsewhere (names.h), look-ups (lookup.h). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ouroboros/errno.h>

#include "ipcpd/shim/lookup.h"
#include "ipcpd/shim/names.h"

#define LEN 32u

static const uint8_t *hash_of(unsigned n)
{
        static uint8_t hash[LEN];

        memset(hash, 0x5a, sizeof(hash));
        memcpy(hash + 3, &n, sizeof(n));
        return hash;
}

static struct link_addr addr(uint8_t n)
{
        return (struct link_addr){.host_len = 6, .len = 6, .b = {2, 0, 0, 0, 0, n}};
}

static struct shim_places places(uint8_t first, size_t n)
{
        struct shim_places at = {.n = n};

        for (size_t i = 0; i < n; i++)
                at.at[i] = addr((uint8_t)(first + i));
        return at;
}

static int setup_names(void **state)
{
        *state = shim_names_create(LEN);
        return *state == NULL;
}

static int teardown_names(void **state)
{
        shim_names_destroy(*state);
        return 0;
}

/* -- here ------------------------------------------------------------------ */

static void test_registered(void **state)
{
        struct shim_names *ns = *state;

        assert_false(shim_names_has(ns, hash_of(1), LEN));
        assert_int_equal(shim_names_remove(ns, hash_of(1)), -ENAME);
        assert_int_equal(shim_names_add(ns, hash_of(1)), 0);
        assert_int_equal(shim_names_add(ns, hash_of(2)), 0);
        assert_int_equal(shim_names_add(ns, hash_of(1)), -EEXIST);
        assert_true(shim_names_has(ns, hash_of(1), LEN));
        assert_false(shim_names_has(ns, hash_of(1), LEN - 4)); /* a hash of another layer */
        assert_false(shim_names_has(ns, hash_of(1), 0));
        assert_int_equal(shim_names_remove(ns, hash_of(1)), 0);
        assert_false(shim_names_has(ns, hash_of(1), LEN));
        assert_true(shim_names_has(ns, hash_of(2), LEN));
}

static void test_published(void **state)
{
        struct shim_names *ns = *state;

        shim_names_add(ns, hash_of(1));
        shim_names_expect(ns, hash_of(1), 10);
        shim_names_published(ns, 11, -EIO); /* of something else */
        assert_true(shim_names_has(ns, hash_of(1), LEN));
        shim_names_published(ns, 10, 0);
        shim_names_published(ns, 10, -EIO); /* it has answered */
        assert_true(shim_names_has(ns, hash_of(1), LEN));

        shim_names_add(ns, hash_of(2));
        shim_names_expect(ns, hash_of(2), 12);
        shim_names_published(ns, 12, -EIO);
        assert_false(shim_names_has(ns, hash_of(2), LEN));
        shim_names_expect(ns, hash_of(2), 13); /* there is none */
        shim_names_published(ns, 13, -EIO);

        shim_names_add(ns, hash_of(3));
        shim_names_expect(ns, hash_of(3), 14);
        shim_names_remove(ns, hash_of(3));
        shim_names_add(ns, hash_of(3)); /* another registration of the same name */
        shim_names_expect(ns, hash_of(3), 15);
        shim_names_published(ns, 14, -EIO);
        assert_true(shim_names_has(ns, hash_of(3), LEN));
}

/* -- elsewhere ------------------------------------------------------------- */

static void test_known_for_a_minute(void **state)
{
        struct shim_names *ns = *state;
        struct shim_places at = places(1, 2), got;

        assert_false(shim_names_recall(ns, 0, hash_of(1), &got));
        shim_names_learn(ns, 5, hash_of(1), &at);
        assert_true(shim_names_recall(ns, 5 + SHIM_KNOWN_NS - 1, hash_of(1), &got));
        assert_int_equal(got.n, 2);
        assert_true(link_addr_equal(&got.at[1], &at.at[1]));
        assert_false(shim_names_has(ns, hash_of(1), LEN)); /* it is not here */
        assert_false(shim_names_recall(ns, 5 + SHIM_KNOWN_NS, hash_of(1), &got));
        assert_false(shim_names_recall(ns, 5, hash_of(1), &got)); /* and is gone */
}

static void test_learned_again(void **state)
{
        struct shim_names *ns  = *state;
        struct shim_places one = places(1, 1), two = places(7, 2), got;

        shim_names_learn(ns, 0, hash_of(1), &one);
        shim_names_learn(ns, 10, hash_of(1), &two);
        assert_true(shim_names_recall(ns, SHIM_KNOWN_NS + 9, hash_of(1), &got));
        assert_int_equal(got.n, 2);
        assert_true(link_addr_equal(&got.at[0], &two.at[0]));
}

static void test_forgotten(void **state)
{
        struct shim_names *ns = *state;
        struct shim_places at = places(1, 3), got;

        shim_names_learn(ns, 0, hash_of(1), &at);
        shim_names_forget(ns, hash_of(2), &at.at[0]);
        shim_names_forget(ns, hash_of(1), &at.at[0]);
        shim_names_forget(ns, hash_of(1), &at.at[0]);
        assert_true(shim_names_recall(ns, 1, hash_of(1), &got));
        assert_int_equal(got.n, 2);
        assert_true(link_addr_equal(&got.at[0], &at.at[1]));
        shim_names_forget(ns, hash_of(1), &at.at[2]);
        shim_names_forget(ns, hash_of(1), &at.at[1]);
        assert_false(shim_names_recall(ns, 1, hash_of(1), &got));
}

/* The oldest gives way, and before it what has expired. */
static void test_known_are_bounded(void **state)
{
        struct shim_names *ns = *state;
        struct shim_places at = places(1, 1), got;

        for (unsigned i = 0; i <= SHIM_KNOWN; i++)
                shim_names_learn(ns, i, hash_of(i), &at);
        assert_false(shim_names_recall(ns, SHIM_KNOWN, hash_of(0), &got));
        assert_true(shim_names_recall(ns, SHIM_KNOWN, hash_of(1), &got));
        assert_true(shim_names_recall(ns, SHIM_KNOWN, hash_of(SHIM_KNOWN), &got));
        shim_names_learn(ns, 2 * SHIM_KNOWN_NS, hash_of(0), &at);
        assert_false(shim_names_recall(ns, SHIM_KNOWN, hash_of(SHIM_KNOWN), &got));
}

/* -- look-ups -------------------------------------------------------------- */

static int setup_lookups(void **state)
{
        *state = shim_lookups_create(LEN);
        return *state == NULL;
}

static int teardown_lookups(void **state)
{
        shim_lookups_destroy(*state);
        return 0;
}

/* @ask waits for the name @n. */
static uint32_t join(struct shim_lookups *ls, unsigned n, uint32_t ask, bool begins)
{
        bool     begun;
        uint32_t number = shim_lookup_join(ls, hash_of(n), (struct shim_waiter){.ask = ask}, &begun);

        assert_int_not_equal(number, 0);
        assert_int_equal(begun, begins);
        return number;
}

static void test_one_look_up_for_all(void **state)
{
        struct shim_lookups *ls    = *state;
        uint32_t             one   = join(ls, 1, 10, true);
        uint32_t             other = join(ls, 2, 20, true);
        struct shim_waiter   who;
        struct shim_lookup  *l;

        assert_int_equal(join(ls, 1, 11, false), one);
        assert_int_not_equal(one, other);
        shim_lookup_expect(ls, one);
        l = shim_lookup_answer(ls, one, true);
        assert_non_null(l);
        assert_memory_equal(shim_lookup_hash(l), hash_of(1), LEN);
        assert_null(shim_lookup_answer(ls, one, true)); /* it is over */
        assert_true(shim_lookup_end(l, &who));
        assert_int_equal(who.ask, 10);
        assert_int_not_equal(join(ls, 1, 12, true), one); /* who comes now waits for another */
        assert_true(shim_lookup_end(l, &who));
        assert_int_equal(who.ask, 11);
        assert_false(shim_lookup_end(l, &who));
}

static void test_two_sources(void **state)
{
        struct shim_lookups *ls = *state;
        uint32_t             n  = join(ls, 1, 10, true);
        struct shim_waiter   who;
        struct shim_lookup  *l;

        shim_lookup_expect(ls, n);
        shim_lookup_expect(ls, n);
        shim_lookup_expect(ls, 99);
        assert_null(shim_lookup_answer(ls, 99, true));
        assert_null(shim_lookup_answer(ls, n, false)); /* the other may know */
        l = shim_lookup_answer(ls, n, false);
        assert_non_null(l);
        while (shim_lookup_end(l, &who))
                ;

        n = join(ls, 1, 10, true);
        shim_lookup_expect(ls, n);
        shim_lookup_expect(ls, n);
        l = shim_lookup_answer(ls, n, true); /* the first that knows counts */
        assert_non_null(l);
        while (shim_lookup_end(l, &who))
                ;
}

static void test_no_source(void **state)
{
        struct shim_lookups *ls = *state;
        struct shim_waiter   who;
        struct shim_lookup  *l = shim_lookup_answer(ls, join(ls, 1, 10, true), false);

        assert_non_null(l);
        while (shim_lookup_end(l, &who))
                ;
        join(ls, 1, 11, true); /* left for the tear-down, with two waiting */
        join(ls, 1, 12, false);
}

int main(void)
{
#define NAMES(test)   cmocka_unit_test_setup_teardown(test, setup_names, teardown_names)
#define LOOKUPS(test) cmocka_unit_test_setup_teardown(test, setup_lookups, teardown_lookups)
        const struct CMUnitTest tests[] = {
                NAMES(test_registered),
                NAMES(test_published),
                NAMES(test_known_for_a_minute),
                NAMES(test_learned_again),
                NAMES(test_forgotten),
                NAMES(test_known_are_bounded),
                LOOKUPS(test_one_look_up_for_all),
                LOOKUPS(test_two_sources),
                LOOKUPS(test_no_source),
        };

        return cmocka_run_group_tests_name("shim names", tests, NULL, NULL);
}
