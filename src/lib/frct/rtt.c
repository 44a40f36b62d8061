#include "frct/rtt.h"

#define RTT_SLACK_NS (INT64_C(1) * 1000000) /* least that the variation adds to a timeout */

/* From candidate @from on, nothing is better than this sample. */
static void set_from(struct rtt *r, int from, struct rtt_min sample)
{
        for (int i = from; i < 3; i++)
                r->min[i] = sample;
}

/*
 * The least of the window, and what was least after it, each younger than the one before and not less: when
 * the first is too old, the second is there, without all samples being kept. A second is begun when a quarter
 * of the window has brought none, a third when half has.
 */
static void sample_min(struct rtt *r, struct rtt_min sample)
{
        int worse = 0;

        while (r->sampled && worse < 3 && r->min[worse].rtt_ns < sample.rtt_ns)
                worse++;
        set_from(r, worse, sample);
        while (sample.at_ns - r->min[0].at_ns > RTT_MIN_WINDOW_NS) {
                r->min[0] = r->min[1];
                r->min[1] = r->min[2];
                r->min[2] = sample;
        }
        if (r->min[1].at_ns == r->min[0].at_ns && sample.at_ns - r->min[0].at_ns > RTT_MIN_WINDOW_NS / 4)
                set_from(r, 1, sample);
        else if (r->min[2].at_ns == r->min[1].at_ns && sample.at_ns - r->min[0].at_ns > RTT_MIN_WINDOW_NS / 2)
                set_from(r, 2, sample);
        r->min_ns = r->min[0].rtt_ns;
}

/* RFC 6298, 2.2 and 2.3. */
static void smooth(struct rtt *r, int64_t rtt_ns)
{
        int64_t off = r->srtt_ns > rtt_ns ? r->srtt_ns - rtt_ns : rtt_ns - r->srtt_ns;

        if (!r->sampled) {
                r->srtt_ns = rtt_ns;
                r->var_ns  = rtt_ns / 2;
                return;
        }
        r->var_ns += (off - r->var_ns) / 4;
        r->srtt_ns += (rtt_ns - r->srtt_ns) / 8;
}

void rtt_sample(struct rtt *r, int64_t rtt_ns, int64_t delay_ns, int64_t now_ns)
{
        sample_min(r, (struct rtt_min){.at_ns = now_ns, .rtt_ns = rtt_ns});
        r->latest_ns = rtt_ns - delay_ns >= r->min_ns ? rtt_ns - delay_ns : rtt_ns;
        smooth(r, r->latest_ns);
        r->sampled = true;
}

int64_t rtt_rto_ns(const struct rtt *r, unsigned backoff)
{
        int64_t var = 4 * r->var_ns > RTT_SLACK_NS ? 4 * r->var_ns : RTT_SLACK_NS;
        int64_t rto = r->sampled ? r->srtt_ns + var + RTT_ACK_DELAY_NS : RTT_RTO_FIRST_NS;

        if (rto < RTT_RTO_MIN_NS)
                rto = RTT_RTO_MIN_NS;
        while (backoff-- > 0 && rto < RTT_RTO_MAX_NS)
                rto *= 2;
        return rto < RTT_RTO_MAX_NS ? rto : RTT_RTO_MAX_NS;
}

int64_t rtt_pto_ns(const struct rtt *r, bool alone)
{
        if (!r->sampled)
                return RTT_RTO_FIRST_NS;
        return 2 * r->srtt_ns + (alone ? RTT_ACK_DELAY_NS : 0);
}
