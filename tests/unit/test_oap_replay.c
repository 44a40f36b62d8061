/*
 * test_oap_replay.c - the replay cache: stories with exact numbers, and a long random run beside a model that remembers
 * everything, through restarts and clocks that step.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oap/replay.h"

#include "random.h"

#define SEC  INT64_C(1000000000)
#define NOW  (INT64_C(1800000000) * SEC)
#define SKEW (30 * SEC)

/* A cache that has been running for long: its horizon is far behind. */
static struct replay *aged(size_t max)
{
        struct replay *r = replay_create(max, NOW - 1000 * SEC, NOW, SKEW);

        assert_non_null(r);
        return r;
}

static void key_of(uint8_t key[REPLAY_KEY], uint64_t n)
{
        memset(key, 0, REPLAY_KEY);
        memcpy(key, &n, sizeof(n));
}

/* Request @n of identity @who. */
static enum oap_reason add(struct replay *r, uint64_t n, uint64_t who, int64_t timestamp, int64_t now,
                           int64_t *keep)
{
        uint8_t key[REPLAY_KEY], owner[REPLAY_KEY];
        int64_t none;

        key_of(key, n);
        key_of(owner, who);
        return replay_add(r, key, owner, timestamp, now, keep == NULL ? &none : keep);
}

static enum oap_reason look(struct replay *r, uint64_t n, int64_t timestamp, int64_t now)
{
        uint8_t key[REPLAY_KEY];

        key_of(key, n);
        return replay_look(r, key, timestamp, now);
}

static void test_once(void **state)
{
        struct replay *r = aged(64);

        (void)state;
        assert_int_equal(look(r, 1, NOW, NOW), OAP_OK);
        assert_int_equal(look(r, 1, NOW, NOW), OAP_OK); /* looking remembers nothing */
        assert_int_equal(add(r, 1, 1, NOW, NOW, NULL), OAP_OK);
        assert_int_equal(look(r, 1, NOW, NOW), OAP_REPLAY);
        assert_int_equal(add(r, 1, 2, NOW, NOW + SEC, NULL), OAP_REPLAY);
        assert_int_equal(add(r, 2, 1, NOW, NOW, NULL), OAP_OK);
        assert_int_equal(replay_count(r), 2);
        replay_destroy(r);
}

static void test_window(void **state)
{
        struct replay *r = aged(64);

        (void)state;
        assert_int_equal(look(r, 1, NOW - SKEW, NOW), OAP_OK);
        assert_int_equal(look(r, 1, NOW - SKEW - 1, NOW), OAP_CLOCK);
        assert_int_equal(look(r, 1, NOW + SKEW, NOW), OAP_OK);
        assert_int_equal(look(r, 1, NOW + SKEW + 1, NOW), OAP_CLOCK);
        assert_int_equal(look(r, 1, INT64_MIN, NOW), OAP_CLOCK);
        assert_int_equal(look(r, 1, INT64_MAX, NOW), OAP_CLOCK);
        assert_int_equal(look(r, 1, -1, NOW), OAP_CLOCK);
        replay_set_skew(r, SEC);
        assert_int_equal(look(r, 1, NOW - SKEW, NOW), OAP_CLOCK);
        replay_destroy(r);
}

static void test_horizon_is_raised_to_what_is_dropped(void **state)
{
        struct replay *r = aged(64);

        (void)state;
        assert_int_equal(add(r, 1, 1, NOW, NOW, NULL), OAP_OK);
        assert_int_equal(add(r, 2, 1, NOW + SEC, NOW, NULL), OAP_OK);
        assert_true(replay_horizon(r) == NOW - 1000 * SEC);
        assert_int_equal(look(r, 3, NOW + SKEW, NOW + SKEW), OAP_OK);
        assert_int_equal(replay_count(r), 2); /* at its very edge it is in the window still */
        assert_int_equal(look(r, 3, NOW + SKEW, NOW + SKEW + 1), OAP_OK);
        assert_int_equal(replay_count(r), 1);
        assert_true(replay_horizon(r) == NOW);
        /* The clock steps back: what was dropped is below the horizon. */
        assert_int_equal(add(r, 1, 1, NOW, NOW, NULL), OAP_CLOCK);
        assert_int_equal(add(r, 9, 1, NOW, NOW, NULL), OAP_CLOCK);
        assert_int_equal(add(r, 9, 1, NOW + 1, NOW, NULL), OAP_OK);
        assert_int_equal(add(r, 2, 1, NOW + SEC, NOW, NULL), OAP_REPLAY);
        replay_destroy(r);
}

static void test_a_wider_window_opens_nothing(void **state)
{
        struct replay *r = aged(64);

        (void)state;
        assert_int_equal(add(r, 1, 1, NOW, NOW, NULL), OAP_OK);
        replay_set_skew(r, SEC);
        assert_int_equal(look(r, 2, NOW + 5 * SEC, NOW + 5 * SEC), OAP_OK);
        assert_int_equal(replay_count(r), 0);
        replay_set_skew(r, SKEW);
        assert_int_equal(add(r, 1, 1, NOW, NOW + 5 * SEC, NULL), OAP_CLOCK);
        replay_destroy(r);
}

static void test_start_without_a_kept_value(void **state)
{
        struct replay *r = replay_create(64, 0, NOW, SKEW);

        (void)state;
        assert_true(replay_horizon(r) == NOW + SKEW);
        assert_int_equal(add(r, 1, 1, NOW, NOW, NULL), OAP_CLOCK);
        assert_int_equal(add(r, 1, 1, NOW + SKEW, NOW + SKEW, NULL), OAP_CLOCK);
        assert_int_equal(add(r, 1, 1, NOW + SKEW + 1, NOW + SKEW + 1, NULL), OAP_OK);
        replay_destroy(r);
}

static void test_what_is_kept(void **state)
{
        struct replay *r = aged(64);
        int64_t        keep;

        (void)state;
        assert_int_equal(add(r, 1, 1, NOW, NOW, &keep), OAP_OK);
        assert_true(keep == NOW + SEC);
        /* Until it is said to be written it is asked for again. */
        assert_int_equal(add(r, 2, 1, NOW - SEC, NOW, &keep), OAP_OK);
        assert_true(keep == NOW + SEC);
        replay_kept(r, NOW + SEC);
        replay_kept(r, NOW); /* what comes late is no news */
        assert_int_equal(add(r, 3, 1, NOW + SEC, NOW, &keep), OAP_OK);
        assert_true(keep == 0);
        assert_int_equal(add(r, 4, 1, NOW + SEC + 1, NOW, &keep), OAP_OK);
        assert_true(keep == NOW + 2 * SEC + 1);
        assert_int_equal(add(r, 4, 1, NOW + SEC + 1, NOW, &keep), OAP_REPLAY);
        assert_true(keep == 0);
        replay_destroy(r);
        /* After a restart with it nothing that was accepted is accepted again. */
        r = replay_create(64, NOW + 2 * SEC + 1, NOW, SKEW);
        assert_int_equal(add(r, 4, 1, NOW + SEC + 1, NOW, &keep), OAP_CLOCK);
        assert_int_equal(add(r, 5, 1, NOW + 2 * SEC + 2, NOW, &keep), OAP_OK);
        replay_destroy(r);
}

static void test_share_of_an_identity(void **state)
{
        struct replay *r = aged(64);

        (void)state;
        for (uint64_t i = 0; i < 4; i++)
                assert_int_equal(add(r, i, 1, NOW + (int64_t)i, NOW, NULL), OAP_OK);
        assert_int_equal(add(r, 4, 1, NOW + 4, NOW, NULL), OAP_BUSY);
        assert_int_equal(add(r, 4, 2, NOW + 4, NOW, NULL), OAP_OK);
        /* One leaves the window: one more is admitted. */
        assert_int_equal(add(r, 5, 1, NOW + SEC, NOW + SKEW + 1, NULL), OAP_OK);
        assert_int_equal(add(r, 6, 1, NOW + SEC, NOW + SKEW + 1, NULL), OAP_BUSY);
        replay_destroy(r);
}

static void test_full(void **state)
{
        struct replay *r = aged(64);

        (void)state;
        for (uint64_t i = 0; i < 64; i++)
                assert_int_equal(add(r, i, i / 4, NOW, NOW, NULL), OAP_OK);
        assert_int_equal(add(r, 64, 99, NOW, NOW, NULL), OAP_BUSY);
        assert_int_equal(add(r, 0, 0, NOW, NOW, NULL), OAP_REPLAY); /* never an old one forgotten early */
        assert_int_equal(add(r, 64, 99, NOW + SEC, NOW + SKEW + 1, NULL), OAP_OK);
        assert_int_equal(replay_count(r), 1);
        replay_destroy(r);
}

static void test_sizes(void **state)
{
        struct replay *r = replay_create(1, 1, NOW, SKEW);

        (void)state;
        assert_int_equal(add(r, 1, 1, NOW, NOW, NULL), OAP_OK);
        assert_int_equal(add(r, 2, 2, NOW, NOW, NULL), OAP_BUSY);
        replay_destroy(r);
        assert_null(replay_create(0, 1, NOW, SKEW));
        assert_null(replay_create(SIZE_MAX / 64, 1, NOW, SKEW));
        replay_destroy(NULL);
}

/* -- the model --------------------------------------------------------------- */

#define REQUESTS   400u /* different ones that are tried */
#define IDENTITIES 20u
#define MAX        48u

struct model {
        struct {
                int64_t timestamp;
                bool    held, ever;
        } of[REQUESTS];
        int64_t horizon, kept, skew;
};

static void model_drop(struct model *m, int64_t now)
{
        for (size_t i = 0; i < REQUESTS; i++) {
                if (!m->of[i].held || m->of[i].timestamp >= now - m->skew)
                        continue;
                m->of[i].held = false;
                if (m->of[i].timestamp > m->horizon)
                        m->horizon = m->of[i].timestamp;
        }
}

/* Requests held, of everybody and of the one who asks. */
static size_t model_count(const struct model *m, uint64_t who, size_t *his)
{
        size_t n = 0;

        *his = 0;
        for (size_t i = 0; i < REQUESTS; i++) {
                n += m->of[i].held;
                *his += m->of[i].held && i % IDENTITIES == who;
        }
        return n;
}

static enum oap_reason model_add(struct model *m, size_t i, int64_t timestamp, int64_t now)
{
        size_t his, n;

        model_drop(m, now);
        n = model_count(m, i % IDENTITIES, &his);
        if (timestamp < now - m->skew || timestamp > now + m->skew)
                return OAP_CLOCK;
        if (m->of[i].held)
                return OAP_REPLAY;
        if (timestamp <= m->horizon)
                return OAP_CLOCK;
        if (n == MAX || his == MAX / 16)
                return OAP_BUSY;
        return OAP_OK;
}

static int64_t new_time(uint64_t *seed, int64_t now)
{
        switch (random_below(seed, 200)) {
        case 0: return now + (int64_t)random_below(seed, 100) * SEC;
        case 1: return now - (int64_t)random_below(seed, 60) * SEC;
        default: return now + (int64_t)random_below(seed, (uint64_t)SEC);
        }
}

/* With the value that was kept; where the clock has not gone back since, without one as well. */
static struct replay *restart(struct replay *r, struct model *m, uint64_t *seed, int64_t now)
{
        int64_t last = INT64_MIN;
        int64_t kept = m->kept;

        for (size_t i = 0; i < REQUESTS; i++) {
                if (m->of[i].ever && m->of[i].timestamp > last)
                        last = m->of[i].timestamp;
                m->of[i].held = false;
        }
        if (random_below(seed, 2) == 0 && last <= now + m->skew)
                kept = 0;
        replay_destroy(r);
        m->kept    = kept;
        m->horizon = kept != 0 ? kept : now + m->skew;
        return replay_create(MAX, kept, now, m->skew);
}

/* One request: a known one again with its timestamp, as it is signed, or a new one. */
static bool try_one(struct replay *r, struct model *m, uint64_t *seed, int64_t now)
{
        size_t          i    = random_below(seed, REQUESTS);
        int64_t         when = m->of[i].timestamp;
        int64_t         keep;
        enum oap_reason expected, got;

        if (!m->of[i].ever)
                when = m->of[i].timestamp = now + (int64_t)random_below(seed, 70 * (uint64_t)SEC) - 35 * SEC;
        expected = model_add(m, i, when, now);
        got      = add(r, i, i % IDENTITIES, when, now, &keep);
        assert_int_equal(got, expected);
        assert_true(replay_horizon(r) == m->horizon);
        if (got != OAP_OK)
                return false;
        assert_false(m->of[i].ever); /* the property: nothing is accepted twice, ever */
        m->of[i].held = m->of[i].ever = true;
        assert_true(keep == (when > m->kept ? when + SEC : 0));
        if (keep != 0) {
                m->kept = keep;
                replay_kept(r, keep);
        }
        return true;
}

/* Returns how many were accepted. */
static size_t run(uint64_t seed)
{
        struct model   m        = {.skew = SKEW, .kept = NOW - 100 * SEC, .horizon = NOW - 100 * SEC};
        struct replay *r        = replay_create(MAX, m.kept, NOW, SKEW);
        int64_t        now      = NOW;
        size_t         accepted = 0;

        for (int turn = 0; turn < 2000; turn++) {
                now = new_time(&seed, now);
                accepted += try_one(r, &m, &seed, now);
                if (random_below(&seed, 300) == 0)
                        r = restart(r, &m, &seed, now);
                if (random_below(&seed, 100) == 0) {
                        m.skew = (int64_t)(1 + random_below(&seed, 60)) * SEC;
                        replay_set_skew(r, m.skew);
                }
        }
        replay_destroy(r);
        return accepted;
}

static void test_beside_the_model(void **state)
{
        size_t accepted = 0;

        (void)state;
        for (uint64_t seed = 1; seed <= 150; seed++)
                accepted += run(seed);
        assert_true(accepted > 2000);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_once),
                cmocka_unit_test(test_window),
                cmocka_unit_test(test_horizon_is_raised_to_what_is_dropped),
                cmocka_unit_test(test_a_wider_window_opens_nothing),
                cmocka_unit_test(test_start_without_a_kept_value),
                cmocka_unit_test(test_what_is_kept),
                cmocka_unit_test(test_share_of_an_identity),
                cmocka_unit_test(test_full),
                cmocka_unit_test(test_sizes),
                cmocka_unit_test(test_beside_the_model),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
