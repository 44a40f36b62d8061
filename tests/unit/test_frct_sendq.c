/*
 * test_frct_sendq.c - the sender's queue against a model that searches everything, and its memory: how much
 * there is, what is left in it, and what happens when there is none (malloc, calloc and free are caught by
 * the linker).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <malloc.h>

#include <cmocka.h>

#include "frct/number.h"
#include "frct/sendq.h"
#include "wire/frct.h"

#include "random.h"

#define FIRST  (NUMBER_BASE + UINT64_C(0xfffffff0)) /* the lower half soon begins again */
#define SECRET "nobody else should ever see these bytes"

/* -- memory that is watched ------------------------------------------------------ */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void  __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void  __wrap_free(void *p);

static size_t live;           /* bytes                                                */
static size_t made;           /* allocations                                          */
static size_t leaks;          /* blocks that were given back with the secret in them  */
static long   countdown = -1; /* allocations until all fail; negative: none does      */

static void *watch(void *p)
{
        made++;
        live += p != NULL ? malloc_usable_size(p) : 0;
        return p;
}

static bool fails(void)
{
        if (countdown > 0)
                countdown--;
        return countdown == 0;
}

void *__wrap_malloc(size_t n)
{
        return fails() ? NULL : watch(__real_malloc(n));
}

void *__wrap_calloc(size_t n, size_t size)
{
        return fails() ? NULL : watch(__real_calloc(n, size));
}

void __wrap_free(void *p)
{
        size_t size = p != NULL ? malloc_usable_size(p) : 0;

        live -= size;
        leaks += size > 0 && memmem(p, size, SECRET, sizeof(SECRET) - 1) != NULL;
        __real_free(p);
}

/* -- the model ------------------------------------------------------------------- */

#define MODEL_MAX 4096u

enum state { WAITS, OUT, LOST, ARRIVED };

struct packet {
        uint8_t    flags;
        size_t     len;
        uint64_t   seed; /* of the payload */
        enum state state;
        uint64_t   since; /* when it came to be OUT or LOST: a counter */
};

struct model {
        size_t        piece, bytes_max;
        uint64_t      first, base, next, end;
        uint64_t      clock;
        struct packet packets[MODEL_MAX]; /* of number n: n - first */
};

struct rig {
        struct sendq *q;
        struct model  m;
        uint64_t      random;
};

static uint8_t scratch[1u << 20];

static struct packet *model_at(struct model *m, uint64_t seq)
{
        return &m->packets[seq - m->first];
}

static size_t round_up(size_t n, size_t to)
{
        return (n + to - 1) / to * to;
}

/* As the header has it: small chunks for 256 bytes, or for all when the pieces are no larger; multiples of 16. */
static size_t model_chunk(const struct model *m, size_t len)
{
        if (m->piece <= SENDQ_SMALL || len > SENDQ_SMALL)
                return round_up(m->piece, 16);
        return SENDQ_SMALL;
}

static size_t model_taken(struct model *m)
{
        size_t n = 0;

        for (uint64_t s = m->base; s < m->end; s++)
                n += model_at(m, s)->len > 0 ? model_chunk(m, model_at(m, s)->len) : 0;
        return n;
}

static int model_push(struct model *m, size_t n, bool commit, uint64_t seed)
{
        size_t take = 0;
        size_t k    = 0;

        for (size_t at = 0; at < n; at += m->piece, k++)
                take += model_chunk(m, n - at < m->piece ? n - at : m->piece);
        if (n > m->bytes_max)
                return -EMSGSIZE;
        if (m->base < m->end && model_taken(m) + take > m->bytes_max)
                return -EAGAIN;
        for (size_t at = 0; commit && at < n; at += m->piece) {
                size_t  len   = n - at < m->piece ? n - at : m->piece;
                uint8_t flags = (uint8_t)((at == 0 ? FRCT_FIRST : 0) | (at + len == n ? FRCT_LAST : 0));

                *model_at(m, m->end++) = (struct packet){.flags = flags, .len = len, .seed = seed + at};
        }
        return 0;
}

static uint64_t model_first_of(struct model *m, enum state state)
{
        uint64_t found = 0;

        for (uint64_t s = m->base; s < m->next; s++)
                if (model_at(m, s)->state == state &&
                    (found == 0 || model_at(m, s)->since < model_at(m, found)->since))
                        found = s;
        return found;
}

static size_t model_overtaken(struct model *m)
{
        uint64_t s = m->base;
        size_t   n = 0;

        while (s < m->next && model_at(m, s)->state == ARRIVED)
                s++;
        for (; s < m->next; s++)
                n += model_at(m, s)->state == ARRIVED;
        return n;
}

/* Byte i of a message is a function of seed + i, so that a piece can be checked alone. */
static void fill(uint8_t *p, size_t n, uint64_t seed)
{
        for (size_t i = 0; i < n; i++)
                p[i] = (uint8_t)((seed + i) * UINT64_C(0x9e3779b97f4a7c15) >> 56);
}

static void compare_packet(struct rig *r, uint64_t seq)
{
        const struct packet *p = model_at(&r->m, seq);
        const struct sent   *s = sendq_at(r->q, seq);

        assert_int_equal(s->len, p->len);
        assert_int_equal(s->flags, p->flags);
        assert_int_equal(s->lost, p->state == LOST);
        fill(scratch, p->len, p->seed);
        if (p->len > 0)
                assert_memory_equal(s->payload, scratch, p->len);
        else
                assert_null(s->payload);
}

static void compare_first(struct rig *r, enum state state, struct sent *(*first)(struct sendq *, uint64_t *))
{
        uint64_t     expect = model_first_of(&r->m, state);
        uint64_t     seq    = 0;
        struct sent *s      = first(r->q, &seq);

        if (expect == 0) {
                assert_null(s);
                return;
        }
        assert_int_equal(seq, expect);
        assert_ptr_equal(s, sendq_at(r->q, seq));
}

static void compare(struct rig *r)
{
        size_t bytes = 0;

        for (uint64_t s = r->m.base; s < r->m.end; s++)
                bytes += model_at(&r->m, s)->len;
        assert_int_equal(sendq_base(r->q), r->m.base);
        assert_int_equal(sendq_next(r->q), r->m.next);
        assert_int_equal(sendq_end(r->q), r->m.end);
        assert_int_equal(sendq_bytes(r->q), bytes);
        assert_int_equal(sendq_overtaken(r->q), model_overtaken(&r->m));
        compare_first(r, OUT, sendq_oldest);
        compare_first(r, LOST, sendq_first_lost);
        for (int i = 0; i < 4 && r->m.base < r->m.end; i++)
                compare_packet(r, r->m.base + random_below(&r->random, r->m.end - r->m.base));
}

/* -- random operations ------------------------------------------------------------- */

static void push(struct rig *r)
{
        uint64_t seed = random_next(&r->random);
        size_t most = random_below(&r->random, 4) > 0 ? 2 * r->m.piece : r->m.bytes_max + r->m.bytes_max / 8;
        size_t n    = 1 + random_below(&r->random, most < sizeof(scratch) ? most : sizeof(scratch));
        int    e    = model_push(&r->m, n, false, seed);

        fill(scratch, n, seed);
        assert_int_equal(sendq_has_room(r->q, n), e == 0);
        assert_int_equal(sendq_push(r->q, scratch, n), e);
        model_push(&r->m, n, true, seed);
}

static void push_fin(struct rig *r)
{
        assert_int_equal(sendq_push_fin(r->q), 0);
        *model_at(&r->m, r->m.end++) = (struct packet){.flags = FRCT_FIN};
}

static void send_some(struct rig *r)
{
        for (size_t n = random_below(&r->random, 8); n > 0 && r->m.next < r->m.end; n--) {
                sendq_sent(r->q);
                model_at(&r->m, r->m.next)->state   = OUT;
                model_at(&r->m, r->m.next++)->since = ++r->m.clock;
        }
}

/* Something happens to one that was sent. */
static void touch(struct rig *r)
{
        uint64_t       seq = r->m.base + random_below(&r->random, r->m.next - r->m.base);
        struct packet *p   = model_at(&r->m, seq);

        switch (random_below(&r->random, 3)) {
        case 0:
                if (p->state == ARRIVED)
                        return;
                sendq_resent(r->q, seq);
                p->state = OUT;
                break;
        case 1:
                if (p->state != OUT)
                        return;
                sendq_lose(r->q, seq);
                p->state = LOST;
                break;
        default:
                sendq_arrived(r->q, seq);
                p->state                  = ARRIVED;
                sendq_at(r->q, seq)->lost = false;
        }
        p->since = ++r->m.clock;
}

static void drop(struct rig *r)
{
        uint64_t to = r->m.base + random_below(&r->random, r->m.next - r->m.base + 1);

        sendq_drop(r->q, to);
        r->m.base = to;
}

/* The queue is empty, or made so when the model has no room for more. */
static void restart(struct rig *r)
{
        uint64_t first = NUMBER_BASE + (uint32_t)random_next(&r->random);

        for (; r->m.next < r->m.end; r->m.next++)
                sendq_sent(r->q);
        sendq_drop(r->q, r->m.end);
        if (random_below(&r->random, 2) == 0)
                sendq_trim(r->q);
        sendq_restart(r->q, first);
        r->m.first = r->m.base = r->m.next = r->m.end = first;
}

static void step(struct rig *r)
{
        uint64_t what = random_below(&r->random, 32);

        if (r->m.end - r->m.first > MODEL_MAX / 2)
                restart(r);
        else if (what < 8)
                push(r);
        else if (what < 16)
                send_some(r);
        else if (what < 17)
                push_fin(r);
        else if (what < 30 && r->m.base < r->m.next)
                touch(r);
        else if (what == 30)
                drop(r);
        else
                sendq_trim(r->q); /* nothing, unless it is empty */
}

static void run_model(size_t piece, size_t bytes_max, uint64_t seed, int steps)
{
        struct rig *r = calloc(1, sizeof(*r));

        *r             = (struct rig){.q = sendq_create(piece, bytes_max, FIRST), .random = seed};
        r->m.piece     = piece;
        r->m.bytes_max = bytes_max;
        r->m.first = r->m.base = r->m.next = r->m.end = FIRST;
        for (int i = 0; i < steps; i++) {
                step(r);
                compare(r);
        }
        sendq_destroy(r->q);
        free(r);
}

static void test_against_the_model(void **state)
{
        (void)state;
        for (uint64_t seed = 0; seed < 8; seed++) {
                run_model(1, 600, seed, 3000);
                run_model(100, 20000, seed, 3000);
                run_model(250, 20000, seed, 3000); /* rounded up, it is as large as a small chunk */
                run_model(1400, 100000, seed, 3000);
                run_model(65535, 500000, seed, 300);
        }
}

/* -- bounds ------------------------------------------------------------------------- */

static void send_all(struct sendq *q)
{
        while (sendq_next(q) < sendq_end(q))
                sendq_sent(q);
}

static size_t fill_up(struct sendq *q, size_t n)
{
        size_t k = 0;
        int    r;

        while ((r = sendq_push(q, scratch, n)) == 0)
                k++;
        assert_int_equal(r, -EAGAIN);
        return k;
}

static void test_messages_are_all_or_nothing(void **state)
{
        struct sendq *q = sendq_create(1000, 10000, FIRST);

        (void)state;
        assert_int_equal(sendq_push(q, scratch, 10001), -EMSGSIZE);
        assert_int_equal(sendq_push(q, scratch, 10000), 0); /* although ten chunks are 10080 bytes */
        assert_int_equal(sendq_end(q), FIRST + 10);
        assert_int_equal(sendq_at(q, FIRST)->flags, FRCT_FIRST);
        assert_int_equal(sendq_at(q, FIRST + 1)->flags, 0);
        assert_int_equal(sendq_at(q, FIRST + 9)->flags, FRCT_LAST);
        assert_int_equal(sendq_push(q, scratch, 1), -EAGAIN);
        assert_int_equal(sendq_push_fin(q), 0);
        send_all(q);
        sendq_drop(q, FIRST + 5);
        assert_int_equal(sendq_bytes(q), 5000);
        assert_int_equal(sendq_push(q, scratch, 4257), -EAGAIN); /* 4 * 1008 + 1008 > 4960 */
        assert_int_equal(sendq_end(q), FIRST + 11);
        assert_int_equal(sendq_push(q, scratch, 3256), 0); /* 3 * 1008 + 256 */
        assert_int_equal(sendq_at(q, FIRST + 14)->len, 256);
        sendq_destroy(q);
        q = sendq_create(100, 20050, FIRST); /* the same with small chunks alone */
        assert_int_equal(sendq_push(q, scratch, 20050), 0);
        assert_int_equal(sendq_end(q), FIRST + 201);
        sendq_destroy(q);
}

/* Tiny messages: as many as the entries allow, and FIN. */
static void test_packets_are_bounded(void **state)
{
        struct sendq *q = sendq_create(1400, 64u << 20, FIRST);

        (void)state;
        assert_int_equal(fill_up(q, 1), SENDQ_PACKETS_MAX - 1);
        assert_false(sendq_has_room(q, 1));
        assert_int_equal(sendq_push_fin(q), 0);
        assert_int_equal(sendq_end(q) - sendq_base(q), SENDQ_PACKETS_MAX);
        send_all(q);
        sendq_drop(q, FIRST + 2);
        assert_int_equal(fill_up(q, 1), 1);
        sendq_destroy(q);
        q = sendq_create(1, 1u << 20, FIRST);
        assert_int_equal(sendq_push(q, scratch, SENDQ_PACKETS_MAX), -EMSGSIZE);
        assert_int_equal(sendq_push(q, scratch, SENDQ_PACKETS_MAX - 1), 0);
        sendq_destroy(q);
}

/* However large the messages are, and however many, memory stays within what the header says. */
static void test_memory_is_bounded(void **state)
{
        static const size_t piece[]   = {64, 1400, 9000, 65535};
        static const size_t message[] = {1, 255, 256, 257, 1401, 70000};
        const size_t        max       = 1u << 20;

        (void)state;
        for (size_t i = 0; i < sizeof(piece) / sizeof(piece[0]); i++) {
                size_t        before = live;
                struct sendq *q      = sendq_create(piece[i], max, FIRST);

                for (size_t k = 0; k < sizeof(message) / sizeof(message[0]); k++) {
                        size_t n = fill_up(q, message[k]);

                        assert_true(n * message[k] == sendq_bytes(q));
                        assert_true(live - before <
                                    2 * max + 2 * (SENDQ_PACKETS_MAX / 2) * sizeof(struct sent));
                        send_all(q);
                        sendq_drop(q, sendq_end(q));
                        assert_int_equal(sendq_bytes(q), 0);
                }
                sendq_trim(q);
                assert_true(live - before < 1024);
                sendq_destroy(q);
                assert_int_equal(live, before);
        }
}

/* A stream that has been going on for a while allocates nothing. */
static void test_streams_allocate_nothing(void **state)
{
        struct sendq *q = sendq_create(1400, 1u << 20, FIRST);
        size_t        n = 0;

        (void)state;
        for (int i = 0; i < 10000; i++) {
                if (i == 5000)
                        n = made;
                assert_int_equal(sendq_push(q, scratch, 1 + (size_t)(i % 4000)), 0);
                send_all(q);
                while (sendq_bytes(q) > 100000)
                        sendq_drop(q, sendq_base(q) + 1);
        }
        assert_int_equal(made, n);
        sendq_destroy(q);
}

/* -- wiping -------------------------------------------------------------------------- */

/* What is left of a chunk begins, at most, with the address of the next that is free. */
static void assert_wiped(const uint8_t *chunk, size_t n)
{
        for (size_t i = sizeof(void *); i < n; i++)
                assert_int_equal(chunk[i], 0);
}

static void test_payloads_are_wiped(void **state)
{
        static const size_t len[] = {sizeof(SECRET), 256, 1400};
        struct sendq       *q     = sendq_create(1400, 1u << 20, FIRST);
        const uint8_t      *chunk[3];

        (void)state;
        memset(scratch, 'x', 1400);
        for (size_t i = 0; i < 3; i++) {
                assert_int_equal(sendq_push(q, scratch, len[i]), 0);
                chunk[i] = sendq_at(q, FIRST + i)->payload;
        }
        send_all(q);
        sendq_drop(q, FIRST + 1);
        assert_wiped(chunk[0], len[0]);
        assert_memory_equal(chunk[1], scratch, len[1]);
        sendq_drop(q, FIRST + 3);
        assert_wiped(chunk[1], len[1]);
        assert_wiped(chunk[2], len[2]);
        sendq_destroy(q);
}

/* As above, in all memory that is given back: sent or not, in chunks of either size. */
static void test_nothing_is_left_at_the_end(void **state)
{
        struct sendq *q = sendq_create(1400, 1u << 20, FIRST);

        (void)state;
        memset(scratch, 'x', 4096);
        memcpy(scratch + 1300, SECRET, sizeof(SECRET));
        memcpy(scratch + 2900, SECRET, sizeof(SECRET));
        assert_int_equal(sendq_push(q, scratch, 2950), 0); /* 1400, 1400, 150 */
        assert_int_equal(sendq_push(q, SECRET, sizeof(SECRET)), 0);
        sendq_sent(q);
        assert_int_equal(sendq_push_fin(q), 0);
        leaks = 0;
        sendq_destroy(q);
        assert_int_equal(leaks, 0);
        sendq_destroy(NULL);
}

/* -- no memory ------------------------------------------------------------------------ */

/* @n: the allocation that fails, with all after it. False: none was left to fail. */
static bool push_without_memory(struct sendq *q, long n)
{
        uint64_t end   = sendq_end(q);
        size_t   bytes = sendq_bytes(q);
        int      r;

        memcpy(scratch, SECRET, sizeof(SECRET));
        countdown = n;
        r         = sendq_push(q, scratch, 30000);
        countdown = -1;
        if (r == 0)
                return false;
        assert_int_equal(r, -ENOMEM);
        assert_int_equal(sendq_end(q), end);
        assert_int_equal(sendq_bytes(q), bytes);
        assert_true(sendq_has_room(q, 30000));
        return true;
}

static void test_no_memory(void **state)
{
        long n = 1;

        (void)state;
        leaks     = 0;
        countdown = 1;
        assert_null(sendq_create(1400, 1u << 20, FIRST));
        countdown = -1;
        for (bool failed = true; failed; n++) {
                struct sendq *q = sendq_create(1400, 1u << 20, FIRST);

                countdown = 1;
                assert_int_equal(sendq_push_fin(q), -ENOMEM);
                countdown = -1;
                assert_int_equal(sendq_push(q, scratch, 1000), 0);
                failed = push_without_memory(q, n);
                assert_int_equal(sendq_at(q, FIRST)->len, 1000);
                assert_int_equal(sendq_end(q), FIRST + (failed ? 1 : 23));
                if (failed)
                        assert_int_equal(sendq_push(q, scratch, 30000), 0);
                sendq_destroy(q);
        }
        assert_true(n >= 4); /* the ring, and two slabs */
        assert_int_equal(leaks, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_against_the_model),
                cmocka_unit_test(test_messages_are_all_or_nothing),
                cmocka_unit_test(test_packets_are_bounded),
                cmocka_unit_test(test_memory_is_bounded),
                cmocka_unit_test(test_streams_allocate_nothing),
                cmocka_unit_test(test_payloads_are_wiped),
                cmocka_unit_test(test_nothing_is_left_at_the_end),
                cmocka_unit_test(test_no_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
