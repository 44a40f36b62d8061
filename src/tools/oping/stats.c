#include "oping/stats.h"

#include <math.h>

#define WINDOW 64u

/* Notes @seq in the window of the latest numbers. */
static enum stats_reply place(struct stats *s, uint64_t seq)
{
        uint64_t back;

        if (seq >= s->next) {
                uint64_t by = seq + 1 - s->next;

                s->seen = (by < WINDOW ? s->seen << by : 0) | 1;
                s->next = seq + 1;
                return STATS_IN_ORDER;
        }
        back = s->next - 1 - seq;
        if (back >= WINDOW)
                return STATS_OUT_OF_ORDER;
        if ((s->seen >> back & 1) != 0)
                return STATS_DUPLICATE;
        s->seen |= UINT64_C(1) << back;
        return STATS_OUT_OF_ORDER;
}

/* Welford's way: the mean and the squared differences from it in one pass, without losing digits. */
static void enter_rtt(struct stats *s, int64_t rtt_ns)
{
        double off = (double)rtt_ns - s->mean_ns;

        if (s->received == 1 || rtt_ns < s->min_ns)
                s->min_ns = rtt_ns;
        if (rtt_ns > s->max_ns)
                s->max_ns = rtt_ns;
        s->mean_ns += off / (double)s->received;
        s->sum2 += off * ((double)rtt_ns - s->mean_ns);
}

enum stats_reply stats_received(struct stats *s, uint64_t seq, int64_t rtt_ns)
{
        enum stats_reply how = place(s, seq);

        if (how == STATS_DUPLICATE) {
                s->duplicates++;
                return how;
        }
        s->received++;
        s->out_of_order += how == STATS_OUT_OF_ORDER;
        enter_rtt(s, rtt_ns);
        return how;
}

double stats_loss(const struct stats *s)
{
        if (s->received >= s->sent)
                return 0;
        return 100.0 * (double)(s->sent - s->received) / (double)s->sent;
}

double stats_mdev_ns(const struct stats *s)
{
        return s->received > 0 ? sqrt(s->sum2 / (double)s->received) : 0;
}
