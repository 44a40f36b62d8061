/* test_bell.c - bells: when the owner's end is readable, and that no party can spoil it for another. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "shm/bell.h"

static short events(int fd)
{
        struct pollfd p = {.fd = fd, .events = POLLIN};

        return poll(&p, 1, 0) == 1 ? p.revents : 0;
}

static int set_up(void **state)
{
        static struct bell b;

        *state = &b;
        return bell_create(&b);
}

static int tear_down(void **state)
{
        bell_close(*state);
        return 0;
}

static void test_ends(void **state)
{
        struct bell *b     = *state;
        const int    fds[] = {b->own, b->other, b->keeper};

        for (int i = 0; i < 3; i++) {
                assert_int_equal(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
                assert_true(fcntl(fds[i], F_GETFL) & O_NONBLOCK);
        }
        assert_int_equal(fcntl(b->own, F_GETFL) & O_ACCMODE, O_RDONLY);
}

static void test_ring_and_clear(void **state)
{
        struct bell *b = *state;

        assert_int_equal(events(b->own), 0);
        assert_int_equal(bell_clear(b->own), 0);
        bell_ring(b->other);
        assert_int_equal(events(b->own), POLLIN);
        assert_int_equal(bell_clear(b->own), 1);
        assert_int_equal(events(b->own), 0);
        bell_ring(b->keeper);
        assert_int_equal(events(b->own), POLLIN);
        assert_int_equal(bell_clear(b->own), 1);
        bell_ring_own(b->own);
        assert_int_equal(events(b->own), POLLIN);
        for (int i = 0; i < 10; i++)
                bell_ring(b->other);
        assert_int_equal(bell_clear(b->own), 1); /* all of them */
        assert_int_equal(events(b->own), 0);
}

static void test_full_bell_does_not_block(void **state)
{
        struct bell *b = *state;

        alarm(10);
        for (int i = 0; i < 100000; i++)
                bell_ring(b->other);
        bell_ring(b->keeper);
        bell_ring_own(b->own);
        assert_int_equal(events(b->own), POLLIN);
        for (int i = 0; bell_clear(b->own) == 1; i++)
                assert_true(i < 100000);
        assert_int_equal(events(b->own), 0);
        alarm(0);
}

/* What the other side does to its own description leaves ours as it was. */
static void test_descriptions_are_separate(void **state)
{
        struct bell *b = *state;

        assert_int_equal(fcntl(b->other, F_SETFL, 0), 0);
        assert_true(fcntl(b->own, F_GETFL) & O_NONBLOCK);
        assert_true(fcntl(b->keeper, F_GETFL) & O_NONBLOCK);
}

static void test_ringing_without_owner(void **state)
{
        struct bell *b = *state;

        signal(SIGPIPE, SIG_DFL);
        fd_close(&b->own);
        bell_ring(b->other); /* reads itself: no SIGPIPE */
        signal(SIGPIPE, SIG_IGN);
        fd_close(&b->other);
        bell_ring(b->keeper);
        signal(SIGPIPE, SIG_DFL);
}

static void test_hang_up_when_nobody_is_left(void **state)
{
        struct bell *b = *state;

        fd_close(&b->keeper);
        assert_int_equal(events(b->own), 0);
        fd_close(&b->other);
        assert_int_equal(events(b->own), POLLHUP);
        assert_int_equal(bell_clear(b->own), -EPIPE);
}

static void test_ring_survives_its_ringer(void **state)
{
        struct bell *b = *state;

        bell_ring(b->other);
        fd_close(&b->other);
        fd_close(&b->keeper);
        assert_true(events(b->own) & POLLIN);
        assert_int_equal(bell_clear(b->own), 1);
        assert_int_equal(bell_clear(b->own), -EPIPE);
}

static void test_close_twice(void **state)
{
        struct bell *b = *state;

        bell_close(b);
        assert_int_equal(b->own, -1);
        assert_int_equal(b->other, -1);
        assert_int_equal(b->keeper, -1);
        bell_close(b);
        *b = BELL_NONE;
        bell_close(b);
}

static int lowest_free(void)
{
        int fd = open("/dev/null", O_RDONLY);

        close(fd);
        return fd;
}

/* Fails at the first, second and third descriptor, and keeps none. */
static void test_no_descriptors_left(void **state)
{
        struct rlimit lim, few;

        (void)state;
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &lim), 0);
        for (int spare = 0; spare < 3; spare++) {
                struct bell b;
                int         r;

                few = (struct rlimit){(rlim_t)(lowest_free() + spare), lim.rlim_max};
                assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
                r = bell_create(&b);
                assert_int_equal(setrlimit(RLIMIT_NOFILE, &lim), 0);
                assert_int_equal(r, -EMFILE);
                assert_int_equal(b.own & b.other & b.keeper, -1);
                assert_int_equal((rlim_t)(lowest_free() + spare), few.rlim_cur);
        }
}

/* Rings its own bell as user nobody, and so not as the one who has made it. */
static void ring_own_as_nobody(int own)
{
        int   status = -1;
        pid_t pid    = fork();

        if (pid == 0) {
                /* as after exec: a process that may be looked at by its user */
                if (setgid(65534) < 0 || setuid(65534) < 0 || prctl(PR_SET_DUMPABLE, 1) < 0)
                        _exit(2);
                bell_ring_own(own);
                _exit(0);
        }
        assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
        assert_int_equal(status, 0);
}

static void test_owner_of_another_user(void **state)
{
        struct bell *b = *state;

        if (geteuid() != 0)
                skip();
        ring_own_as_nobody(b->own);
        assert_int_equal(events(b->own), 0);
        assert_int_equal(bell_let_owner_ring(b), 0);
        ring_own_as_nobody(b->own);
        assert_int_equal(events(b->own), POLLIN);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(test_ends),
                TEST(test_ring_and_clear),
                TEST(test_full_bell_does_not_block),
                TEST(test_descriptions_are_separate),
                TEST(test_ringing_without_owner),
                TEST(test_hang_up_when_nobody_is_left),
                TEST(test_ring_survives_its_ringer),
                TEST(test_close_twice),
                cmocka_unit_test(test_no_descriptors_left),
                TEST(test_owner_of_another_user),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
