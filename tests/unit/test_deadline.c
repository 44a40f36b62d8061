/* test_deadline.c - the heap of deadlines, against a plain list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/deadline.h"

#include "random.h"

#define N 300

static void test_empty(void **state)
{
        struct deadlines q = {0};
        struct deadline  d = {0};

        (void)state;
        assert_int_equal(deadlines_next(&q), INT64_MAX);
        assert_null(deadlines_pop(&q, INT64_MAX));
        deadlines_cancel(&q, &d);
        deadlines_fini(&q);
        deadlines_fini(&q);
}

static void test_one(void **state)
{
        struct deadlines q = {0};
        struct deadline  d = {0};

        (void)state;
        assert_int_equal(deadlines_set(&q, &d, 100), 0);
        assert_int_equal(deadlines_next(&q), 100);
        assert_null(deadlines_pop(&q, 99));
        assert_int_equal(deadlines_set(&q, &d, 50), 0); /* moved, not doubled */
        assert_int_equal(deadlines_next(&q), 50);
        assert_ptr_equal(deadlines_pop(&q, 50), &d);
        assert_null(deadlines_pop(&q, INT64_MAX));
        assert_int_equal(d.at, 0);
        assert_int_equal(deadlines_set(&q, &d, 7), 0); /* again */
        deadlines_cancel(&q, &d);
        deadlines_cancel(&q, &d);
        assert_int_equal(deadlines_next(&q), INT64_MAX);
        deadlines_fini(&q);
}

static int64_t earliest(const struct deadline *d)
{
        int64_t min = INT64_MAX;

        for (size_t i = 0; i < N; i++) {
                if (d[i].at != 0 && d[i].due_ns < min)
                        min = d[i].due_ns;
        }
        return min;
}

static void check_places(const struct deadlines *q, const struct deadline *d)
{
        size_t queued = 0;

        for (size_t i = 0; i < N; i++) {
                if (d[i].at == 0)
                        continue;
                queued++;
                assert_ptr_equal(q->heap[d[i].at - 1], &d[i]);
        }
        assert_int_equal(queued, q->n);
}

/* Sets, moves, cancels and pops at random; few distinct times, so that many are equal. */
static void test_random(void **state)
{
        struct deadlines q    = {0};
        struct deadline  d[N] = {0};
        uint64_t         seed = 1;

        (void)state;
        for (int step = 0; step < 50000; step++) {
                struct deadline *one = &d[random_below(&seed, N)];

                switch (random_below(&seed, 8)) {
                case 0: deadlines_cancel(&q, one); break;
                case 1: {
                        int64_t          now = (int64_t)random_below(&seed, 100);
                        int64_t          min = earliest(d);
                        struct deadline *p   = deadlines_pop(&q, now);

                        assert_int_equal(p != NULL, min <= now);
                        if (p != NULL) {
                                assert_int_equal(p->due_ns, min);
                                assert_int_equal(p->at, 0);
                        }
                        break;
                }
                default:
                        assert_int_equal(
                                deadlines_set(&q, one,
                                              (int64_t)random_below(&seed, step % 2 ? 100 : 1000000)),
                                0);
                }
                assert_int_equal(deadlines_next(&q), earliest(d));
                if (step % 64 == 0)
                        check_places(&q, d);
        }
        deadlines_fini(&q);
}

static void test_sorts(void **state)
{
        struct deadlines q    = {0};
        struct deadline  d[N] = {0};
        int64_t          last = INT64_MIN;
        struct deadline *p;
        size_t           n    = 0;
        uint64_t         seed = 2;

        (void)state;
        for (size_t i = 0; i < N; i++)
                assert_int_equal(deadlines_set(&q, &d[i], (int64_t)random_next(&seed)),
                                 0); /* negative ones, too */
        while ((p = deadlines_pop(&q, INT64_MAX)) != NULL) {
                assert_true(p->due_ns >= last);
                last = p->due_ns;
                n++;
        }
        assert_int_equal(n, N);
        deadlines_fini(&q);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_empty),
                cmocka_unit_test(test_one),
                cmocka_unit_test(test_random),
                cmocka_unit_test(test_sorts),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
