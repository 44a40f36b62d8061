/* test_fset.c - sets of flows and their events. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include <ouroboros/dev.h>
#include <ouroboros/errno.h>
#include <ouroboros/fccntl.h>
#include <ouroboros/fqueue.h>

#include "base/clock.h"
#include "dev/process.h"
#include "pair.h"
#include "shm/bell.h"

struct fixture {
        int       fd[2];
        int       memfd;
        fset_t   *set;
        fqueue_t *fq;
};

static int setup(void **state)
{
        struct fixture *f = calloc(1, sizeof(*f));

        *state = f;
        f->set = fset_create();
        f->fq  = fqueue_create();
        return f->set == NULL || f->fq == NULL ? -1 : pair_create(f->fd, &f->memfd);
}

static int teardown(void **state)
{
        struct fixture *f = *state;

        flow_dealloc(f->fd[0]);
        flow_dealloc(f->fd[1]);
        fset_destroy(f->set);
        fqueue_destroy(f->fq);
        close(f->memfd);
        free(f);
        return 0;
}

static const struct timespec at_once = {0, 0};

/* The events that are there: exactly one, of @type for @fd. */
static void assert_event(struct fixture *f, int fd, enum fqtype type)
{
        assert_int_equal(fevent(f->set, f->fq, NULL), 1);
        assert_int_equal(fqueue_next(f->fq), fd);
        assert_int_equal(fqueue_type(f->fq), type);
        assert_int_equal(fqueue_next(f->fq), -EPERM);
}

static void assert_no_event(struct fixture *f)
{
        assert_int_equal(fevent(f->set, f->fq, &at_once), -ETIMEDOUT);
        assert_int_equal(fqueue_next(f->fq), -EPERM);
}

static void test_membership(void **state)
{
        struct fixture *f = *state;

        assert_false(fset_has(f->set, f->fd[0]));
        assert_int_equal(fset_add(f->set, f->fd[0]), 0);
        assert_int_equal(fset_add(f->set, f->fd[0]), 0);
        assert_true(fset_has(f->set, f->fd[0]));
        assert_false(fset_has(f->set, f->fd[1]));
        fset_del(f->set, f->fd[0]);
        fset_del(f->set, f->fd[0]);
        assert_false(fset_has(f->set, f->fd[0]));
        assert_int_equal(fset_add(f->set, f->fd[0]), 0);
        assert_int_equal(fset_add(f->set, f->fd[1]), 0);
        fset_zero(f->set);
        assert_false(fset_has(f->set, f->fd[0]));
        assert_false(fset_has(f->set, f->fd[1]));
}

static void test_what_cannot_be_a_member(void **state)
{
        struct fixture *f = *state;

        assert_int_equal(fset_add(f->set, -1), -EBADF);
        assert_int_equal(fset_add(f->set, f->memfd), -EBADF);
        assert_int_equal(fset_add(NULL, f->fd[0]), -EINVAL);
        assert_false(fset_has(f->set, -1));
        assert_false(fset_has(NULL, f->fd[0]));
        fset_del(f->set, -1);
        fset_del(NULL, 0);
        fset_zero(NULL);
        fset_destroy(NULL);
        fqueue_destroy(NULL);
        assert_int_equal(fset_fd(NULL), -EINVAL);
        assert_int_equal(fqueue_next(NULL), -EINVAL);
        assert_int_equal(fevent(NULL, f->fq, &at_once), -EINVAL);
        assert_int_equal(fevent(f->set, NULL, &at_once), -EINVAL);
        assert_int_equal(fevent(f->set, f->fq, &(struct timespec){0, -1}), -EINVAL);
}

static void test_packets_are_reported_while_they_are_there(void **state)
{
        struct fixture *f = *state;

        fset_add(f->set, f->fd[0]);
        fset_add(f->set, f->fd[1]);
        assert_no_event(f);
        flow_write(f->fd[0], "abcd", 4);
        assert_event(f, f->fd[1], FLOW_PKT);
        assert_event(f, f->fd[1], FLOW_PKT);
        flow_read(f->fd[1], (char[2]){0}, 2);
        assert_event(f, f->fd[1], FLOW_PKT); /* the other half */
        flow_read(f->fd[1], (char[2]){0}, 2);
        assert_no_event(f);
}

static void test_the_end_is_reported_after_the_last_packet(void **state)
{
        struct fixture *f = *state;

        fset_add(f->set, f->fd[1]);
        flow_write(f->fd[0], "last", 4);
        flow_dealloc(f->fd[0]);
        assert_event(f, f->fd[1], FLOW_PKT);
        flow_read(f->fd[1], (char[4]){0}, 4);
        assert_event(f, f->fd[1], FLOW_DOWN);
        assert_event(f, f->fd[1], FLOW_DOWN);
        flow_dealloc(f->fd[1]);
        assert_no_event(f);
}

static void test_a_death_is_an_end(void **state)
{
        struct fixture *f = *state;

        fset_add(f->set, f->fd[1]);
        port_bury(f->memfd, 0, process_slot(f->fd[0])->port.peer_bell);
        assert_event(f, f->fd[1], FLOW_DOWN);
}

static void test_a_broken_flow_is_down(void **state)
{
        struct fixture *f   = *state;
        const uint64_t  lie = UINT64_MAX;

        fset_add(f->set, f->fd[1]);
        flow_write(f->fd[0], "x", 1);
        assert_int_equal(pwrite(f->memfd, &lie, sizeof(lie), 0), sizeof(lie)); /* head of ring 0 */
        assert_event(f, f->fd[1], FLOW_DOWN);
        assert_event(f, f->fd[1], FLOW_DOWN);
        assert_int_equal(flow_read(f->fd[1], (char[1]){0}, 1), -EFLOWDOWN);
}

static void test_a_ring_without_a_packet_is_no_event(void **state)
{
        struct fixture *f = *state;
        struct pollfd   pfd;

        fset_add(f->set, f->fd[1]);
        pfd = (struct pollfd){.fd = fset_fd(f->set), .events = POLLIN};
        bell_ring(process_slot(f->fd[0])->port.peer_bell);
        assert_int_equal(poll(&pfd, 1, 0), 1);
        assert_int_equal(fevent(f->set, f->fq, &(struct timespec){0, 2000000}), -ETIMEDOUT);
        assert_int_equal(poll(&pfd, 1, 0), 0);
        flow_write(f->fd[0], "x", 1);
        assert_event(f, f->fd[1], FLOW_PKT);
}

static void test_timeouts(void **state)
{
        struct fixture *f     = *state;
        int64_t         start = clock_now_ns();

        assert_int_equal(fevent(f->set, f->fq, &(struct timespec){0, 20000000}), -ETIMEDOUT);
        assert_true(clock_now_ns() - start >= 20 * NS_PER_MS);
}

static void test_dealloc_leaves_all_sets(void **state)
{
        struct fixture *f     = *state;
        fset_t         *other = fset_create();
        int             again[2];

        fset_add(f->set, f->fd[1]);
        fset_add(other, f->fd[1]);
        flow_write(f->fd[0], "x", 1);
        flow_dealloc(f->fd[1]);
        assert_false(fset_has(f->set, f->fd[1]));
        assert_false(fset_has(other, f->fd[1]));
        flow_dealloc(f->fd[0]);
        assert_int_equal(pair_create(again, NULL), 0);
        assert_false(fset_has(f->set, again[0]));
        assert_false(fset_has(f->set, again[1]));
        flow_write(again[0], "x", 1);
        flow_write(again[1], "x", 1);
        assert_no_event(f);
        fset_destroy(other);
        flow_dealloc(again[0]);
        flow_dealloc(again[1]);
}

/*
 * Of two events in the queue the first makes the program end the flow of the second, and a new flow gets its
 * number.
 */
static void test_the_queue_forgets_flows_that_end(void **state)
{
        struct fixture *f = *state;
        int             gone;
        int             again[2];

        fset_add(f->set, f->fd[0]);
        fset_add(f->set, f->fd[1]);
        flow_write(f->fd[0], "x", 1);
        flow_write(f->fd[1], "x", 1);
        assert_int_equal(fevent(f->set, f->fq, NULL), 2);
        gone = fqueue_next(f->fq) == f->fd[0] ? f->fd[1] : f->fd[0];
        flow_dealloc(gone);
        assert_int_equal(pair_create(again, NULL), 0);
        assert_int_equal(fqueue_next(f->fq), -EPERM);
        flow_dealloc(again[0]);
        flow_dealloc(again[1]);
}

/* More than one fevent() gives: the rest comes with the next ones, and nobody is starved. */
static void test_many(void **state)
{
        enum { N = 300 };
        struct fixture *f = *state;
        static int      fd[N][2];
        int             seen   = 0;
        int             rounds = 0;
        int             r;

        for (int i = 0; i < N; i++) {
                assert_int_equal(pair_create(fd[i], NULL), 0);
                fset_add(f->set, fd[i][1]);
                flow_write(fd[i][0], "x", 1);
        }
        for (; seen < N; rounds++) {
                assert_true(fevent(f->set, f->fq, NULL) > 0);
                while ((r = fqueue_next(f->fq)) >= 0) {
                        assert_int_equal(flow_read(r, (char[1]){0}, 1), 1);
                        seen++;
                }
        }
        assert_in_range(rounds, 1, 5);
        assert_no_event(f);
        for (int i = 0; i < N; i++) {
                flow_dealloc(fd[i][0]);
                flow_dealloc(fd[i][1]);
        }
}

#define test(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                test(membership),
                test(what_cannot_be_a_member),
                test(packets_are_reported_while_they_are_there),
                test(the_end_is_reported_after_the_last_packet),
                test(a_death_is_an_end),
                test(a_broken_flow_is_down),
                test(a_ring_without_a_packet_is_no_event),
                test(timeouts),
                test(dealloc_leaves_all_sets),
                test(the_queue_forgets_flows_that_end),
                test(many),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
