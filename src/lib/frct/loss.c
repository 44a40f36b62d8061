#include "frct/loss.h"

#include "base/clock.h"

void loss_init(struct loss *l)
{
        *l = (struct loss){.rack_tx_ns = INT64_MIN, .reo_mult = 1, .reo_due_ns = CLOCK_NEVER};
}

/*
 * A former transmission has left no trace but its time: nothing that was sent in the same ns counts as sent
 * before it.
 */
static uint64_t order_at(const struct sent *s, int64_t tx_ns)
{
        return tx_ns == s->tx_ns ? s->order : 0;
}

static bool is_before(int64_t a_ns, uint64_t a_order, int64_t b_ns, uint64_t b_order)
{
        return a_ns < b_ns || (a_ns == b_ns && a_order < b_order);
}

/*
 * RFC 8985, 6.2, steps 2 and 3. What arrives behind others shows reordering only if those were known before
 * this acknowledgement, and if this is no retransmission.
 */
void loss_arrived(struct loss *l, struct sendq *q, uint64_t seq, int64_t tx_ns, int64_t now_ns)
{
        const struct sent *s     = sendq_at(q, seq);
        uint64_t           order = order_at(s, tx_ns);

        if (is_before(l->rack_tx_ns, l->rack_order, tx_ns, order)) {
                l->rack_tx_ns  = tx_ns;
                l->rack_order  = order;
                l->rack_rtt_ns = now_ns - tx_ns;
        }
        if (seq < l->fack_before && tx_ns == s->first_ns)
                l->reordered = true;
        if (seq >= l->fack)
                l->fack = seq + 1;
        sendq_arrived(q, seq);
}

void loss_dsack(struct loss *l, uint64_t next)
{
        if (l->dsack_round != 0)
                return;
        l->dsack_round = next;
        l->reo_persist = LOSS_REO_PERSIST;
        if (l->reo_mult < LOSS_REO_MULT_MAX)
                l->reo_mult++;
}

int64_t loss_window_ns(const struct loss *l, const struct rtt *r)
{
        int64_t window = r->min_ns / 4 * l->reo_mult;

        if (!l->reordered && (l->recovering || l->overtaken >= LOSS_DUPTHRESH))
                return 0;
        return window < r->srtt_ns ? window : r->srtt_ns;
}

static uint64_t lose(struct loss *l, struct sendq *q, uint64_t seq, unsigned *n)
{
        sendq_lose(q, seq);
        if (++*n == 1)
                l->first_lost = seq;
        return sendq_at(q, seq)->len;
}

/* When the packet that was sent longest ago (*@seq) will be taken for lost. The others come after it. */
static int64_t oldest_due_ns(const struct loss *l, struct sendq *q, int64_t window_ns, uint64_t *seq)
{
        const struct sent *s = sendq_oldest(q, seq);

        if (s == NULL || !is_before(s->tx_ns, s->order, l->rack_tx_ns, l->rack_order))
                return CLOCK_NEVER;
        return s->tx_ns + l->rack_rtt_ns + window_ns;
}

uint64_t loss_detect(struct loss *l, struct sendq *q, const struct rtt *r, int64_t now_ns, unsigned *n)
{
        uint64_t bytes = 0;
        uint64_t seq;
        int64_t  window;

        l->fack_before = l->fack;
        l->overtaken   = (unsigned)sendq_overtaken(q);
        window         = loss_window_ns(l, r);
        *n             = 0;
        while ((l->reo_due_ns = oldest_due_ns(l, q, window, &seq)) <= now_ns)
                bytes += lose(l, q, seq, n);
        return bytes;
}

uint64_t loss_timeout(struct loss *l, struct sendq *q, const struct rtt *r, int64_t now_ns, unsigned *n)
{
        uint64_t           bytes = 0;
        uint64_t           seq;
        const struct sent *s;

        *n = 0;
        while ((s = sendq_oldest(q, &seq)) != NULL && (*n == 0 || s->tx_ns + r->srtt_ns <= now_ns))
                bytes += lose(l, q, seq, n);
        l->reo_due_ns = oldest_due_ns(l, q, loss_window_ns(l, r), &seq);
        return bytes;
}

bool loss_begin(struct loss *l, uint64_t next)
{
        if (l->recovering)
                return false;
        l->recovering   = true;
        l->recovery_end = next;
        return true;
}

void loss_undo(struct loss *l)
{
        l->recovering = false;
}

/* A recovery is over: one fewer until the window is as narrow as it was. */
static void recovered(struct loss *l)
{
        l->recovering = false;
        if (l->reo_persist > 0 && --l->reo_persist == 0)
                l->reo_mult = 1;
}

bool loss_advance(struct loss *l, uint64_t base)
{
        if (base >= l->dsack_round)
                l->dsack_round = 0;
        if (!l->recovering || base < l->recovery_end)
                return false;
        recovered(l);
        return true;
}
