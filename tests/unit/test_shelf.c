/* test_shelf.c - mappings that are laid aside come back by their number, once, and what is too much falls off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "dev/shelf.h"
#include "shm/bell.h"
#include "shm/port.h"

static struct port_ctl *new_mapping(void)
{
        struct bell own = BELL_NONE, peer = BELL_NONE;
        struct port p;
        int         memfd = port_create();

        assert_true(memfd >= 0);
        assert_int_equal(bell_create(&own), 0);
        assert_int_equal(bell_create(&peer), 0);
        assert_int_equal(port_open(&p, memfd, 0, own.own, peer.other), 0);
        close(memfd);
        close(own.other);
        close(own.keeper);
        close(peer.own);
        close(peer.keeper);
        return port_part(&p);
}

static void test_comes_back_once(void **state)
{
        struct shelf     s = {.lock = PTHREAD_MUTEX_INITIALIZER};
        struct port_ctl *a = new_mapping(), *b = new_mapping();

        (void)state;
        shelf_put(&s, 1, a);
        shelf_put(&s, 2, b);
        shelf_put(&s, 3, NULL);
        assert_null(shelf_take(&s, 3));
        assert_ptr_equal(shelf_take(&s, 1), a);
        assert_null(shelf_take(&s, 1));
        assert_ptr_equal(shelf_take(&s, 2), b);
        assert_int_equal(s.n, 0);
        port_unmap(a);
        port_unmap(b);
        port_unmap(NULL);
}

static void test_the_oldest_falls_off(void **state)
{
        struct shelf s = {.lock = PTHREAD_MUTEX_INITIALIZER};

        (void)state;
        for (uint64_t id = 1; id <= SHELF_MAX + 2; id++)
                shelf_put(&s, id, new_mapping());
        assert_null(shelf_take(&s, 1));
        assert_null(shelf_take(&s, 2));
        for (uint64_t id = 3; id <= SHELF_MAX + 2; id++) {
                struct port_ctl *m = shelf_take(&s, id);

                assert_non_null(m);
                port_unmap(m);
        }
}

static void test_forgets(void **state)
{
        struct shelf     s = {.lock = PTHREAD_MUTEX_INITIALIZER};
        struct port_ctl *m = new_mapping();

        (void)state;
        shelf_put(&s, 1, m);
        shelf_forget(&s);
        assert_null(shelf_take(&s, 1));
        port_unmap(m);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_comes_back_once),
                cmocka_unit_test(test_the_oldest_falls_off),
                cmocka_unit_test(test_forgets),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
