/* test_wiping.c - memory that protobuf-c gives back holds nothing any more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pb/irm.pb-c.h"
#include "pb/wiping.h"

/*
 * Every block goes through __wrap_free(), which looks for the secret in it just before it is free. Blocks are
 * found by their place in a list, since free() is not told a size.
 */
#define BLOCKS_MAX 64
#define SECRET     "forty-eight bytes that nobody else should ever see"

static struct {
        void  *p;
        size_t size;
} blocks[BLOCKS_MAX];

static size_t n_freed;
static size_t n_leaks;
static size_t fail_at; /* the allocation that fails, counted down; 0: none */

void *__real_malloc(size_t size);
void  __real_free(void *p);
void *__wrap_malloc(size_t size);
void  __wrap_free(void *p);

void *__wrap_malloc(size_t size)
{
        void *p = fail_at == 1 ? NULL : __real_malloc(size);

        if (fail_at > 0)
                fail_at--;
        for (size_t i = 0; p != NULL && i < BLOCKS_MAX; i++) {
                if (blocks[i].p == NULL) {
                        blocks[i].p    = p;
                        blocks[i].size = size;
                        break;
                }
        }
        return p;
}

void __wrap_free(void *p)
{
        for (size_t i = 0; p != NULL && i < BLOCKS_MAX; i++) {
                if (blocks[i].p != p)
                        continue;
                n_freed++;
                n_leaks += memmem(p, blocks[i].size, "nobody else", 11) != NULL;
                blocks[i].p = NULL;
        }
        __real_free(p);
}

static size_t pack(uint8_t *buf)
{
        Irm__FlowUp up    = IRM__FLOW_UP__INIT;
        Irm__Reply  reply = IRM__REPLY__INIT;

        up.layer            = (char *)"house";
        up.suite            = 1;
        up.send_secret.data = (uint8_t *)SECRET;
        up.send_secret.len  = sizeof(SECRET);
        up.recv_secret      = up.send_secret;
        reply.body_case     = IRM__REPLY__BODY_FLOW_UP;
        reply.flow_up       = &up;
        return irm__reply__pack(&reply, buf);
}

static int setup(void **state)
{
        (void)state;
        memset(blocks, 0, sizeof(blocks));
        n_freed = n_leaks = fail_at = 0;
        return 0;
}

static void test_what_was_unpacked(void **state)
{
        uint8_t     buf[512];
        Irm__Reply *m = irm__reply__unpack(&pb_wiping, pack(buf), buf);

        (void)state;
        assert_non_null(m);
        assert_string_equal(m->flow_up->send_secret.data, SECRET);
        irm__reply__free_unpacked(m, &pb_wiping);
        assert_true(n_freed >= 5);
        assert_int_equal(n_leaks, 0);
}

/* The test would see a secret if there was one. */
static void test_the_ordinary_allocator_leaves_them(void **state)
{
        void *p = __wrap_malloc(sizeof(SECRET));

        (void)state;
        memcpy(p, SECRET, sizeof(SECRET));
        __wrap_free(p);
        assert_int_equal(n_leaks, 1);
}

static void test_what_was_unpacked_in_part(void **state)
{
        uint8_t buf[512];
        size_t  len = pack(buf);

        (void)state;
        for (size_t n = 0; n < len; n++) {
                Irm__Reply *m = irm__reply__unpack(&pb_wiping, n, buf);

                if (m != NULL)
                        irm__reply__free_unpacked(m, &pb_wiping);
        }
        assert_int_equal(n_leaks, 0);
}

static void test_memory_that_is_short(void **state)
{
        uint8_t     buf[512];
        size_t      len = pack(buf);
        Irm__Reply *m   = NULL;

        (void)state;
        for (size_t i = 1; m == NULL; i++) {
                fail_at = i;
                m       = irm__reply__unpack(&pb_wiping, len, buf);
        }
        fail_at = 0;
        irm__reply__free_unpacked(m, &pb_wiping);
        assert_int_equal(n_leaks, 0);
}

static void test_the_edges(void **state)
{
        uint8_t *p = pb_wiping.alloc(NULL, 0);

        (void)state;
        assert_non_null(p);
        pb_wiping.free(NULL, p);
        pb_wiping.free(NULL, NULL);
        assert_null(pb_wiping.alloc(NULL, SIZE_MAX));
        p = pb_wiping.alloc(NULL, 3);
        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
        pb_wiping.free(NULL, p);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_what_was_unpacked, setup),
                cmocka_unit_test_setup(test_the_ordinary_allocator_leaves_them, setup),
                cmocka_unit_test_setup(test_what_was_unpacked_in_part, setup),
                cmocka_unit_test_setup(test_memory_that_is_short, setup),
                cmocka_unit_test_setup(test_the_edges, setup),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
