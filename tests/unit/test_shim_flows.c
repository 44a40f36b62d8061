/* test_shim_flows.c - how the flows of a shim are found (flows.h), and their endpoint ids. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ipcpd/shim/flows.h"

static struct link_addr addr(uint8_t n)
{
        return (struct link_addr){.host_len = 6, .len = 6, .b = {2, 0, 0, 0, 0, n}};
}

static uint32_t same(uint64_t r)
{
        return (uint32_t)r;
}

/* As LLC: a hundred, of which none is 0. */
static uint32_t few(uint64_t r)
{
        return (uint32_t)(2 * (r % 100) + 2);
}

static int setup(void **state)
{
        *state = shim_flows_create();
        return *state == NULL;
}

static int teardown(void **state)
{
        shim_flows_destroy(*state);
        return 0;
}

static struct shim_flow *add(struct shim_flows *fs)
{
        struct shim_flow *f = shim_flows_add(fs);

        assert_non_null(f);
        return f;
}

static struct transport_key key_of(const struct link_addr *peer, uint64_t id)
{
        return (struct transport_key){.id = id, .peer = *peer};
}

static void test_by_id(void **state)
{
        struct shim_flows *fs = *state;
        struct shim_flow  *f = add(fs), *g = add(fs);

        assert_int_equal(shim_flow_id(f), 0);
        assert_int_equal(shim_flow_name(fs, f, UINT64_MAX), 0);
        assert_int_equal(shim_flow_name(fs, g, UINT64_MAX), -EEXIST);
        assert_int_equal(shim_flow_id(g), 0);
        assert_true(shim_flow_id(f) == UINT64_MAX);
        assert_ptr_equal(shim_flow_by_id(fs, UINT64_MAX), f);
        assert_null(shim_flow_by_id(fs, 1));
        assert_int_equal(shim_flows_count(fs), 2);
        shim_flows_remove(fs, f);
        assert_null(shim_flow_by_id(fs, UINT64_MAX));
        assert_ptr_equal(shim_flows_first(fs), g);
        shim_flows_remove(fs, g);
        assert_null(shim_flows_first(fs));
        assert_int_equal(shim_flows_count(fs), 0);
}

static void test_by_number(void **state)
{
        struct shim_flows *fs = *state;
        struct shim_flow  *f = add(fs), *g = add(fs);

        assert_int_equal(shim_flow_number(fs, f), 0);
        assert_int_equal(shim_flow_number(fs, g), 0);
        assert_int_not_equal(f->ask, g->ask);
        assert_int_not_equal(f->ask, 0);
        assert_ptr_equal(shim_flow_by_ask(fs, f->ask), f);
        shim_flow_settle(fs, f);
        shim_flow_settle(fs, f);
        assert_null(shim_flow_by_ask(fs, f->ask));
        assert_ptr_equal(shim_flow_by_ask(fs, g->ask), g);
        assert_null(shim_flow_by_ask(fs, 0));
}

static void test_by_end(void **state)
{
        struct shim_flows *fs  = *state;
        struct link_addr   one = addr(1), two = addr(2);
        struct shim_flow  *f = add(fs), *g = add(fs), *h = add(fs);

        assert_int_equal(shim_flow_place(fs, f, &one, same, 7), 0);
        assert_int_equal(f->path.own_eid, 7);
        assert_true(link_addr_equal(&f->path.to, &one));
        assert_int_equal(shim_flow_place(fs, g, &two, same, 7), 0); /* another peer may use it too */
        assert_int_equal(g->path.own_eid, 7);
        assert_int_equal(shim_flow_place(fs, h, &one, same, 7), 0);
        assert_int_equal(h->path.own_eid, 8);
        assert_ptr_equal(shim_flow_by_end(fs, &one, 7), f);
        assert_ptr_equal(shim_flow_by_end(fs, &two, 7), g);
        assert_ptr_equal(shim_flow_by_end(fs, &one, 8), h);
        assert_null(shim_flow_by_end(fs, &two, 8));
        shim_flow_unplace(fs, f);
        assert_null(shim_flow_by_end(fs, &one, 7));
        assert_int_equal(shim_flow_place(fs, f, &two, same, 9), 0); /* asks somebody else */
        assert_ptr_equal(shim_flow_by_end(fs, &two, 9), f);
}

static void test_by_exchange(void **state)
{
        struct shim_flows   *fs  = *state;
        struct link_addr     one = addr(1), two = addr(2);
        struct shim_flow    *f = add(fs), *g = add(fs), *h = add(fs);
        struct transport_key k;

        shim_flow_key(f, &k);
        assert_int_equal(k.id, 0);
        shim_flow_place(fs, f, &one, same, 1);
        shim_flow_place(fs, g, &two, same, 1);
        shim_flow_place(fs, h, &one, same, 1);
        assert_int_equal(shim_flow_bind(fs, f, UINT64_MAX - 1), 0);
        assert_int_equal(shim_flow_bind(fs, g, UINT64_MAX - 1), 0);
        assert_int_equal(shim_flow_bind(fs, h, UINT64_MAX - 1), -EEXIST);
        shim_flow_key(f, &k);
        assert_true(k.id == UINT64_MAX - 1);
        assert_true(link_addr_equal(&k.peer, &one));
        k = key_of(&one, UINT64_MAX - 1);
        assert_ptr_equal(shim_flow_by_exchange(fs, &k), f);
        k = key_of(&two, UINT64_MAX - 1);
        assert_ptr_equal(shim_flow_by_exchange(fs, &k), g);
        shim_flow_unplace(fs, g);
        assert_null(shim_flow_by_exchange(fs, &k));
        shim_flow_key(g, &k);
        assert_int_equal(k.id, 0);
}

/* All of a small space are given out, to each peer; one that was given back is found again. */
static void test_small_space(void **state)
{
        struct shim_flows *fs  = *state;
        struct link_addr   one = addr(1), two = addr(2);
        struct shim_flow  *f = NULL, *extra = add(fs);

        for (uint64_t i = 0; i < 100; i++) {
                f = add(fs);
                assert_int_equal(shim_flow_place(fs, f, &one, few, i * UINT64_C(0x9e3779b97f4a7c15)), 0);
                assert_ptr_equal(shim_flow_by_end(fs, &one, f->path.own_eid), f);
        }
        assert_int_equal(shim_flow_place(fs, extra, &one, few, 12345), -EBUSY);
        assert_int_equal(shim_flow_place(fs, extra, &two, few, 12345), 0);
        shim_flow_unplace(fs, extra);
        shim_flows_remove(fs, f);
        assert_int_equal(shim_flow_place(fs, extra, &one, few, 54321), 0);
}

/* In whatever order they go, the rest is found. */
static void test_many(void **state)
{
        enum { N = 2000 };
        struct shim_flows *fs   = *state;
        struct link_addr   a[3] = {addr(1), addr(2), addr(3)};
        struct shim_flow  *f[N];

        for (unsigned i = 0; i < N; i++) {
                f[i] = add(fs);
                assert_int_equal(shim_flow_name(fs, f[i], i + 1), 0);
                assert_int_equal(shim_flow_number(fs, f[i]), 0);
                assert_int_equal(shim_flow_place(fs, f[i], &a[i % 3], same, 1), 0);
                assert_int_equal(shim_flow_bind(fs, f[i], i), 0);
                if (i % 700 ==
                    699) /* 512 neighbours at most are walked past: as ids are random, that is far */
                        for (unsigned j = 0; j < 3; j++)
                                a[j].b[0]++;
        }
        for (unsigned i = 0; i < N; i += 2)
                shim_flows_remove(fs, f[i]);
        for (unsigned i = 0; i < N; i++) {
                struct transport_key k;

                assert_ptr_equal(shim_flow_by_id(fs, i + 1), i % 2 == 0 ? NULL : f[i]);
                if (i % 2 == 0)
                        continue;
                shim_flow_key(f[i], &k);
                assert_ptr_equal(shim_flow_by_exchange(fs, &k), f[i]);
                assert_ptr_equal(shim_flow_by_end(fs, &f[i]->path.to, f[i]->path.own_eid), f[i]);
                assert_ptr_equal(shim_flow_by_ask(fs, f[i]->ask), f[i]);
        }
        assert_int_equal(shim_flows_count(fs), N / 2);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                T(test_by_id),       T(test_by_number),   T(test_by_end),
                T(test_by_exchange), T(test_small_space), T(test_many),
        };

        return cmocka_run_group_tests_name("shim flows", tests, NULL, NULL);
}
