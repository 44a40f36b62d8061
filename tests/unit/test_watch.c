/* test_watch.c - every way in which credentials are replaced is noticed, and a burst of changes once. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "watch.h"

struct fixture {
        uv_loop_t     loop;
        uv_timer_t    limit;
        struct watch *watch;
        char          dir[64];
        int           changes;
        bool          over;
};

static void shell(const struct fixture *x, const char *commands)
{
        char line[512];

        snprintf(line, sizeof(line), "cd %s && { %s; }", x->dir, commands);
        assert_int_equal(system(line), 0);
}

static void changed(void *ctx)
{
        struct fixture *x = ctx;

        x->changes++;
        uv_stop(&x->loop);
}

static void limit_over(uv_timer_t *t)
{
        struct fixture *x = t->data;

        x->over = true;
        uv_stop(&x->loop);
}

/* Whether a change is noticed within @ms. */
static bool notices(struct fixture *x, uint64_t ms)
{
        int before = x->changes;

        x->over = false;
        uv_timer_start(&x->limit, limit_over, ms, 0);
        while (x->changes == before && !x->over)
                uv_run(&x->loop, UV_RUN_DEFAULT);
        return x->changes > before;
}

static int setup(void **state)
{
        struct fixture *x = calloc(1, sizeof(*x));

        strcpy(x->dir, "/tmp/watch.XXXXXX");
        if (mkdtemp(x->dir) == NULL)
                return -1;
        uv_loop_init(&x->loop);
        uv_timer_init(&x->loop, &x->limit);
        x->limit.data = x;
        shell(x, "mkdir -p security/server/a security/cacert && echo 1 > security/server/a/cert");
        x->watch = watch_open(&x->loop, changed, x);
        watch_tree(x->watch, x->dir);
        *state = x;
        return 0;
}

static int teardown(void **state)
{
        struct fixture *x = *state;

        shell(x, "rm -r security; cd ..; rm -r \"$OLDPWD\"");
        watch_close(x->watch);
        uv_close((uv_handle_t *)&x->limit, NULL);
        uv_run(&x->loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&x->loop), 0);
        free(x);
        return 0;
}

static void test_ways_of_replacing(void **state)
{
        static const char *const ways[] = {
                "echo 2 > security/server/a/cert",
                "echo 3 > new; mv new security/server/a/cert",
                "rm security/server/a/cert",
                "mkdir security/server/b",
                "chmod 600 security/server/a",
                "mv security/server security/old",
                "echo x > security/enc.cfg",
                "echo x > security/cacert/ca.pem",
                "mv security gone",
                "mv gone security",
        };
        struct fixture *x = *state;

        for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
                shell(x, ways[i]);
                if (!notices(x, 5000))
                        fail_msg("not noticed: %s", ways[i]);
                watch_tree(x->watch, x->dir); /* as before each reading */
        }
}

/* Kubernetes mounts files as links to ..data/FILE, and swaps the link ..data. */
static void test_links_swapped(void **state)
{
        struct fixture *x = *state;

        shell(x,
              "cd security/server/a; mkdir ..1 ..2; echo 1 > ..1/cert; echo 2 > ..2/cert; ln -s ..1 ..data; "
              "ln -sf ..data/cert cert");
        assert_true(notices(x, 5000));
        watch_tree(x->watch, x->dir);
        shell(x, "cd security/server/a; ln -s ..2 ..new; mv -T ..new ..data");
        assert_true(notices(x, 5000));
}

static void test_burst_is_one_change(void **state)
{
        struct fixture *x = *state;

        shell(x, "for i in 1 2 3 4 5 6 7 8; do echo $i > security/server/a/cert; done");
        assert_true(notices(x, 5000));
        assert_false(notices(x, 600));
        assert_int_equal(x->changes, 1);
}

/* Without anything there, the first that comes is noticed. */
static void test_from_nothing(void **state)
{
        struct fixture *x = *state;

        shell(x, "rm -r security");
        assert_true(notices(x, 5000));
        watch_tree(x->watch, x->dir);
        shell(x, "mkdir security");
        assert_true(notices(x, 5000));
        watch_tree(x->watch, x->dir);
        shell(x, "mkdir security/server");
        assert_true(notices(x, 5000));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_ways_of_replacing, setup, teardown),
                cmocka_unit_test_setup_teardown(test_links_swapped, setup, teardown),
                cmocka_unit_test_setup_teardown(test_burst_is_one_change, setup, teardown),
                cmocka_unit_test_setup_teardown(test_from_nothing, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
