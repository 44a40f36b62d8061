#include "frct/receiver.h"

#include <errno.h>

#include "base/clock.h"

/* Numbers of the window: a message of FRCT_MESSAGE_MAX must find room for all its packets. */
#define WINDOW_PACKETS 65536u

int receiver_init(struct receiver *r, const struct frct_conf *conf)
{
        size_t piece = conf->packet - FRCT_HDR_DATA_MAX;
        size_t bytes = conf->rx_bytes > 0 ? conf->rx_bytes : FRCT_QUEUE_BYTES;

        *r = (struct receiver){.reliable = conf->reliable};
        ack_init(&r->ack);
        r->q = recvq_create(piece, bytes, WINDOW_PACKETS, conf->reliable);
        return r->q == NULL ? -ENOMEM : 0;
}

void receiver_fini(struct receiver *r)
{
        recvq_destroy(r->q);
        r->q = NULL;
}

/* -- runs ------------------------------------------------------------------- */

static uint64_t next_of(const struct receiver *r)
{
        return r->reliable ? recvq_next(r->q) : r->seen.next;
}

/*
 * A run that goes on where the last one was left is the same: its sender only waited for longer than we
 * remember. What was acknowledged of an unfinished message stays.
 */
static bool goes_on(const struct receiver *r, uint32_t first)
{
        return r->reliable && r->begun && (uint32_t)next_of(r) == first;
}

static void begin(struct receiver *r, uint32_t first)
{
        uint64_t number = NUMBER_BASE + first;

        r->active = true;
        if (goes_on(r, first))
                return;
        r->begun = true;
        r->told  = number;
        recvq_begin(r->q, number);
        seen_begin(&r->seen, number);
        ack_begin(&r->ack);
}

/*
 * Whether a packet means something to us. What has RUN begins one if there is none; a number of DATA that
 * lies too far ahead of `first` cannot be of the run that it claims.
 */
static bool enter_run(struct receiver *r, const struct frct_hdr *h, int64_t idle_ns, int64_t now_ns)
{
        if (r->active && now_ns - r->data_ns > idle_ns)
                r->active = false;
        if (!r->active) {
                if (!(h->flags & FRCT_RUN) || r->fin)
                        return false;
                if (h->flags & FRCT_DATA && h->seq - h->first >= recvq_window(r->q))
                        return false;
                begin(r, h->first);
        }
        r->data_ns = now_ns;
        return true;
}

/* -- a packet --------------------------------------------------------------- */

/* What the sender has given up. A `first` that is newer than the packet that it comes with is a lie. */
static void skip(struct receiver *r, const struct frct_hdr *h)
{
        uint64_t first = number_near(next_of(r), h->first);

        if (r->reliable || !(h->flags & FRCT_RUN))
                return;
        if (h->flags & FRCT_DATA && first > number_near(next_of(r), h->seq))
                return;
        recvq_skip(r->q, first);
        seen_floor(&r->seen, first);
}

static void count(struct receiver *r, enum recvq_put put, size_t n)
{
        r->packets++;
        if (put == RECVQ_DUPLICATE)
                r->duplicates++;
        else if (put == RECVQ_OUTSIDE || put == RECVQ_NO_MEMORY)
                r->outside++;
        else
                r->bytes += n;
}

/* Out of order, or into a gap of which more is left, or asked for. */
static bool is_urgent(const struct receiver *r, const struct frct_hdr *h, enum recvq_put put)
{
        struct range one;

        if (put != RECVQ_IN_ORDER || h->flags & (FRCT_FIN | FRCT_PROBE))
                return true;
        return r->reliable && recvq_ranges(r->q, 0, &one, 1) > 0;
}

void receiver_data(struct receiver *r, const struct frct_hdr *h, const void *payload, size_t n, bool marked,
                   int64_t idle_ns, int64_t now_ns)
{
        enum recvq_put put;
        uint64_t       seq;
        bool           dup;

        r->marks += marked;
        if (!enter_run(r, h, idle_ns, now_ns))
                return;
        skip(r, h);
        seq = number_near(next_of(r), h->seq);
        put = recvq_put(r->q, seq, h->flags & (FRCT_FIRST | FRCT_LAST | FRCT_FIN), payload, n);
        count(r, put, n);
        dup = put == RECVQ_DUPLICATE;
        if (!r->reliable && put != RECVQ_OUTSIDE)
                dup = !seen_put(&r->seen, seq);
        if (h->flags & FRCT_FIN && put != RECVQ_OUTSIDE && put != RECVQ_NO_MEMORY)
                r->fin = true;
        ack_data(&r->ack, seq, h->stamp, marked, is_urgent(r, h, put), dup, now_ns);
}

void receiver_probed(struct receiver *r, const struct frct_hdr *h, int64_t idle_ns, int64_t now_ns)
{
        if (h->flags & FRCT_RUN && enter_run(r, h, idle_ns, now_ns))
                skip(r, h);
        if (r->active)
                ack_probe(&r->ack, h->stamp, now_ns);
}

/* -- what is told ----------------------------------------------------------- */

void receiver_read(struct receiver *r, int64_t now_ns)
{
        uint64_t edge   = recvq_edge(r->q);
        uint64_t window = recvq_window(r->q);

        if (!r->active || edge <= r->told)
                return;
        if (edge - r->told >= window / 4 || r->told <= recvq_next(r->q))
                ack_window(&r->ack, now_ns);
}

bool receiver_owes(const struct receiver *r)
{
        return r->ack.due_ns != CLOCK_NEVER;
}

static size_t ranges(const struct receiver *r, struct range *out, size_t max)
{
        return r->reliable ? recvq_ranges(r->q, r->ack.newest, out, max)
                           : seen_ranges(&r->seen, r->ack.newest, out, max);
}

bool receiver_has_ranges(const struct receiver *r)
{
        struct range one;

        return r->ack.twice.from != r->ack.twice.to || ranges(r, &one, 1) > 0;
}

static void put_range(struct frct_hdr *h, const struct range *r)
{
        h->ranges[h->n_ranges++] = (struct frct_range){(uint32_t)r->from, (uint32_t)r->to};
}

void receiver_acknowledge(struct receiver *r, struct frct_hdr *h, size_t max, int64_t now_ns)
{
        struct range out[FRCT_RANGES_MAX];
        size_t       n;

        if (max > FRCT_RANGES_MAX)
                max = FRCT_RANGES_MAX;
        r->told     = recvq_edge(r->q);
        h->flags    = (uint8_t)(h->flags | FRCT_ACK);
        h->ack      = (uint32_t)next_of(r);
        h->edge     = (uint32_t)r->told;
        h->echo     = r->ack.echo;
        h->delay    = ack_delay_us(&r->ack, now_ns);
        h->marks    = r->ack.marks;
        h->n_ranges = 0;
        if (max > 0 && r->ack.twice.from != r->ack.twice.to) {
                put_range(h, &r->ack.twice);
                max--;
        }
        n = ranges(r, out, max);
        for (size_t i = 0; i < n; i++)
                put_range(h, &out[i]);
        ack_made(&r->ack);
}
