#include "link.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "mark.h"

#define AGES_NS INT64_C(1000000000000000) /* longer than anybody waits, and far from too large */

static const char *const count_names[C_N] = {
        [C_CAME]         = "came",
        [C_CAME_BYTES]   = "came_bytes",
        [C_PASSED]       = "passed",
        [C_PASSED_BYTES] = "passed_bytes",
        [C_LOST_LOSS]    = "lost_loss",
        [C_LOST_BURST]   = "lost_burst",
        [C_LOST_DOWN]    = "lost_down",
        [C_LOST_QUEUE]   = "lost_queue",
        [C_LOST_POOL]    = "lost_pool",
        [C_LOST_SEND]    = "lost_send",
        [C_DUPLICATED]   = "duplicated",
        [C_REORDERED]    = "reordered",
        [C_CORRUPTED]    = "corrupted",
        [C_MARKED]       = "marked",
};

int link_create(struct link *l, struct pool *pool, bool frames, uint64_t seed)
{
        *l      = (struct link){.pool = pool, .frames = frames, .free_ns = INT64_MIN, .last_ns = INT64_MIN};
        l->tail = &l->head;
        l->heap = calloc(pool->n, sizeof(struct pkt *));
        for (size_t i = 0; i < CHANCES; i++)
                l->random[i] = (seed * CHANCES + i) * UINT64_C(0xD1342543DE82EF95);
        return l->heap == NULL ? -ENOMEM : 0;
}

void link_destroy(struct link *l)
{
        free(l->heap);
        l->heap = NULL;
}

/* -- chance ---------------------------------------------------------------- */

/* SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014). */
static uint64_t draw(uint64_t *state)
{
        uint64_t z = (*state += UINT64_C(0x9E3779B97F4A7C15));

        z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
        z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
        return z ^ z >> 31;
}

/* From 0 to below 1. */
static double fraction(struct link *l, enum chance c)
{
        return (double)(draw(&l->random[c]) >> 11) * 0x1p-53;
}

static bool happens(struct link *l, enum chance c, enum knob percent)
{
        return fraction(l, c) * 100 < l->knobs.v[percent];
}

static int64_t knob_ns(const struct link *l, enum knob ms)
{
        return (int64_t)(l->knobs.v[ms] * 1e6);
}

/* -- loss ------------------------------------------------------------------ */

/* Gilbert's model: two states, in one of which everything is lost. */
static bool in_burst(struct link *l)
{
        bool changes = happens(l, BY_BURST, l->in_burst ? BURST_R : BURST_P);

        l->in_burst ^= changes;
        if (l->knobs.v[BURST_P] == 0)
                l->in_burst = false;
        return l->in_burst;
}

/* C_N: it is not lost. Every chance is taken for every packet. */
static enum count lost_by(struct link *l)
{
        bool loss = happens(l, BY_LOSS, LOSS), burst = in_burst(l);

        if (l->knobs.v[DOWN] != 0)
                return C_LOST_DOWN;
        return burst ? C_LOST_BURST : loss ? C_LOST_LOSS : C_N;
}

static void lose(struct link *l, struct pkt *k, enum count why)
{
        l->count[why]++;
        pool_put(l->pool, k);
}

static void corrupt(struct link *l, struct pkt *k)
{
        bool     now = happens(l, BY_CORRUPT, CORRUPT);
        uint64_t bit = draw(&l->random[BY_BIT]);

        if (!now || k->len == 0)
                return;
        bit %= k->len * 8;
        k->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        l->count[C_CORRUPTED]++;
}

/* -- delay ----------------------------------------------------------------- */

static bool before(const struct pkt *a, const struct pkt *b)
{
        return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->seq < b->seq;
}

static void heap_put(struct link *l, struct pkt *k)
{
        size_t i = l->n++;

        for (; i > 0 && before(k, l->heap[(i - 1) / 2]); i = (i - 1) / 2)
                l->heap[i] = l->heap[(i - 1) / 2];
        l->heap[i] = k;
}

static struct pkt *heap_get(struct link *l)
{
        struct pkt *top = l->heap[0], *last = l->heap[--l->n];
        size_t      i = 0, child;

        for (; (child = 2 * i + 1) < l->n; i = child) {
                if (child + 1 < l->n && before(l->heap[child + 1], l->heap[child]))
                        child++;
                if (!before(l->heap[child], last))
                        break;
                l->heap[i] = l->heap[child];
        }
        l->heap[i] = last;
        return top;
}

/* It leaves the queue at @k->at_ns. One that is reordered does not hold up those that keep their order. */
static void set_out(struct link *l, struct pkt *k)
{
        double  share   = fraction(l, BY_JITTER);
        bool    reorder = happens(l, BY_REORDER, REORDER);
        int64_t due     = k->at_ns + knob_ns(l, DELAY_MS) + (int64_t)(share * l->knobs.v[JITTER_MS] * 1e6);

        if (l->knobs.v[KEEP_ORDER] != 0 && due < l->last_ns)
                due = l->last_ns;
        if (reorder) {
                due += knob_ns(l, REORDER_MS);
                l->count[C_REORDERED]++;
        } else {
                l->last_ns = due;
        }
        k->at_ns = due;
        k->seq   = l->seq++;
        heap_put(l, k);
}

/* -- queue ----------------------------------------------------------------- */

static int64_t sending_ns(const struct link *l, const struct pkt *k)
{
        double rate = l->knobs.v[RATE];
        double ns   = rate == 0 ? 0 : (double)k->len * 8e9 / rate;

        return ns < AGES_NS ? (int64_t)ns : AGES_NS;
}

/* The head begins to be sent, when it has come and its predecessor has gone. */
static void start_head(struct link *l)
{
        int64_t from = l->head->at_ns > l->free_ns ? l->head->at_ns : l->free_ns;

        l->free_ns = from + sending_ns(l, l->head);
}

static void advance(struct link *l, int64_t now_ns)
{
        while (l->head != NULL && l->free_ns <= now_ns) {
                struct pkt *k = l->head;

                l->head = k->next;
                if (l->head == NULL)
                        l->tail = &l->head;
                l->queued--;
                l->queued_bytes -= k->len;
                k->at_ns = l->free_ns;
                set_out(l, k);
                if (l->head != NULL)
                        start_head(l);
        }
}

static bool over(double limit, uint64_t value)
{
        return limit != 0 && (double)value > limit;
}

static void enqueue(struct link *l, struct pkt *k)
{
        const double *v = l->knobs.v;

        advance(l, k->at_ns); /* what had gone by then */
        if (l->queued > 0 &&
            (over(v[QUEUE_PACKETS], l->queued + 1) || over(v[QUEUE_BYTES], l->queued_bytes + k->len))) {
                lose(l, k, C_LOST_QUEUE);
                return;
        }
        if (l->frames && (over(v[ECN_PACKETS], l->queued) || over(v[ECN_BYTES], l->queued_bytes)))
                l->count[C_MARKED] += mark_ce(k->data, k->len);
        k->next  = NULL;
        *l->tail = k;
        l->tail  = &k->next;
        l->queued++;
        l->queued_bytes += k->len;
        if (l->head == k)
                start_head(l);
}

/* -- a packet's way -------------------------------------------------------- */

static struct pkt *copy_of(struct link *l, const struct pkt *k)
{
        struct pkt *c = pool_get(l->pool);

        if (c == NULL) {
                l->count[C_LOST_POOL]++;
                return NULL;
        }
        c->at_ns = k->at_ns;
        c->len   = k->len;
        memcpy(c->data, k->data, k->len);
        l->count[C_DUPLICATED]++;
        return c;
}

void link_take(struct link *l, struct pkt *k)
{
        struct pkt *copy;
        enum count  why = lost_by(l);

        l->count[C_CAME]++;
        l->count[C_CAME_BYTES] += k->len;
        if (why != C_N) {
                lose(l, k, why);
                return;
        }
        copy = happens(l, BY_DUP, DUP) ? copy_of(l, k) : NULL;
        corrupt(l, k);
        enqueue(l, k);
        if (copy != NULL) {
                corrupt(l, copy);
                enqueue(l, copy);
        }
}

size_t link_give(struct link *l, int64_t now_ns, struct pkt **out, size_t max)
{
        size_t n = 0;

        advance(l, now_ns);
        while (n < max && l->n > 0 && l->heap[0]->at_ns <= now_ns)
                out[n++] = heap_get(l);
        return n;
}

int64_t link_next_ns(const struct link *l)
{
        int64_t next = l->n > 0 ? l->heap[0]->at_ns : INT64_MAX;

        return l->head != NULL && l->free_ns < next ? l->free_ns : next;
}

void link_print(const struct link *l, FILE *out)
{
        for (size_t i = 0; i < C_N; i++)
                fprintf(out, "%s\"%s\": %" PRIu64, i == 0 ? "{" : ", ", count_names[i], l->count[i]);
        fprintf(out, ", \"held\": %" PRIu64 "}", (uint64_t)l->n + l->queued);
}
