/*
 * test_keep.c - what irmd keeps of ports: memory comes back to the same two processes and to nobody else, new again, and never after a side has died.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "keep.h"
#include "shm/port.h"

struct fixture {
        struct limits  limits;
        struct quotas *quotas;
        struct quota  *payer;
        struct keeps   keeps;
};

static const uint64_t ab[2] = {1, 2};

static int setup(void **state)
{
        struct fixture *x = calloc(1, sizeof(*x));

        x->limits = (struct limits){.bytes_per_user = 3 * PORT_SIZE, .connections_per_user = 1};
        x->quotas = quotas_create(&x->limits);
        keeps_init(&x->keeps, x->quotas, 600);
        *state = x;
        return quota_connect(x->quotas, 7, &x->payer);
}

static int teardown(void **state)
{
        struct fixture *x = *state;

        keeps_fini(&x->keeps);
        assert_int_equal(x->keeps.aside, 0);
        assert_int_equal(x->keeps.with_bells, 0);
        quota_disconnect(x->quotas, x->payer);
        quotas_destroy(x->quotas);
        free(x);
        return 0;
}

static int create(struct fixture *x, const uint64_t serial[2], struct keep **k)
{
        struct bell none = BELL_NONE;

        return keep_create(k, &x->keeps, x->payer, serial, &none);
}

/* Both sides get their descriptors, as by messages to two processes. */
static void hand_out(struct fixture *x, struct keep *k, struct port p[2])
{
        for (unsigned side = 0; side < 2; side++) {
                int fds[3];

                keep_fds(k, side, fds);
                assert_int_equal(port_open(&p[side], fds[0], side, fd_dup(fds[2]), fd_dup(fds[1])), 0);
                keep_handed(k, &x->keeps, side);
        }
}

static void part(struct fixture *x, struct keep *k, struct port p[2])
{
        for (unsigned side = 0; side < 2; side++) {
                port_close(&p[side]);
                assert_true(keep_look(k)->ended[side]);
                keep_over(k, &x->keeps, side, true);
        }
}

static uint64_t live_and_part(struct fixture *x, const uint64_t serial[2])
{
        struct keep *k;
        struct port  p[2];
        uint64_t     id;

        assert_int_equal(create(x, serial, &k), 0);
        hand_out(x, k, p);
        assert_int_equal(port_write(&p[0], "hello", 5), 0); /* and nobody reads it */
        id = k->port_id;
        part(x, k, p);
        return id;
}

static void test_comes_back_to_the_same_two(void **state)
{
        struct fixture *x     = *state;
        const uint64_t  ba[2] = {2, 1}, ac[2] = {1, 3};
        uint64_t        id = live_and_part(x, ab);

        assert_int_equal(x->keeps.aside, 1);
        assert_int_not_equal(live_and_part(x, ac), id);
        assert_int_not_equal(live_and_part(x, ba), id);
        assert_int_equal(live_and_part(x, ab), id);
}

static void test_comes_back_new(void **state)
{
        struct fixture *x = *state;
        struct keep    *k;
        struct port     p[2];
        const uint8_t  *msg;
        size_t          len;

        live_and_part(x, ab);
        assert_int_equal(create(x, ab, &k), 0);
        hand_out(x, k, p);
        assert_int_equal(port_peer(&p[0]), PORT_OPEN);
        assert_int_equal(port_peer(&p[1]), PORT_OPEN);
        assert_int_equal(port_peek(&p[1], &msg, &len), -EAGAIN);
        assert_int_equal(port_write(&p[0], "again", 5), 0);
        assert_int_equal(port_peek(&p[1], &msg, &len), 0);
        assert_memory_equal(msg, "again", 5);
        part(x, k, p);
}

static void test_not_after_a_death(void **state)
{
        struct fixture *x = *state;
        struct keep    *k;
        struct port     p[2];

        assert_int_equal(create(x, ab, &k), 0);
        hand_out(x, k, p);
        keep_over(k, &x->keeps, 0, false);
        assert_int_equal(port_peer(&p[1]), PORT_DIED);
        keep_over(k, &x->keeps, 1, true);
        assert_int_equal(x->keeps.aside, 0);
        port_close(&p[0]);
        port_close(&p[1]);
}

/* The layer has gone while the processes still use the memory. */
static void test_not_after_the_layer_has_gone(void **state)
{
        struct fixture *x = *state;
        struct keep    *k;
        struct port     p[2];

        assert_int_equal(create(x, ab, &k), 0);
        hand_out(x, k, p);
        keep_down(k);
        for (unsigned side = 0; side < 2; side++) {
                struct pollfd pfd = {.fd = p[side].bell, .events = POLLIN};

                assert_int_equal(port_peer(&p[side]), PORT_DIED);
                assert_int_equal(poll(&pfd, 1, 0), 1);
        }
        part(x, k, p);
        assert_int_equal(x->keeps.aside, 0);
}

/* Who was never given the port has not parted from it; the other side is told. */
static void test_not_when_a_side_never_had_it(void **state)
{
        struct fixture *x = *state;
        struct keep    *k;
        struct port     server;
        int             fds[3];

        assert_int_equal(create(x, ab, &k), 0);
        keep_fds(k, 1, fds);
        assert_int_equal(port_open(&server, fds[0], 1, fd_dup(fds[2]), fd_dup(fds[1])), 0);
        keep_handed(k, &x->keeps, 1);
        keep_over(k, &x->keeps, 0, true);
        assert_int_equal(port_peer(&server), PORT_DIED);
        port_close(&server);
        keep_over(k, &x->keeps, 1, true);
        assert_int_equal(x->keeps.aside, 0);
}

static void test_not_when_much_was_used(void **state)
{
        static uint8_t  big[PORT_MSG_MAX];
        struct fixture *x = *state;
        struct keep    *k;
        struct port     p[2];

        assert_int_equal(create(x, ab, &k), 0);
        hand_out(x, k, p);
        assert_int_equal(port_write(&p[0], big, sizeof(big)), 0);
        part(x, k, p);
        assert_int_equal(x->keeps.aside, 0);
}

static void test_given_up_when_a_process_goes(void **state)
{
        struct fixture *x     = *state;
        const uint64_t  cb[2] = {3, 2};
        uint64_t        id    = live_and_part(x, ab);
        uint64_t        other = live_and_part(x, cb);

        keeps_forget(&x->keeps, 1);
        assert_int_equal(x->keeps.aside, 1);
        assert_int_not_equal(live_and_part(x, ab), id);
        assert_int_equal(live_and_part(x, cb), other);
        keeps_forget(&x->keeps, 2);
        assert_int_equal(x->keeps.aside, 0);
}

/* What is set aside is charged, but gives way. */
static void test_given_up_when_the_user_needs_the_bytes(void **state)
{
        struct fixture *x = *state;
        struct keep    *k[4];

        for (uint64_t i = 0; i < 3; i++)
                live_and_part(x, (const uint64_t[]){10 + i, 20});
        assert_int_equal(x->keeps.aside, 3);
        for (uint64_t i = 0; i < 3; i++)
                assert_int_equal(create(x, (const uint64_t[]){30 + i, 40}, &k[i]), 0);
        assert_int_equal(x->keeps.aside, 0);
        assert_int_equal(create(x, ab, &k[3]), -EUSERS);
        for (int i = 0; i < 3; i++) {
                keep_over(k[i], &x->keeps, 0, false);
                keep_over(k[i], &x->keeps, 1, false);
        }
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                EACH(test_comes_back_to_the_same_two),
                EACH(test_comes_back_new),
                EACH(test_not_after_a_death),
                EACH(test_not_after_the_layer_has_gone),
                EACH(test_not_when_a_side_never_had_it),
                EACH(test_not_when_much_was_used),
                EACH(test_given_up_when_a_process_goes),
                EACH(test_given_up_when_the_user_needs_the_bytes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
