/*
 * hystart.c - see hystart.h. The names of RFC 9406, 4.2: currentRoundMinRTT is min_ns, lastRoundMinRTT
 * last_min_ns, windowEnd round_end, cssBaselineMinRtt baseline_ns.
 */
#include "frct/hystart.h"

#include "base/clock.h"

#define THRESH_MIN_NS (4 * NS_PER_MS)
#define THRESH_MAX_NS (16 * NS_PER_MS)
#define THRESH_SHIFT  3 /* MIN_RTT_DIVISOR 8 */
#define NO_RTT        INT64_MAX

void hystart_init(struct hystart *h)
{
        *h = (struct hystart){.min_ns = NO_RTT, .last_min_ns = NO_RTT, .baseline_ns = NO_RTT};
}

static void begin_round(struct hystart *h, uint64_t next)
{
        h->last_min_ns = h->min_ns;
        h->min_ns      = NO_RTT;
        h->samples     = 0;
        h->round_end   = next;
}

static void end_round(struct hystart *h, uint64_t next)
{
        if (h->phase == HYSTART_CAREFUL && ++h->rounds >= HYSTART_ROUNDS)
                h->phase = HYSTART_OVER;
        begin_round(h, next);
}

static void take_sample(struct hystart *h, int64_t rtt_ns)
{
        h->samples++;
        if (rtt_ns < h->min_ns)
                h->min_ns = rtt_ns;
}

static int64_t threshold_ns(int64_t rtt_ns)
{
        int64_t t = rtt_ns >> THRESH_SHIFT;

        if (t > THRESH_MAX_NS)
                return THRESH_MAX_NS;
        return t < THRESH_MIN_NS ? THRESH_MIN_NS : t;
}

static bool queue_grows(const struct hystart *h)
{
        return h->last_min_ns != NO_RTT && h->min_ns >= h->last_min_ns + threshold_ns(h->last_min_ns);
}

static void judge(struct hystart *h)
{
        if (h->samples < HYSTART_SAMPLES)
                return;
        if (h->phase == HYSTART_FAST && queue_grows(h)) {
                h->phase       = HYSTART_CAREFUL;
                h->baseline_ns = h->min_ns;
                h->rounds      = 0;
        } else if (h->phase == HYSTART_CAREFUL && h->min_ns < h->baseline_ns) {
                h->phase       = HYSTART_FAST;
                h->baseline_ns = NO_RTT;
        }
}

enum hystart_phase hystart_acked(struct hystart *h, uint64_t base, uint64_t next, int64_t rtt_ns)
{
        if (h->phase == HYSTART_OVER)
                return HYSTART_OVER;
        if (!h->begun) { /* what is out now is the first round */
                h->begun = true;
                begin_round(h, next);
        }
        if (rtt_ns > 0) {
                take_sample(h, rtt_ns);
                judge(h);
        }
        if (base >= h->round_end)
                end_round(h, next);
        return h->phase;
}
