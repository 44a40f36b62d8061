/* test_work.c - a queue that refuses rather than lets wait, and key pairs made when it is empty. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <stdatomic.h>

#include "keypool.h"
#include "work.h"

#define JOBS 8

struct fixture {
        uv_loop_t    loop;
        struct work *work;
        int          idle, done;
};

struct count {
        struct job      job;
        struct fixture *fixture;
        atomic_int      ran;
};

static void run(struct job *j)
{
        atomic_fetch_add(&((struct count *)(void *)j)->ran, 1);
}

static void done(struct job *j)
{
        ((struct count *)(void *)j)->fixture->done++;
}

static void idle(void *ctx)
{
        ((struct fixture *)ctx)->idle++;
}

static int setup(void **state)
{
        struct fixture *x = calloc(1, sizeof(*x));

        uv_loop_init(&x->loop);
        x->work = work_open(&x->loop, JOBS, idle, x);
        *state  = x;
        return x->work == NULL;
}

static int teardown(void **state)
{
        struct fixture *x = *state;

        work_close(x->work);
        assert_int_equal(uv_loop_close(&x->loop), 0);
        free(x);
        return 0;
}

static void test_half_is_for_who_is_known(void **state)
{
        struct fixture *x = *state;
        struct count    c[JOBS + 1];

        for (int i = 0; i <= JOBS; i++)
                c[i] = (struct count){.job = {.run = run, .done = done}, .fixture = x};
        for (int i = 0; i < JOBS / 2; i++)
                assert_int_equal(work_start(x->work, &c[i].job, false), 0);
        assert_int_equal(work_start(x->work, &c[JOBS].job, false), -EBUSY);
        for (int i = JOBS / 2; i < JOBS; i++)
                assert_int_equal(work_start(x->work, &c[i].job, true), 0);
        assert_int_equal(work_start(x->work, &c[JOBS].job, true), -EBUSY);
        assert_int_equal(work_count(x->work), JOBS);
        uv_run(&x->loop, UV_RUN_DEFAULT);
        assert_int_equal(x->done, JOBS);
        assert_int_equal(x->idle, 1);
        assert_int_equal(work_count(x->work), 0);
        for (int i = 0; i < JOBS; i++)
                assert_int_equal(c[i].ran, 1);
        assert_int_equal(c[JOBS].ran, 0);
}

struct pool {
        struct keypool *keys;
        struct work    *work;
};

static void fill(void *ctx)
{
        keypool_fill(((struct pool *)ctx)->keys);
}

/* None before somebody asks; then a stock that ends, of pairs that are all different. */
static void test_keys_ahead(void **state)
{
        uint8_t     a[KEX_PUBLIC_MAX], b[KEX_PUBLIC_MAX];
        struct pool p;
        uv_loop_t   loop;
        struct kex *k, *last = NULL;
        int         n = 0;

        (void)state;
        uv_loop_init(&loop);
        p.work = work_open(&loop, JOBS, fill, &p);
        p.keys = keypool_open(p.work);
        keypool_fill(p.keys);
        uv_run(&loop, UV_RUN_DEFAULT);
        assert_null(keypool_take(p.keys, ROLE_CLIENT, SUITE_X25519));
        keypool_fill(p.keys);
        uv_run(&loop, UV_RUN_DEFAULT); /* ends when the stock is full */
        assert_null(keypool_take(p.keys, ROLE_SERVER, SUITE_X25519));
        while ((k = keypool_take(p.keys, ROLE_CLIENT, SUITE_X25519)) != NULL) {
                kex_request(k, a);
                if (last != NULL) {
                        kex_request(last, b);
                        assert_memory_not_equal(a, b, kex_request_len(SUITE_X25519));
                }
                kex_destroy(last);
                last = k;
                n++;
        }
        assert_true(n > 4);
        kex_destroy(last);
        keypool_close(p.keys);
        work_close(p.work);
        assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_half_is_for_who_is_known, setup, teardown),
                cmocka_unit_test(test_keys_ahead),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
