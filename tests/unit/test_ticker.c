/* test_ticker.c - deadlines on a loop: each is called once, in order, never early; nothing runs when nothing is set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "loop/ticker.h"

#define N 16

struct fixture {
        uv_loop_t       loop;
        struct ticker  *ticker;
        struct deadline d[N];
        int             called[N]; /* how often */
        int             order[64];
        int             n_called;
        void (*then)(struct fixture *x, int i); /* what the handler does besides */
};

static void on_due(void *ctx, struct deadline *d, int64_t now_ns)
{
        struct fixture *x = ctx;
        int             i = (int)(d - x->d);

        assert_true(now_ns >= d->due_ns);
        assert_true(clock_now_ns() >= d->due_ns);
        assert_int_equal(d->at, 0);
        x->called[i]++;
        x->order[x->n_called++] = i;
        if (x->then != NULL)
                x->then(x, i);
}

static int setup(void **state)
{
        struct fixture *x = calloc(1, sizeof(*x));

        uv_loop_init(&x->loop);
        x->ticker = ticker_open(&x->loop, on_due, x);
        *state    = x;
        return x->ticker == NULL;
}

static int teardown(void **state)
{
        struct fixture *x = *state;
        int             r;

        ticker_close(x->ticker);
        uv_run(&x->loop, UV_RUN_DEFAULT);
        r = uv_loop_close(&x->loop);
        free(x);
        return r;
}

static void set_ms(struct fixture *x, int i, int64_t ms)
{
        assert_int_equal(ticker_set(x->ticker, &x->d[i], clock_now_ns() + ms * NS_PER_MS), 0);
}

/* Nothing would wake the loop. */
static bool idle(struct fixture *x)
{
        return !uv_loop_alive(&x->loop);
}

static void run(struct fixture *x)
{
        uv_run(&x->loop, UV_RUN_DEFAULT); /* ends when nothing is set */
        assert_true(idle(x));
}

static void test_in_order(void **state)
{
        static const int order[] = {3, 0, 2, 1};
        struct fixture  *x       = *state;

        set_ms(x, 0, 10);
        set_ms(x, 1, 30);
        set_ms(x, 2, 20);
        set_ms(x, 3, 1);
        run(x);
        assert_int_equal(x->n_called, 4);
        assert_memory_equal(x->order, order, sizeof(order));
}

static void test_idle(void **state)
{
        struct fixture *x = *state;

        assert_true(idle(x));
        set_ms(x, 0, 1000);
        assert_false(idle(x));
        ticker_cancel(x->ticker, &x->d[0]);
        assert_true(idle(x));
        ticker_cancel(x->ticker, &x->d[0]);
        assert_int_equal(ticker_set(x->ticker, &x->d[0], CLOCK_NEVER), 0);
        assert_true(idle(x));
        run(x);
        assert_int_equal(x->n_called, 0);
}

static void test_moved(void **state)
{
        struct fixture *x = *state;

        set_ms(x, 0, 3600 * 1000);
        set_ms(x, 1, 15);
        set_ms(x, 0, 1); /* earlier */
        set_ms(x, 2, 1);
        set_ms(x, 2, 20); /* later */
        run(x);
        assert_int_equal(x->n_called, 3);
        assert_int_equal(x->order[0], 0);
        assert_int_equal(x->order[1], 1);
        assert_int_equal(x->order[2], 2);
}

/* The loop's own idea of the time may be old: the deadline still counts from the real one. */
static void test_stale_loop(void **state)
{
        struct fixture *x    = *state;
        int64_t         till = clock_now_ns() + 20 * NS_PER_MS;

        while (clock_now_ns() < till)
                ;
        set_ms(x, 0, 5);
        run(x);
        assert_int_equal(x->called[0], 1);
}

static void test_overdue(void **state)
{
        struct fixture *x = *state;

        assert_int_equal(ticker_set(x->ticker, &x->d[0], 0), 0);
        assert_int_equal(ticker_set(x->ticker, &x->d[1], -5), 0);
        assert_int_equal(x->n_called, 0);
        run(x);
        assert_int_equal(x->n_called, 2);
        assert_int_equal(x->order[0], 1);
}

static void again(struct fixture *x, int i)
{
        if (x->called[i] < 5)
                assert_int_equal(ticker_set(x->ticker, &x->d[i], 0), 0);
}

/* A handler that sets what is overdue lets the loop turn in between. */
static void test_set_in_handler(void **state)
{
        struct fixture *x = *state;

        x->then = again;
        set_ms(x, 0, 0);
        for (int turns = 1; !idle(x); turns++) {
                uv_run(&x->loop, UV_RUN_ONCE);
                assert_true(x->called[0] <= 2 * turns);
        }
        assert_int_equal(x->called[0], 5);
}

static void cancel_others(struct fixture *x, int i)
{
        for (int j = 0; j < N; j++) {
                if (j != i)
                        ticker_cancel(x->ticker, &x->d[j]);
        }
}

static void test_cancel_in_handler(void **state)
{
        struct fixture *x = *state;

        x->then = cancel_others;
        for (int i = 0; i < N; i++)
                assert_int_equal(ticker_set(x->ticker, &x->d[i], 0), 0); /* all due in the same turn */
        run(x);
        assert_int_equal(x->n_called, 1);
}

static void close_it(struct fixture *x, int i)
{
        (void)i;
        ticker_close(x->ticker);
        x->ticker = NULL;
}

static void test_close_in_handler(void **state)
{
        struct fixture *x = *state;

        x->then = close_it;
        for (int i = 0; i < N; i++)
                assert_int_equal(ticker_set(x->ticker, &x->d[i], 0), 0);
        run(x);
        assert_int_equal(x->n_called, 1);
}

static void test_close_with_deadlines(void **state)
{
        struct fixture *x = *state;

        set_ms(x, 0, 1);
        ticker_close(x->ticker);
        x->ticker = NULL;
        run(x);
        assert_int_equal(x->n_called, 0);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                EACH(test_in_order),
                EACH(test_idle),
                EACH(test_moved),
                EACH(test_stale_loop),
                EACH(test_overdue),
                EACH(test_set_in_handler),
                EACH(test_cancel_in_handler),
                EACH(test_close_in_handler),
                EACH(test_close_with_deadlines),
        };

        return cmocka_run_group_tests_name("ticker", tests, NULL, NULL);
}
