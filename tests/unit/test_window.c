/* test_window.c - the replay window against a model that remembers everything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypt/window.h"

#include "random.h"

#define SPAN (1u << 18) /* what the model covers, from any start */

struct model {
        uint64_t start, end;
        bool    *seen; /* by counter - start */
};

static bool model_fresh(const struct model *m, uint64_t counter)
{
        return counter + WINDOW >= m->end && !m->seen[counter - m->start];
}

/* Near the end more often than not, never below the start nor beyond the span and 32 bits. */
static uint64_t pick(const struct model *m, uint64_t *random)
{
        static const uint64_t reach[] = {4, 70, 4100, 8200, 20000};
        uint64_t              r       = reach[random_below(random, 5)];
        uint64_t              top     = m->start + SPAN - 1 < UINT32_MAX ? m->start + SPAN - 1 : UINT32_MAX;
        uint64_t              low     = m->end > m->start + r ? m->end - r : m->start;
        uint64_t              high    = m->end + r / 32 < top ? m->end + r / 32 : top;

        if (low > high)
                low = high;
        return low + random_below(random, high - low + 1);
}

static void compare_from(uint64_t start, uint64_t seed)
{
        struct window w = {0};
        struct model  m = {start, 0, calloc(SPAN, sizeof(bool))};

        m.end = start == 0 ? 0 : start + 1;
        if (start > 0) {
                window_accept(&w, (uint32_t)start);
                m.seen[0] = true;
        }
        for (int i = 0; i < 200000; i++) {
                uint64_t c = pick(&m, &seed);

                assert_int_equal(window_fresh(&w, (uint32_t)c), model_fresh(&m, c));
                if (!model_fresh(&m, c))
                        continue;
                window_accept(&w, (uint32_t)c);
                m.seen[c - start] = true;
                m.end             = c + 1 > m.end ? c + 1 : m.end;
        }
        free(m.seen);
}

static void test_against_the_model(void **state)
{
        (void)state;
        for (uint64_t seed = 0; seed < 4; seed++) {
                compare_from(0, seed);
                compare_from(64 * WINDOW_WORDS * 1000 - 5, seed);
                compare_from(UINT32_MAX - 20000, seed);
        }
}

static void test_jumps(void **state)
{
        static const uint32_t to[] = {0, 63, 64, 4095, 4096, 4159, 4160, 4161, 1u << 20, UINT32_MAX};

        (void)state;
        for (size_t i = 0; i < sizeof(to) / sizeof(to[0]); i++) {
                struct window w = {0};

                for (uint32_t c = 0; c < 10; c++)
                        window_accept(&w, c);
                if (window_fresh(&w, to[i]))
                        window_accept(&w, to[i]);
                assert_false(window_fresh(&w, to[i]));
                for (uint32_t back = 1; back <= 2 * WINDOW && back <= to[i]; back++)
                        assert_int_equal(window_fresh(&w, to[i] - back), back < WINDOW && to[i] - back >= 10);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_against_the_model),
                cmocka_unit_test(test_jumps),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
