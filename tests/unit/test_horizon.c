/* test_horizon.c - what is kept is what is read after the next start, and damage is no value. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "horizon.h"

static char dir[64], path[96];

static int setup(void **state)
{
        (void)state;
        strcpy(dir, "/tmp/horizon.XXXXXX");
        if (mkdtemp(dir) == NULL)
                return -1;
        snprintf(path, sizeof(path), "%s/horizon", dir);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        unlink(path);
        return rmdir(dir);
}

static void test_first_start(void **state)
{
        int64_t     ns = -1;
        bool        first;
        struct stat st;
        int         fd = horizon_open(dir, &ns, &first);

        (void)state;
        assert_true(fd >= 0);
        assert_true(first);
        assert_int_equal(ns, 0);
        assert_int_equal(fstat(fd, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        close(fd);
}

static void test_kept(void **state)
{
        static const int64_t values[] = {1, 1700000000123456789, INT64_MAX, 42};
        int64_t              ns;
        bool                 first;

        (void)state;
        for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
                int fd = horizon_open(dir, &ns, &first);

                assert_int_equal(first, i == 0);
                assert_int_equal(horizon_keep(fd, values[i]), 0);
                close(fd);
                fd = horizon_open(dir, &ns, &first);
                assert_false(first);
                assert_int_equal(ns, values[i]);
                close(fd);
        }
}

/* A start between the making of the file and its first value is no first start, and has no value. */
static void test_damaged(void **state)
{
        static const char *const texts[] = {"",
                                            "\n",
                                            "123\n",
                                            "000000000000000x123\n",
                                            "-000000000000000123\n",
                                            "0000000000000000000\n",
                                            "00000000000000001234"};
        int64_t                  ns;
        bool                     first;

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

                assert_int_equal(write(fd, texts[i], strlen(texts[i])), strlen(texts[i]));
                close(fd);
                fd = horizon_open(dir, &ns, &first);
                assert_true(fd >= 0);
                assert_false(first);
                assert_int_equal(ns, 0);
                close(fd);
        }
}

static void test_no_place(void **state)
{
        int64_t ns;
        bool    first;

        (void)state;
        assert_int_equal(horizon_open("/nonexistent/state", &ns, &first), -ENOENT);
        assert_int_equal(symlink("/dev/null", path), 0);
        assert_int_equal(horizon_open(dir, &ns, &first), -ELOOP);
}

static void test_cannot_be_kept(void **state)
{
        int fd = open("/dev/full", O_WRONLY);

        (void)state;
        assert_true(fd >= 0);
        assert_true(horizon_keep(fd, 1) < 0);
        close(fd);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_first_start, setup, teardown),
                cmocka_unit_test_setup_teardown(test_kept, setup, teardown),
                cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
                cmocka_unit_test_setup_teardown(test_no_place, setup, teardown),
                cmocka_unit_test(test_cannot_be_kept),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
