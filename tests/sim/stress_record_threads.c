/*
 * stress_record_threads.c - both ends of flows, each direction of an end with a thread of its own, moving on
 * every few records: for ThreadSanitizer. Senders and receivers share pages of memory for keys and what
 * OpenSSL keeps for the process, nothing else.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "crypt/record.h"

#include "random.h"
#include "stress.h"

#define FLOWS   2u
#define CONTENT 300u
#define REC_MAX (CONTENT + RECORD_OVERHEAD)
#define BOXES   64u

/* One direction: records from one thread to another, in order. */
struct lane {
        struct stress   *s;
        uint64_t         key;
        uint8_t          secret[RECORD_SECRET];
        uint8_t          rec[BOXES][REC_MAX];
        size_t           len[BOXES];
        _Atomic uint64_t put, taken;
        atomic_bool      ended;
        pthread_t        sender, receiver;
        uint32_t         epochs;
};

static void *seal_many(void *arg)
{
        struct lane      *l      = arg;
        struct record_tx *tx     = record_tx_create(l->secret, 0);
        uint64_t          random = l->key;
        uint8_t           content[CONTENT];

        STRESS_CHECK(l->s, tx != NULL);
        for (uint64_t i = 0; i % 64 != 0 || clock_now_ns() < l->s->end_ns; i++) {
                size_t n = stress_len(l->key, i, CONTENT);

                record_tx_rotate_after(tx, 1 + (uint32_t)random_below(&random, 7));
                while (i - atomic_load_explicit(&l->taken, memory_order_acquire) >= BOXES)
                        sched_yield();
                stress_fill(l->key, i, content, n);
                l->len[i % BOXES] = (size_t)record_seal(tx, RECORD_DATA, content, n, 0, l->rec[i % BOXES]);
                atomic_store_explicit(&l->put, i + 1, memory_order_release);
        }
        atomic_store(&l->ended, true);
        record_tx_destroy(tx);
        return NULL;
}

/* False: no more will come. */
static bool await(struct lane *l, uint64_t i)
{
        while (atomic_load_explicit(&l->put, memory_order_acquire) <= i) {
                if (atomic_load(&l->ended) && atomic_load(&l->put) <= i)
                        return false;
                sched_yield();
        }
        return true;
}

static void *open_many(void *arg)
{
        struct lane      *l  = arg;
        struct record_rx *rx = record_rx_create(l->secret);
        uint8_t           out[CONTENT];
        enum record_type  type;

        STRESS_CHECK(l->s, rx != NULL);
        for (uint64_t i = 0; await(l, i); i++) {
                size_t n = stress_len(l->key, i, CONTENT);

                STRESS_CHECK(l->s, record_open(rx, l->rec[i % BOXES], l->len[i % BOXES], 0, out, &type) ==
                                           (ptrdiff_t)n);
                STRESS_CHECK(l->s, stress_is(l->key, i, out, n));
                atomic_store_explicit(&l->taken, i + 1, memory_order_release);
        }
        l->epochs = record_rx_epoch(rx);
        record_rx_destroy(rx);
        return NULL;
}

int main(int argc, char *argv[])
{
        static struct lane lanes[2 * FLOWS];
        struct stress      s = stress_begin(argc, argv);

        for (size_t i = 0; i < 2 * FLOWS; i++) {
                struct lane *l = &lanes[i];

                l->s         = &s;
                l->key       = s.seed + i;
                l->secret[0] = (uint8_t)i;
                STRESS_CHECK(&s, pthread_create(&l->sender, NULL, seal_many, l) == 0);
                STRESS_CHECK(&s, pthread_create(&l->receiver, NULL, open_many, l) == 0);
        }
        for (size_t i = 0; i < 2 * FLOWS; i++) {
                struct lane *l = &lanes[i];

                pthread_join(l->sender, NULL);
                pthread_join(l->receiver, NULL);
                printf("lane %zu: %llu records, %u epochs\n", i, (unsigned long long)l->taken, l->epochs);
                STRESS_CHECK(&s, l->taken > 0 && l->taken == l->put && l->epochs > 0);
        }
        return EXIT_SUCCESS;
}
