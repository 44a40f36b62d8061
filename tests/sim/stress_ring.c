/*
 * stress_ring.c - a producer and a consumer on a ring, both in random moods, with every byte checked. Rounds
 * are short, so that rings of all sizes and laps of all kinds come up.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "shm/ring.h"

#include "random.h"
#include "stress.h"

#define SIZE_MAX_RING (UINT64_C(256) * 1024)

/* Both sides see it; nothing but the ring changes while they run. */
struct round {
        struct stress   *s;
        struct ring_ctl *ctl;
        uint8_t         *mem;
        uint64_t         size, key, messages;
};

static void produce(void *arg)
{
        const struct round *r    = arg;
        uint64_t            seed = r->key + 1;
        struct ring_tx      t;

        ring_tx_init(&t, r->ctl, r->mem, r->size);
        for (uint64_t seq = 0; seq < r->messages;) {
                size_t   len  = stress_len(r->key, seq, ring_max(r->size));
                size_t   more = random_below(&seed, 8) == 0 ? ring_max(r->size) - len : 0; /* to be cut */
                uint8_t *p;
                int      ret = ring_tx_reserve(&t, len + more, &p);

                STRESS_CHECK(r->s, ret == 0 || ret == -EAGAIN);
                if (ret == 0) {
                        stress_fill(r->key, seq++, p, len);
                        ring_tx_commit(&t, len);
                } else {
                        sched_yield();
                }
                if (random_below(&seed, 64) == 0) /* seldom: it synchronises the two, which may hide a race */
                        STRESS_CHECK(r->s, ring_tx_used(&t) <= r->size);
                stress_dawdle(&seed);
        }
}

/* Takes message @seq when it is there. */
static bool take(const struct round *r, struct ring_rx *rx, uint64_t seq)
{
        const uint8_t *p;
        size_t         len;
        int            ret = ring_rx_peek(rx, ring_max(r->size), &p, &len);

        STRESS_CHECK(r->s, ret == 0 || ret == -EAGAIN);
        if (ret < 0)
                return false;
        STRESS_CHECK(r->s, len == stress_len(r->key, seq, ring_max(r->size)));
        STRESS_CHECK(r->s, stress_is(r->key, seq, p, len));
        (void)ring_rx_pop(rx);
        return true;
}

static void consume(void *arg)
{
        const struct round *r    = arg;
        uint64_t            seed = r->key + 2;
        struct ring_rx      rx;

        ring_rx_init(&rx, r->ctl, r->mem, r->size);
        for (uint64_t seq = 0; seq < r->messages;) {
                if (take(r, &rx, seq)) {
                        seq++;
                } else {
                        if (random_below(&seed, 2) == 0)
                                (void)ring_rx_publish(&rx);
                        sched_yield();
                }
                if (random_below(&seed, 64) == 0)
                        STRESS_CHECK(r->s, ring_rx_used(&rx) <= r->size);
                stress_dawdle(&seed);
        }
        STRESS_CHECK(r->s, !ring_rx_ready(&rx));
}

int main(int argc, char *argv[])
{
        struct stress s      = stress_begin(argc, argv);
        uint64_t      random = s.seed;
        uint64_t      rounds = 0;
        uint64_t      total  = 0;
        struct round  r = {.s = &s, .ctl = stress_shared(RING_PAGE), .mem = stress_shared(SIZE_MAX_RING)};

        for (; clock_now_ns() < s.end_ns; rounds++) {
                memset(r.ctl, 0, sizeof(*r.ctl));
                r.size     = (4 * (uint64_t)RING_PAGE) << random_below(&random, 5);
                r.key      = random_next(&random);
                r.messages = random_below(&random, 20000);
                stress_both(&s, produce, consume, &r);
                total += r.messages;
        }
        printf("%llu rounds, %llu messages\n", (unsigned long long)rounds, (unsigned long long)total);
        return EXIT_SUCCESS;
}
