/*
 * test_secret.c - that memory for keys is what it says: separate, aligned, zeroed, locked, kept out of dumps
 * and children, given back.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "crypt/secret.h"

#include "random.h"

static size_t page_size(void)
{
        return (size_t)sysconf(_SC_PAGESIZE);
}

static void *page_of(const void *p)
{
        return (void *)((uintptr_t)p & ~(uintptr_t)(page_size() - 1));
}

static bool all_are(const void *p, size_t n, uint8_t value)
{
        const uint8_t *b = p;

        for (size_t i = 0; i < n; i++) {
                if (b[i] != value)
                        return false;
        }
        return true;
}

static bool mapped(void *page)
{
        unsigned char resident;

        return mincore(page, page_size(), &resident) == 0;
}

/* A chroot may be without. */
static bool knows_flags(void)
{
        return access("/proc/self/smaps", R_OK) == 0;
}

/* Whether /proc/self/smaps has @flag (" lo", " dd", " wf") for the mapping that @p is in. */
static bool has_flag(const void *p, const char *flag)
{
        FILE         *f = fopen("/proc/self/smaps", "re");
        char          line[512];
        unsigned long from, to;
        bool          here = false, found = false;

        assert_non_null(f);
        while (fgets(line, sizeof(line), f) != NULL) {
                if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
                        here = (uintptr_t)p >= from && (uintptr_t)p < to;
                else if (here && strncmp(line, "VmFlags:", 8) == 0)
                        found = strstr(line, flag) != NULL;
        }
        (void)fclose(f);
        return found;
}

/* -- what an object is ------------------------------------------------------- */

static void test_objects_are_zeroed_aligned_and_apart(void **state)
{
        enum { N = 600 };
        static uint8_t *p[N];
        static size_t   size[N];
        uint64_t        random = 1;

        (void)state;
        for (size_t i = 0; i < N; i++) {
                size[i] = 1 + (size_t)random_below(&random, i % 10 == 0 ? page_size() : 300);
                p[i]    = secret_alloc(size[i]);
                assert_non_null(p[i]);
                assert_int_equal((uintptr_t)p[i] % 64, 0);
                assert_true(all_are(p[i], size[i], 0));
                memset(p[i], (int)(i % 255 + 1), size[i]);
        }
        for (size_t i = 0; i < N; i++) {
                assert_true(all_are(p[i], size[i], (uint8_t)(i % 255 + 1)));
                secret_free(p[i]);
        }
}

static void test_several_objects_share_a_page(void **state)
{
        static const struct {
                size_t size, share;
        } t[] = {{0, 64},   {1, 64},   {64, 64},  {65, 32},  {128, 32},
                 {129, 21}, {1300, 3}, {2048, 2}, {2049, 1}, {4096, 1}};
        void *p[65];

        (void)state;
        if (page_size() != 4096)
                skip();
        for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
                for (size_t k = 0; k <= t[i].share; k++) {
                        p[k] = secret_alloc(t[i].size);
                        assert_non_null(p[k]);
                        assert_int_equal(page_of(p[k]) == page_of(p[0]), k < t[i].share);
                }
                for (size_t k = 0; k <= t[i].share; k++)
                        secret_free(p[k]);
        }
}

static void test_more_than_a_page_is_refused(void **state)
{
        (void)state;
        assert_null(secret_alloc(page_size() + 1));
        assert_null(secret_alloc(SIZE_MAX));
        secret_free(NULL);
}

/* The limit may forbid it, and under a sanitizer mlock() does nothing. */
static bool locking_works(void)
{
        void *mem = mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        bool  works;

        assert_true(mem != MAP_FAILED);
        works = mlock(mem, page_size()) == 0 && has_flag(mem, " lo");
        munmap(mem, page_size());
        return works;
}

static void test_kept_from_swap_dumps_and_children(void **state)
{
        uint8_t *p;

        (void)state;
        if (!knows_flags())
                skip();
        p = secret_alloc(100);
        assert_non_null(p);
        assert_true(has_flag(p, " dd"));
        assert_true(has_flag(p, " wf"));
        assert_int_equal(has_flag(p, " lo"), locking_works());
        secret_free(p);
}

static void test_a_limit_on_locking_is_no_failure(void **state)
{
        pid_t child = fork();
        int   status;

        (void)state;
        if (child == 0) {
                struct rlimit none = {0, 0};
                uint8_t      *p;

                if (setrlimit(RLIMIT_MEMLOCK, &none) < 0)
                        _exit(1);
                p = secret_alloc(64);
                _exit(p != NULL && all_are(p, 64, 0) ? 0 : 2);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
}

/* -- giving back ------------------------------------------------------------- */

static void test_wipe(void **state)
{
        uint8_t buf[100];

        (void)state;
        memset(buf, 0xaa, sizeof(buf));
        secret_wipe(buf + 1, 98);
        assert_true(buf[0] == 0xaa && buf[99] == 0xaa && all_are(buf + 1, 98, 0));
        secret_wipe(buf, 0);
        assert_int_equal(buf[0], 0xaa);
}

static void test_free_wipes(void **state)
{
        uint8_t *neighbour = secret_alloc(200);
        uint8_t *p         = secret_alloc(200);

        (void)state;
        assert_ptr_equal(page_of(p), page_of(neighbour));
        memset(p, 0xaa, 200);
        memset(neighbour, 0xbb, 200);
        secret_free(p);
        assert_true(all_are(p, 200, 0)); /* the page is still there for its neighbour */
        assert_true(all_are(neighbour, 200, 0xbb));
        secret_free(neighbour);
}

static void test_room_is_used_again(void **state)
{
        void *a = secret_alloc(1024), *b = secret_alloc(1024), *c;

        (void)state;
        secret_free(a);
        c = secret_alloc(1024);
        assert_ptr_equal(c, a);
        secret_free(b);
        secret_free(c);
}

/* All but a few, which are kept for what comes next. */
static void test_empty_pages_go(void **state)
{
        enum { N = 20, KEPT = 4 };
        void *p[N];
        int   left = 0;

        (void)state;
        for (size_t i = 0; i < N; i++) {
                p[i] = secret_alloc(page_size());
                assert_non_null(p[i]);
        }
        for (size_t i = 0; i < N; i++) {
                memset(p[i], 0xaa, page_size());
                secret_free(p[i]);
        }
        for (size_t i = 0; i < N; i++)
                left += mapped(p[i]);
        assert_in_range(left, 1, KEPT);
}

static void test_kept_pages_are_zeros_of_any_size(void **state)
{
        (void)state;
        for (size_t n = 1; n <= page_size(); n *= 2) {
                uint8_t *p = secret_alloc(n);

                assert_true(all_are(p, n, 0));
                memset(p, 0xaa, n);
                secret_free(p);
        }
}

static void test_objects_that_share_stay_whole_in_any_order(void **state)
{
        enum { N = 200, ROUNDS = 20000 };
        static uint8_t *p[N];
        uint64_t        random = 2;

        (void)state;
        for (int r = 0; r < ROUNDS; r++) {
                size_t i = (size_t)random_below(&random, N);
                size_t n = 40 + i * 5;

                if (p[i] != NULL) {
                        assert_true(all_are(p[i], n, (uint8_t)(i + 1)));
                        secret_free(p[i]);
                        p[i] = NULL;
                } else {
                        p[i] = secret_alloc(n);
                        assert_non_null(p[i]);
                        assert_true(all_are(p[i], n, 0));
                        memset(p[i], (int)i + 1, n);
                }
        }
        for (size_t i = 0; i < N; i++)
                secret_free(p[i]);
}

/* -- fork --------------------------------------------------------------------- */

/* What a child finds wrong, as its exit code. The parent left @p full of 0xaa, with room beside it. */
static int be_child(uint8_t *p)
{
        void    *page = page_of(p);
        uint8_t *q;

        if (!all_are(p, 200, 0))
                return 1;
        q = secret_alloc(200);
        if (q == NULL || !all_are(q, 200, 0))
                return 2;
        if (page_of(q) == page)
                return 3; /* it is not locked here */
        if (knows_flags() && locking_works() && !has_flag(q, " lo"))
                return 4;
        memset(q, 0xbb, 200);
        secret_free(p);
        if (mapped(page))
                return 5;
        if (!all_are(q, 200, 0xbb))
                return 6;
        secret_free(q);
        return 0;
}

static void test_child_sees_zeros_and_can_go_on(void **state)
{
        uint8_t *p = secret_alloc(200);
        pid_t    child;
        int      status;

        (void)state;
        memset(p, 0xaa, 200);
        child = fork();
        if (child == 0)
                _exit(be_child(p));
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        assert_true(all_are(p, 200, 0xaa));
        secret_free(p);
}

/* A page that was full when the process forked has room in the child, and is not for use all the same. */
static void test_child_does_not_fill_full_pages(void **state)
{
        void *a = secret_alloc(2048), *b = secret_alloc(2048);
        pid_t child;
        int   status;

        (void)state;
        assert_ptr_equal(page_of(a), page_of(b));
        child = fork();
        if (child == 0) {
                void *c;

                secret_free(a);
                c = secret_alloc(2048);
                secret_free(b);
                _exit(c != NULL && page_of(c) != page_of(a) && !mapped(page_of(a)) ? 0 : 1);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        secret_free(a);
        secret_free(b);
}

/* -- threads ------------------------------------------------------------------ */

struct busy {
        pthread_t thread;
        uint64_t  random;
        bool      ok;
};

static void *take_and_give(void *arg)
{
        struct busy *b       = arg;
        uint8_t     *held[8] = {NULL};

        b->ok = true;
        for (int i = 0; i < 4000; i++) {
                size_t k = (size_t)random_below(&b->random, 8);
                size_t n = 1 + (size_t)random_below(&b->random, 1500);

                secret_free(held[k]);
                held[k] = secret_alloc(n);
                if (held[k] == NULL || !all_are(held[k], n, 0))
                        b->ok = false;
                else
                        memset(held[k], 0xcc, n);
        }
        for (size_t k = 0; k < 8; k++)
                secret_free(held[k]);
        return NULL;
}

/* Forks while other threads hold the lock as likely as not. */
static bool fork_meanwhile(void)
{
        for (int i = 0; i < 20; i++) {
                pid_t child = fork();
                int   status;

                if (child == 0) {
                        alarm(20);
                        secret_free(secret_alloc(100));
                        _exit(0);
                }
                if (waitpid(child, &status, 0) != child || status != 0)
                        return false;
        }
        return true;
}

static void test_threads_and_forks(void **state)
{
        struct busy b[3];
        bool        forks;

        (void)state;
        for (size_t i = 0; i < 3; i++) {
                b[i].random = i;
                assert_int_equal(pthread_create(&b[i].thread, NULL, take_and_give, &b[i]), 0);
        }
        forks = fork_meanwhile();
        for (size_t i = 0; i < 3; i++) {
                pthread_join(b[i].thread, NULL);
                assert_true(b[i].ok);
        }
        assert_true(forks);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_objects_are_zeroed_aligned_and_apart),
                cmocka_unit_test(test_several_objects_share_a_page),
                cmocka_unit_test(test_more_than_a_page_is_refused),
                cmocka_unit_test(test_kept_from_swap_dumps_and_children),
                cmocka_unit_test(test_a_limit_on_locking_is_no_failure),
                cmocka_unit_test(test_wipe),
                cmocka_unit_test(test_free_wipes),
                cmocka_unit_test(test_room_is_used_again),
                cmocka_unit_test(test_empty_pages_go),
                cmocka_unit_test(test_kept_pages_are_zeros_of_any_size),
                cmocka_unit_test(test_objects_that_share_stay_whole_in_any_order),
                cmocka_unit_test(test_child_sees_zeros_and_can_go_on),
                cmocka_unit_test(test_child_does_not_fill_full_pages),
                cmocka_unit_test(test_threads_and_forks),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
