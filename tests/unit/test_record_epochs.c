/*
 * test_record_epochs.c - when a sender moves on, and which epochs a receiver holds: the current one, the one
 * before for ten seconds, up to 64 ahead, and none that are over or were skipped.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "crypt/record.h"

#include "record_rig.h"

#define S    INT64_C(1000000000)
#define HOUR (3600 * S)

/* -- sender ------------------------------------------------------------- */

static void test_sender_moves_on_after_an_hour(void **state)
{
        struct rig *g = *state;
        struct rec  r;

        r = rig_seal_at(g, HOUR - 1);
        assert_int_equal(record_tx_epoch(g->tx), 0);
        rig_accept(g, &r);
        r = rig_seal_at(g, HOUR);
        assert_int_equal(record_tx_epoch(g->tx), 1);
        rig_accept(g, &r);
        r = rig_seal_at(g, 2 * HOUR - 1);
        assert_int_equal(record_tx_epoch(g->tx), 1);
        rig_accept(g, &r);
        r = rig_seal_at(g, 100 * HOUR); /* by one, however long it was quiet */
        assert_int_equal(record_tx_epoch(g->tx), 2);
        rig_accept(g, &r);
        r = rig_seal_at(g, 101 * HOUR - 1);
        assert_int_equal(record_tx_epoch(g->tx), 2);
        rig_accept(g, &r);
}

static void test_sender_moves_on_after_records(void **state)
{
        struct rig *g = *state;
        struct rec  r;

        record_tx_rotate_after(g->tx, 10);
        for (uint32_t i = 0; i < 1000; i++) {
                r = rig_seal(g);
                assert_int_equal(record_tx_epoch(g->tx), i / 10);
                assert_int_equal(r.bytes[7], i % 10);
                rig_accept(g, &r);
                assert_int_equal(record_rx_epoch(g->rx), i / 10);
        }
}

static void test_sender_ends_with_the_last_epoch(void **state)
{
        struct rig *g = *state;
        uint8_t     out[RECORD_OVERHEAD];

        record_tx_rotate_after(g->tx, 2);
        record_tx_end_after(g->tx, 3);
        for (int i = 0; i < 6; i++)
                assert_int_equal(record_seal(g->tx, RECORD_KEEPALIVE, NULL, 0, 0, out), RECORD_OVERHEAD);
        assert_int_equal(record_seal(g->tx, RECORD_KEEPALIVE, NULL, 0, 0, out), -EOVERFLOW);
        assert_int_equal(record_seal(g->tx, RECORD_CLOSE, NULL, 0, HOUR, out), -EOVERFLOW);
        assert_int_equal(record_tx_epoch(g->tx), 2);
}

/* -- receiver ------------------------------------------------------------ */

static void test_previous_epoch_comes_late(void **state)
{
        struct rig *g    = *state;
        struct rec  late = rig_seal(g), later = rig_seal(g), r = rig_seal_next(g);

        rig_accept(g, &r);
        rig_accept(g, &late);
        assert_int_equal(record_rx_epoch(g->rx), 1);
        rig_refuse(g, &late, -EALREADY);
        rig_refuse(g, &r, -EALREADY);
        r = rig_seal_next(g);
        rig_accept(g, &r);
        rig_refuse(g, &later, -EALREADY); /* two epochs back */
}

static void test_previous_epoch_has_its_own_window(void **state)
{
        struct rig *g = *state;
        struct rec  old[2], r;

        old[0] = rig_seal(g);
        old[1] = rig_seal(g);
        rig_accept(g, &old[0]);
        for (int i = 0; i < 5000; i++) {
                r = i == 0 ? rig_seal_next(g) : rig_seal(g);
                rig_accept(g, &r);
        }
        rig_refuse(g, &old[0], -EALREADY);
        rig_accept(g, &old[1]);
        rig_refuse(g, &old[1], -EALREADY);
}

static void test_previous_epoch_is_dropped_after_ten_seconds(void **state)
{
        struct rig *g = *state;
        struct rec  late[3], r, a;

        for (size_t i = 0; i < 3; i++)
                late[i] = rig_seal(g);
        r = rig_seal_next(g);
        rig_accept_at(g, &r, 100 * S);
        rig_accept_at(g, &late[0], 110 * S - 1);
        r = rig_seal(g);
        a = rec_altered(&late[1], 99);
        rig_refuse_at(g, &a, 110 * S - 1, -EBADMSG);
        rig_refuse_at(g, &late[1], 110 * S, -EALREADY);
        rig_refuse_at(g, &late[1], 100 * S, -EALREADY); /* for good */
        rig_accept_at(g, &r, 110 * S);
}

static void test_previous_epoch_is_dropped_without_a_record(void **state)
{
        struct rig *g    = *state;
        struct rec  late = rig_seal(g), later = rig_seal(g), r = rig_seal_next(g);

        record_rx_expire(g->rx, 1000 * S); /* there is none yet */
        rig_accept_at(g, &r, 0);
        record_rx_expire(g->rx, 10 * S - 1);
        rig_accept_at(g, &late, 0);
        record_rx_expire(g->rx, 10 * S);
        rig_refuse_at(g, &later, 0, -EALREADY);
}

static void test_skipped_epochs_are_refused(void **state)
{
        struct rig *g  = *state;
        struct rec  r0 = rig_seal(g), r1 = rig_seal_next(g), r2 = rig_seal_next(g), r3 = rig_seal_next(g);

        rig_accept(g, &r3);
        rig_refuse(g, &r1, -EALREADY);
        rig_refuse(g, &r2, -EALREADY);
        rig_accept(g, &r0); /* current before */
        assert_int_equal(record_rx_epoch(g->rx), 3);
}

static void test_64_ahead_and_no_more(void **state)
{
        struct rig *g   = *state;
        struct rec  r64 = rig_seal_in(g, 64), r65 = rig_seal_next(g), r128, r129;

        rig_refuse(g, &r65, -EBADMSG);
        rig_accept(g, &r64);
        assert_int_equal(record_rx_epoch(g->rx), 64);
        rig_accept(g, &r65);
        r128 = rig_seal_in(g, 128);
        r129 = rig_seal_next(g);
        rig_accept(g, &r129); /* 64 ahead of 65 */
        rig_refuse(g, &r128, -EALREADY);
}

/* Forged claims make it derive; what it derived serves the true records afterwards, in any order. */
static void test_forged_epochs_move_nothing(void **state)
{
        static const uint32_t claims[] = {64, 1, 63, 2, 64, 65, 0xffffff, 10, 1};
        struct rig           *g        = *state;
        struct rec            r0       = rig_seal(g), r;

        for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
                r = rec_forged(claims[i], 0);
                rig_refuse(g, &r, -EBADMSG);
        }
        rig_accept(g, &r0);
        for (uint32_t epoch = 1; epoch < 200; epoch += epoch % 3 + 1) {
                r = rec_forged(epoch + 40, 3);
                rig_refuse(g, &r, -EBADMSG);
                r = rig_seal_in(g, epoch);
                for (size_t bit = 64; bit < 8 * r.len; bit += 50) {
                        struct rec a = rec_altered(&r, bit);

                        rig_refuse(g, &a, -EBADMSG);
                }
                rig_accept(g, &r);
                assert_int_equal(record_rx_epoch(g->rx), epoch);
                rig_refuse(g, &r, -EALREADY);
        }
}

/* The window of a new epoch is new. */
static void test_first_record_of_an_epoch_may_have_any_counter(void **state)
{
        struct rig *g = *state;
        struct rec  first, r, last;

        rig_accept(g, &(struct rec[]){rig_seal(g)}[0]);
        first = rig_seal_next(g);
        r     = rig_seal(g);
        for (int i = 0; i < 4200; i++)
                last = rig_seal(g);
        rig_accept(g, &last);
        rig_refuse(g, &first, -EALREADY);
        rig_refuse(g, &r, -EALREADY);
        assert_int_equal(record_rx_epoch(g->rx), 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                RIG_TEST(test_sender_moves_on_after_an_hour),
                RIG_TEST(test_sender_moves_on_after_records),
                RIG_TEST(test_sender_ends_with_the_last_epoch),
                RIG_TEST(test_previous_epoch_comes_late),
                RIG_TEST(test_previous_epoch_has_its_own_window),
                RIG_TEST(test_previous_epoch_is_dropped_after_ten_seconds),
                RIG_TEST(test_previous_epoch_is_dropped_without_a_record),
                RIG_TEST(test_skipped_epochs_are_refused),
                RIG_TEST(test_64_ahead_and_no_more),
                RIG_TEST(test_forged_epochs_move_nothing),
                RIG_TEST(test_first_record_of_an_epoch_may_have_any_counter),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
