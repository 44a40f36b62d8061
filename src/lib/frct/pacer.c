/*
 * pacer.c - see pacer.h.
 *
 * The level counts in 10^-9 bytes, because bytes per second times nanoseconds is just that: filling is a
 * multiplication, exact, and nothing is lost to rounding at any rate. Only the time until a packet may
 * leave needs a division, and it is rounded up.
 */
#include "frct/pacer.h"

#include "base/clock.h"

#define RATE_MAX  (UINT64_C(1) << 40) /* bytes per second  */
#define BURST_MAX (UINT64_C(1) << 30) /* bytes             */
#define LATE_NS   NS_PER_MS

static uint64_t at_most(uint64_t v, uint64_t max)
{
        return v < max ? v : max;
}

/* A bucket that holds nothing would never let a packet leave. */
static int64_t burst_level(uint64_t burst)
{
        return (int64_t)(burst > 0 ? burst : 1) * NS_PER_S;
}

/*
 * What the bucket holds now. Who was told to wait and came late has lost no right for it: timers of some
 * ten microseconds' precision would else take most of a fast rate.
 */
static int64_t full_level(const struct pacer *p, int64_t now_ns)
{
        int64_t late_ns = p->due_ns > 0 && now_ns > p->due_ns ? now_ns - p->due_ns : 0;

        return burst_level(p->burst) + (int64_t)p->rate * (late_ns < LATE_NS ? late_ns : LATE_NS);
}

static void fill(struct pacer *p, int64_t now_ns)
{
        int64_t full, gain;

        if (now_ns <= p->at_ns)
                return;
        full = full_level(p, now_ns);
        if (__builtin_mul_overflow((int64_t)p->rate, now_ns - p->at_ns, &gain) || gain > full - p->level)
                p->level = full;
        else
                p->level += gain;
        p->at_ns = now_ns;
}

void pacer_init(struct pacer *p, uint64_t burst, int64_t now_ns)
{
        *p       = (struct pacer){.at_ns = now_ns, .burst = at_most(burst, BURST_MAX)};
        p->level = burst_level(p->burst);
}

void pacer_set(struct pacer *p, uint64_t rate, uint64_t burst, int64_t now_ns)
{
        int64_t full;

        fill(p, now_ns);
        p->rate  = at_most(rate, RATE_MAX);
        p->burst = at_most(burst, BURST_MAX);
        full     = full_level(p, now_ns);
        if (p->level > full || p->rate == 0)
                p->level = full;
}

int64_t pacer_due_ns(struct pacer *p, int64_t now_ns)
{
        int64_t rate = (int64_t)p->rate;

        if (rate == 0)
                return 0;
        fill(p, now_ns);
        if (p->level > 0)
                return 0;
        p->due_ns = p->at_ns + (rate - p->level) / rate; /* (1 - level) / rate, rounded up */
        return p->due_ns;
}

void pacer_spend(struct pacer *p, uint64_t bytes, int64_t now_ns)
{
        if (p->rate == 0)
                return;
        fill(p, now_ns);
        p->level -= (int64_t)bytes * NS_PER_S;
        if (p->level <= burst_level(p->burst))
                p->due_ns = 0;
}
