/* test_fd.c - owned descriptors, and the limit of open ones. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"

static bool is_open(int fd)
{
        return fcntl(fd, F_GETFD) >= 0;
}

static void test_close_once(void **state)
{
        int fd   = open("/dev/null", O_RDONLY | O_CLOEXEC);
        int copy = fd;

        (void)state;
        assert_true(fd >= 0);
        errno = 77;
        fd_close(&fd);
        assert_int_equal(fd, -1);
        assert_false(is_open(copy));
        fd_close(&fd);
        assert_int_equal(fd, -1);
        fd    = 1 << 20; /* not open: close() fails */
        errno = 77;
        fd_close(&fd);
        assert_int_equal(errno, 77);
}

static void test_close_all(void **state)
{
        int fds[3] = {open("/dev/null", O_RDONLY), -1, open("/dev/null", O_RDONLY)};
        int a = fds[0], b = fds[2];

        (void)state;
        fd_close_all(fds, 3);
        for (int i = 0; i < 3; i++)
                assert_int_equal(fds[i], -1);
        assert_false(is_open(a) || is_open(b));
        fd_close_all(NULL, 0);
}

static void test_dup(void **state)
{
        int fd = open("/dev/null", O_RDONLY);
        int d  = fd_dup(fd);

        (void)state;
        assert_true(d >= 0 && d != fd);
        assert_int_equal(fcntl(d, F_GETFD), FD_CLOEXEC);
        fd_close(&fd);
        assert_true(is_open(d));
        fd_close(&d);
        assert_int_equal(fd_dup(-1), -EBADF);
}

/*
 * In a child: with @soft and @hard in force, raises to @want. Returns whether the limit now and the value
 * returned are @now.
 */
static bool raised(rlim_t soft, rlim_t hard, size_t want, size_t now)
{
        pid_t pid = fork();
        int   status;

        if (pid == 0) {
                struct rlimit lim = {soft, hard};

                if (setrlimit(RLIMIT_NOFILE, &lim) < 0 || (geteuid() == 0 && setuid(65534) < 0))
                        _exit(2);
                if (fd_raise_limit(want) != now || getrlimit(RLIMIT_NOFILE, &lim) < 0)
                        _exit(1);
                _exit(lim.rlim_cur == now ? 0 : 1);
        }
        return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static void test_raise_limit(void **state)
{
        (void)state;
        assert_true(raised(64, 128, 100, 128));
        assert_true(raised(64, 128, 1000, 128)); /* an ordinary user cannot have more */
        assert_true(raised(128, 128, 128, 128));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_close_once),
                cmocka_unit_test(test_close_all),
                cmocka_unit_test(test_dup),
                cmocka_unit_test(test_raise_limit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
