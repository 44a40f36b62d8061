/*
 * stress_record_race.c - records in memory that somebody else writes to all the time: another process flips
 * bits of the shared buffer and puts them back, while we seal and copy in, copy out and open.
 *
 * Whatever the race leaves in the buffer, what is opened is either exactly what was sealed or refused; and the
 * record that we sealed stays good, for it never lay where the other could reach it.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "crypt/record.h"

#include "random.h"
#include "stress.h"

#define CONTENT 1400u
#define REC_MAX (CONTENT + RECORD_OVERHEAD)

struct shared {
        volatile uint8_t rec[REC_MAX];
        _Atomic size_t   len;
        atomic_bool      done;
};

struct scene {
        struct stress     s;
        struct shared    *shared;
        struct record_tx *tx;
        struct record_rx *rx;
        uint64_t          whole, refused;
};

/* -- the other ------------------------------------------------------------------ */

static void meddle(void *arg)
{
        struct scene  *c      = arg;
        struct shared *h      = c->shared;
        uint64_t       random = c->s.seed;

        while (!atomic_load_explicit(&h->done, memory_order_relaxed)) {
                uint64_t x   = random_next(&random);
                size_t   len = atomic_load_explicit(&h->len, memory_order_relaxed);
                size_t   at  = (size_t)(x >> 8) % (len == 0 ? 1 : len);
                uint8_t  bit = (uint8_t)(1u << x % 8);

                h->rec[at] ^= bit;
                for (uint64_t i = x >> 56; i > 0; i--)
                        __asm__ volatile("" ::: "memory");
                h->rec[at] ^= bit;
        }
}

/* -- us --------------------------------------------------------------------------- */

static bool open_and_check(struct scene *c, const uint8_t *rec, size_t len, uint64_t seq)
{
        uint8_t          out[CONTENT];
        enum record_type type;
        ptrdiff_t        n = record_open(c->rx, rec, len, 0, out, &type);

        if (n < 0) {
                STRESS_CHECK(&c->s, n == -EBADMSG || n == -EALREADY);
                return false;
        }
        STRESS_CHECK(&c->s, type == RECORD_DATA && (size_t)n == len - RECORD_OVERHEAD);
        STRESS_CHECK(&c->s, stress_is(c->s.seed, seq, out, (size_t)n));
        return true;
}

static void pass_one(struct scene *c, uint64_t seq)
{
        uint8_t content[CONTENT], sealed[REC_MAX], copy[REC_MAX];
        size_t  n   = stress_len(c->s.seed, seq, CONTENT);
        size_t  len = n + RECORD_OVERHEAD;

        stress_fill(c->s.seed, seq, content, n);
        STRESS_CHECK(&c->s, record_seal(c->tx, RECORD_DATA, content, n, 0, sealed) == (ptrdiff_t)len);
        atomic_store_explicit(&c->shared->len, len, memory_order_relaxed);
        memcpy((void *)c->shared->rec, sealed, len);
        for (uint64_t i = seq % 64 * 8; i > 0; i--)
                __asm__ volatile("" ::: "memory");
        memcpy(copy, (const void *)c->shared->rec, len);
        if (open_and_check(c, copy, len, seq)) {
                c->whole++;
                return;
        }
        c->refused++;
        STRESS_CHECK(&c->s, open_and_check(c, sealed, len, seq));
}

static void pass_many(void *arg)
{
        struct scene *c = arg;

        for (uint64_t seq = 0; seq % 256 != 0 || clock_now_ns() < c->s.end_ns; seq++)
                pass_one(c, seq);
        atomic_store(&c->shared->done, true);
        printf("%llu whole, %llu refused\n", (unsigned long long)c->whole, (unsigned long long)c->refused);
        STRESS_CHECK(&c->s, c->whole > 0 && c->refused > 0);
}

int main(int argc, char *argv[])
{
        static const uint8_t secret[RECORD_SECRET] = "race";
        struct scene         c                     = {.s = stress_begin(argc, argv)};

        c.shared = stress_shared(sizeof(*c.shared));
        c.tx     = record_tx_create(secret, 0);
        c.rx     = record_rx_create(secret);
        STRESS_CHECK(&c.s, c.tx != NULL && c.rx != NULL);
        record_tx_rotate_after(c.tx, 1024);
        c.s.threads = false; /* the race is on purpose, and of no interest to ThreadSanitizer */
        stress_both(&c.s, pass_many, meddle, &c);
        record_tx_destroy(c.tx);
        record_rx_destroy(c.rx);
        return EXIT_SUCCESS;
}
