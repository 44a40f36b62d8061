#include "operf/histogram.h"

#include <stdlib.h>

#define FINE_BITS 10u /* of the slots that a power of two is cut into   */
#define TOP_BITS  44u /* longer than 4.8 hours goes into the last slot  */
#define TOP       ((INT64_C(1) << TOP_BITS) - 1)
#define N_SLOTS   (((TOP_BITS - FINE_BITS - 1) << FINE_BITS) + (2u << FINE_BITS))

/* By how many bits times like @v are shortened. */
static unsigned int coarseness(uint64_t v)
{
        return v < 2u << FINE_BITS ? 0 : 63u - (unsigned int)__builtin_clzll(v) - FINE_BITS;
}

static size_t slot_of(int64_t ns)
{
        uint64_t     v     = (uint64_t)(ns < TOP ? ns : TOP);
        unsigned int shift = coarseness(v);

        return ((size_t)shift << FINE_BITS) + (size_t)(v >> shift);
}

static int64_t middle_of(size_t slot)
{
        size_t       row   = slot >> FINE_BITS;
        unsigned int shift = row < 2 ? 0 : (unsigned int)row - 1;
        int64_t      first = (int64_t)(slot - ((size_t)shift << FINE_BITS)) << shift;

        return first + ((INT64_C(1) << shift) - 1) / 2;
}

bool histogram_init(struct histogram *h)
{
        *h = (struct histogram){.slots = calloc(N_SLOTS, sizeof(*h->slots))};
        return h->slots != NULL;
}

void histogram_done(struct histogram *h)
{
        free(h->slots);
        h->slots = NULL;
}

void histogram_add(struct histogram *h, int64_t ns)
{
        if (ns < 0)
                ns = 0;
        if (h->n == 0 || ns < h->min_ns)
                h->min_ns = ns;
        if (ns > h->max_ns)
                h->max_ns = ns;
        h->slots[slot_of(ns)]++;
        h->sum += (double)ns;
        h->n++;
}

/* How many of @n are @permille thousandths, rounded up. */
static uint64_t share_of(uint64_t n, unsigned int permille)
{
        return n / 1000 * permille + (n % 1000 * permille + 999) / 1000;
}

static int64_t within(const struct histogram *h, int64_t ns)
{
        if (ns < h->min_ns)
                return h->min_ns;
        return ns < h->max_ns ? ns : h->max_ns;
}

int64_t histogram_at(const struct histogram *h, unsigned int permille)
{
        uint64_t want = share_of(h->n, permille), have = 0;
        size_t   slot = 0;

        if (h->n == 0 || want == 0)
                return h->min_ns;
        while (slot < N_SLOTS - 1 && (have += h->slots[slot]) < want)
                slot++;
        return slot < N_SLOTS - 1 ? within(h, middle_of(slot)) : h->max_ns;
}

double histogram_mean(const struct histogram *h)
{
        return h->n > 0 ? h->sum / (double)h->n : 0;
}
