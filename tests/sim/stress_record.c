/*
 * stress_record.c - a sender that moves on every 1024 records, a receiver, and between them a network that
 * loses 0 to 20 %, reorders, duplicates, goes silent for epochs on end, alters copies, makes records up and
 * brings back old ones.
 *
 *     stress_record [-n RECORDS] [-s SEED]          (10,000,000 for a full run: about a minute)
 *
 * A record is late by at most REACH others, which is less than the window and less than an epoch. So the
 * expectation is exact: what arrives for the first time is accepted, whatever came before it, and all else is
 * refused.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "crypt/record.h"

#include "random.h"
#include "stress.h"

#define EPOCH   1024u
#define REACH   300u
#define BUCKETS 512u  /* more than REACH */
#define SLOTS   1024u /* more than can be under way */
#define ARCHIVE 64u
#define CONTENT 1000u
#define REC_MAX (CONTENT + RECORD_OVERHEAD)

static const unsigned losses[] = {0, 1, 5, 10, 20};

/* A record on its way or kept; its content begins with its number. */
struct rec {
        uint8_t     bytes[REC_MAX];
        size_t      len;
        uint64_t    seq;
        struct rec *next;
};

struct net {
        struct rec  slots[SLOTS];
        struct rec *unused;
        struct rec *due[BUCKETS]; /* by the time of arrival: one unit is one record sent */
        unsigned    loss;         /* per cent */
        uint64_t    silent_until;
};

struct tally {
        uint64_t lost, accepted, late, repeated, old, altered, made_up;
};

struct scene {
        struct stress     s;
        uint64_t          random;
        uint64_t          now, n;
        struct net        net;
        struct record_tx *tx;
        struct record_rx *rx;
        uint8_t          *seen; /* a bit per record */
        uint64_t          newest;
        struct rec        archive[ARCHIVE];
        struct tally      tally;
};

static bool chance(struct scene *c, unsigned per_mille)
{
        return random_below(&c->random, 1000) < per_mille;
}

/* -- receiver ----------------------------------------------------------------- */

static bool seen(const struct scene *c, uint64_t seq)
{
        return c->seen[seq / 8] >> seq % 8 & 1;
}

static ptrdiff_t open_it(struct scene *c, const struct rec *r, uint8_t *out)
{
        enum record_type type;
        ptrdiff_t        n = record_open(c->rx, r->bytes, r->len, (int64_t)c->now * NS_PER_US, out, &type);

        STRESS_CHECK(&c->s, n < 0 || type == RECORD_DATA);
        return n;
}

static void must_be_refused(struct scene *c, const struct rec *r)
{
        uint8_t  out[REC_MAX + 16];
        uint32_t epoch = record_rx_epoch(c->rx);

        STRESS_CHECK(&c->s, open_it(c, r, out) < 0);
        STRESS_CHECK(&c->s, record_rx_epoch(c->rx) == epoch);
}

static void must_be_replayed(struct scene *c, const struct rec *r)
{
        uint8_t out[REC_MAX];

        STRESS_CHECK(&c->s, open_it(c, r, out) == -EALREADY);
}

static void must_be_accepted(struct scene *c, const struct rec *r)
{
        uint8_t out[REC_MAX];

        STRESS_CHECK(&c->s, open_it(c, r, out) == (ptrdiff_t)(r->len - RECORD_OVERHEAD));
        STRESS_CHECK(&c->s, stress_is(c->s.seed, r->seq, out, r->len - RECORD_OVERHEAD));
        c->seen[r->seq / 8] |= (uint8_t)(1u << r->seq % 8);
        c->tally.accepted++;
        c->tally.late += r->seq < c->newest;
        c->newest = r->seq > c->newest ? r->seq : c->newest;
}

/* -- what the network does to it ------------------------------------------------ */

static void alter(struct scene *c, struct rec *r)
{
        size_t grow;

        switch (random_below(&c->random, 6)) {
        case 0: r->len = (size_t)random_below(&c->random, r->len); break;
        case 1:
                grow = 1 + (size_t)random_below(&c->random, 16);
                r->len += r->len + grow <= REC_MAX ? grow : (size_t)-1;
                break;
        case 2:
                r->bytes[random_below(&c->random, RECORD_HDR)] ^=
                        (uint8_t)(1 + random_below(&c->random, 255));
                break;
        case 3: r->bytes[r->len - 1 - random_below(&c->random, RECORD_TAG)] ^= 0x40; break;
        default: r->bytes[random_below(&c->random, r->len)] ^= (uint8_t)(1u << random_below(&c->random, 8));
        }
}

static void bring_altered(struct scene *c, const struct rec *r)
{
        struct rec a = *r;

        alter(c, &a);
        must_be_refused(c, &a);
        c->tally.altered++;
}

/* Anything, or with numbers that could be: of this epoch or one to come. */
static void bring_made_up(struct scene *c)
{
        struct rec r;
        uint32_t   epoch;

        r.len = (size_t)random_below(&c->random, 200);
        random_fill(&c->random, r.bytes, sizeof(r.bytes) < 200 ? sizeof(r.bytes) : 200);
        if (chance(c, 700)) {
                epoch      = record_rx_epoch(c->rx) + (uint32_t)random_below(&c->random, 70);
                r.bytes[0] = RECORD_DATA;
                r.bytes[1] = (uint8_t)(epoch >> 16);
                r.bytes[2] = (uint8_t)(epoch >> 8);
                r.bytes[3] = (uint8_t)epoch;
                memset(r.bytes + 4, 0, 2);
        }
        must_be_refused(c, &r);
        c->tally.made_up++;
}

static void arrive(struct scene *c, const struct rec *r)
{
        if (chance(c, 20))
                bring_made_up(c);
        if (chance(c, 50))
                bring_altered(c, r);
        if (seen(c, r->seq)) {
                must_be_replayed(c, r);
                c->tally.repeated++;
        } else {
                must_be_accepted(c, r);
                if (chance(c, 5))
                        c->archive[random_below(&c->random, ARCHIVE)] = *r;
        }
        if (chance(c, 20)) {
                const struct rec *old = &c->archive[random_below(&c->random, ARCHIVE)];

                if (old->len > 0) {
                        must_be_replayed(c, old);
                        c->tally.old++;
                }
        }
}

static void net_arrivals(struct scene *c)
{
        struct rec **due = &c->net.due[c->now % BUCKETS];

        while (*due != NULL) {
                struct rec *r = *due;

                *due = r->next;
                arrive(c, r);
                r->next       = c->net.unused;
                c->net.unused = r;
        }
}

/* -- sender --------------------------------------------------------------------- */

static uint64_t delay(struct scene *c)
{
        switch (random_below(&c->random, 8)) {
        case 0: return random_below(&c->random, REACH);
        case 1:
        case 2: return random_below(&c->random, 8);
        default: return 0;
        }
}

static void net_put(struct scene *c, const struct rec *r)
{
        struct rec  *slot = c->net.unused;
        struct rec **due  = &c->net.due[(c->now + delay(c)) % BUCKETS];

        STRESS_CHECK(&c->s, slot != NULL);
        c->net.unused = slot->next;
        memcpy(slot->bytes, r->bytes, r->len);
        slot->len  = r->len;
        slot->seq  = r->seq;
        slot->next = *due;
        *due       = slot;
}

/* Now and then nothing arrives for up to twenty epochs. */
static bool net_loses(struct scene *c)
{
        if (c->net.loss > 0 && random_below(&c->random, 100000) == 0)
                c->net.silent_until = c->now + random_below(&c->random, 20 * EPOCH);
        return c->now < c->net.silent_until || chance(c, 10 * c->net.loss);
}

static void send_one(struct scene *c)
{
        uint8_t    content[CONTENT];
        struct rec r = {.seq = c->now};
        size_t     n = stress_len(c->s.seed, c->now, CONTENT);

        stress_fill(c->s.seed, c->now, content, n);
        r.len = (size_t)record_seal(c->tx, RECORD_DATA, content, n, (int64_t)c->now * NS_PER_US, r.bytes);
        STRESS_CHECK(&c->s, r.len == n + RECORD_OVERHEAD);
        if (net_loses(c)) {
                c->tally.lost++;
                return;
        }
        net_put(c, &r);
        if (chance(c, 50))
                net_put(c, &r);
}

/* -- the run ---------------------------------------------------------------------- */

static struct scene *scene_create(uint64_t n, uint64_t seed)
{
        static const uint8_t secret[RECORD_SECRET] = "stress";
        struct scene        *c                     = calloc(1, sizeof(*c));
        uint8_t             *bits                  = calloc(n / 8 + 1, 1);

        if (c == NULL || bits == NULL)
                exit(EXIT_FAILURE);
        c->s      = (struct stress){.seed = seed};
        c->seen   = bits;
        c->random = seed;
        c->n      = n;
        c->tx     = record_tx_create(secret, 0);
        c->rx     = record_rx_create(secret);
        for (size_t i = 0; i < SLOTS; i++) {
                c->net.slots[i].next = c->net.unused;
                c->net.unused        = &c->net.slots[i];
        }
        STRESS_CHECK(&c->s, c->tx != NULL && c->rx != NULL);
        record_tx_rotate_after(c->tx, EPOCH);
        return c;
}

static void scene_destroy(struct scene *c)
{
        record_tx_destroy(c->tx);
        record_rx_destroy(c->rx);
        free(c->seen);
        free(c);
}

static void run(struct scene *c)
{
        size_t parts = sizeof(losses) / sizeof(losses[0]);

        for (; c->now < c->n; c->now++) {
                c->net.loss = losses[c->now * parts / c->n];
                send_one(c);
                net_arrivals(c);
        }
        for (uint64_t end = c->now + REACH; c->now < end; c->now++)
                net_arrivals(c);
}

static void print_and_check(const struct scene *c, double seconds)
{
        const struct tally *t = &c->tally;

        printf("%llu sent in %.1f s: %llu lost, %llu accepted (%llu late), refused: %llu repeated, %llu old, "
               "%llu altered, "
               "%llu made up\n",
               (unsigned long long)c->n, seconds, (unsigned long long)t->lost,
               (unsigned long long)t->accepted, (unsigned long long)t->late, (unsigned long long)t->repeated,
               (unsigned long long)t->old, (unsigned long long)t->altered, (unsigned long long)t->made_up);
        STRESS_CHECK(&c->s, t->accepted + t->lost == c->n);
        STRESS_CHECK(&c->s, record_tx_epoch(c->tx) == (c->n - 1) / EPOCH);
        STRESS_CHECK(&c->s, record_rx_epoch(c->rx) == c->newest / EPOCH);
        STRESS_CHECK(&c->s, record_rx_forged(c->rx) + record_rx_replayed(c->rx) ==
                                    t->repeated + t->old + t->altered + t->made_up);
        STRESS_CHECK(&c->s, t->late > 0 && t->repeated > 0 && t->old > 0 && t->altered > 0 && t->made_up > 0);
}

static uint64_t number(const char *arg, uint64_t min, uint64_t max)
{
        unsigned long long v;

        if (str_number(arg, max, &v) && v >= min)
                return v;
        fprintf(stderr, "stress_record: bad number %s\n", arg);
        exit(2);
}

int main(int argc, char *argv[])
{
        uint64_t      n = 1000000, seed = (uint64_t)clock_now_ns() % 1000000;
        int64_t       begin = clock_now_ns();
        struct scene *c;
        int           o;

        while ((o = getopt(argc, argv, "n:s:")) != -1) {
                switch (o) {
                case 'n': n = number(optarg, 10000, 1000000000); break;
                case 's': seed = number(optarg, 0, UINT64_MAX); break;
                default: fprintf(stderr, "usage: %s [-n records] [-s seed]\n", argv[0]); return 2;
                }
        }
        printf("seed %llu\n", (unsigned long long)seed);
        c = scene_create(n, seed);
        run(c);
        print_and_check(c, (double)(clock_now_ns() - begin) / (double)NS_PER_S);
        scene_destroy(c);
        return EXIT_SUCCESS;
}
