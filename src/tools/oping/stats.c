#include "oping/stats.h"

#include <math.h>

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

enum order_place stats_received(struct stats *s, uint64_t seq, int64_t rtt_ns)
{
        enum order_place how = order_enter(&s->order, seq);

        if (how == ORDER_TWICE) {
                s->duplicates++;
                return how;
        }
        s->received++;
        s->out_of_order += how == ORDER_LATE;
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
