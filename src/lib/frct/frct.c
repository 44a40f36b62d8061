/*
 * frct.c - one end of a flow in order: the two halves, packets as bytes, and what concerns both: signs of
 * life and the end.
 *
 * A packet with data takes an acknowledgement along when one is owed. Its ranges go where the payload leaves
 * room; a full packet leaves none, and then the acknowledgement goes first, alone, since what is missing is
 * what the peer most needs to hear.
 */
#include "frct/frct.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ouroboros/errno.h>

#include "base/clock.h"
#include "frct/receiver.h"
#include "frct/sender.h"

struct frct {
        struct frct_conf conf;
        struct sender    tx;
        struct receiver  rx;
        uint64_t         random;   /* state of a generator of first numbers  */
        int64_t          heard_ns; /* last sign of life                      */
        int64_t          said_ns;  /* ours                                   */
        bool             fin;      /* queued                                 */
        int              over;     /* 0, -EFLOWPEER, -EFLOWDOWN              */
        uint64_t         tx_packets, tx_bytes, malformed;
};

/* -- birth and death -------------------------------------------------------- */

/* SplitMix64 (Steele, Lea, Flood 2014): the seed is random, this only spreads it. */
static uint64_t draw(struct frct *f)
{
        uint64_t z = f->random += UINT64_C(0x9e3779b97f4a7c15);

        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        return z ^ z >> 31;
}

static uint64_t draw_first(struct frct *f)
{
        return NUMBER_BASE + (uint32_t)draw(f);
}

struct frct *frct_create(const struct frct_conf *conf, int64_t now_ns)
{
        struct frct *f = calloc(1, sizeof(*f));
        uint32_t     origin;

        assert(conf->packet >= FRCT_PACKET_MIN && conf->packet <= UINT16_MAX);
        if (f == NULL)
                return NULL;
        f->conf     = *conf;
        f->random   = conf->seed;
        f->heard_ns = now_ns;
        f->said_ns  = now_ns;
        origin      = (uint32_t)draw(f);
        if (sender_init(&f->tx, conf, draw_first(f), origin, now_ns) < 0 || receiver_init(&f->rx, conf) < 0) {
                frct_destroy(f);
                return NULL;
        }
        return f;
}

void frct_destroy(struct frct *f)
{
        if (f == NULL)
                return;
        sender_fini(&f->tx);
        receiver_fini(&f->rx);
        free(f);
}

/* -- the application's side ------------------------------------------------- */

static int64_t sender_idle_ns(const struct frct *f)
{
        return 3 * f->conf.mpl_ns + FRCT_A_NS + FRCT_R_NS;
}

static int64_t receiver_idle_ns(const struct frct *f)
{
        return 2 * f->conf.mpl_ns + FRCT_A_NS + FRCT_R_NS;
}

int frct_write(struct frct *f, const void *msg, size_t n, int64_t now_ns)
{
        int r;

        if (f->over < 0)
                return f->over;
        if (f->fin)
                return -EPIPE;
        if (n == 0 || n > FRCT_MESSAGE_MAX)
                return -EMSGSIZE;
        sender_begin(&f->tx, sender_idle_ns(f), draw_first(f), now_ns);
        r = sendq_push(f->tx.q, msg, n);
        if (r == 0)
                sender_queued(&f->tx, now_ns);
        return r;
}

int frct_fin(struct frct *f, int64_t now_ns)
{
        int r;

        if (f->fin || f->over < 0)
                return 0;
        sender_begin(&f->tx, sender_idle_ns(f), draw_first(f), now_ns);
        r = sendq_push_fin(f->tx.q);
        if (r < 0)
                return r;
        f->fin = true;
        sender_queued(&f->tx, now_ns);
        return 0;
}

bool frct_has_room(const struct frct *f, size_t n)
{
        return sendq_has_room(f->tx.q, n);
}

bool frct_peer_done(const struct frct *f)
{
        return recvq_ended(f->rx.q);
}

ptrdiff_t frct_look(struct frct *f)
{
        ptrdiff_t n = recvq_look(f->rx.q);

        if (n > 0)
                return n - (ptrdiff_t)recvq_offset(f->rx.q);
        return n == 0 ? f->over : n;
}

size_t frct_read(struct frct *f, void *buf, size_t n, int64_t now_ns)
{
        size_t got = recvq_read(f->rx.q, buf, n);

        if (f->over == 0)
                receiver_read(&f->rx, now_ns);
        return got;
}

bool frct_is_quiet(const struct frct *f)
{
        return f->over < 0 || sender_is_quiet(&f->tx);
}

bool frct_is_reliable(const struct frct *f)
{
        return f->conf.reliable;
}

bool frct_is_over(const struct frct *f)
{
        return f->over < 0;
}

static void end(struct frct *f, int why)
{
        if (f->over == 0)
                f->over = why;
}

void frct_down(struct frct *f)
{
        end(f, -EFLOWDOWN);
}

/* -- packets in ------------------------------------------------------------- */

bool frct_rx(struct frct *f, const void *packet, size_t n, bool marked, int64_t now_ns)
{
        struct rd       r = {.p = packet, .end = (const uint8_t *)packet + n};
        struct frct_hdr h;

        if (f->over < 0)
                return false;
        if (n > f->conf.packet || !frct_hdr_get(&r, &h)) {
                f->malformed++;
                return false;
        }
        f->heard_ns = now_ns;
        if (h.flags & FRCT_ACK && !sender_acknowledged(&f->tx, &h, now_ns))
                f->malformed++;
        if (h.flags & FRCT_DATA)
                receiver_data(&f->rx, &h, r.p, (size_t)(r.end - r.p), marked, receiver_idle_ns(f), now_ns);
        else if (h.flags & FRCT_PROBE)
                receiver_probed(&f->rx, &h, receiver_idle_ns(f), now_ns);
        return true;
}

/* -- packets out ------------------------------------------------------------ */

static size_t put(struct frct *f, const struct frct_hdr *h, const void *payload, size_t n, uint8_t *out,
                  int64_t now_ns)
{
        struct wr w = {.p = out, .end = out + f->conf.packet};

        frct_hdr_put(&w, h);
        assert(!w.bad && (size_t)(w.end - w.p) >= n);
        if (n > 0)
                memcpy(w.p, payload, n);
        w.p += n;
        f->said_ns = now_ns;
        f->tx_packets++;
        f->tx_bytes += (uint64_t)(w.p - out);
        return (size_t)(w.p - out);
}

/* Ranges that fit beside @payload bytes in a packet with @flags. */
static size_t ranges_that_fit(const struct frct *f, uint8_t flags, size_t payload)
{
        return (f->conf.packet - frct_hdr_len(flags, 0) - payload) / FRCT_RANGE_LEN;
}

static size_t tx_data(struct frct *f, const struct sent *p, uint64_t seq, uint8_t *out, int64_t now_ns)
{
        struct frct_hdr h = {.flags = (uint8_t)(FRCT_DATA | p->flags), .seq = (uint32_t)seq};
        size_t          n;

        if (f->tx.probe)
                h.flags |= FRCT_PROBE;
        if (sender_tells_run(&f->tx)) {
                h.flags |= FRCT_RUN;
                h.first = (uint32_t)sendq_base(f->tx.q);
        }
        if (receiver_owes(&f->rx))
                receiver_acknowledge(&f->rx, &h, ranges_that_fit(f, h.flags | FRCT_ACK, p->len), now_ns);
        h.stamp = sender_stamp(&f->tx, now_ns);
        n       = put(f, &h, p->payload, p->len, out, now_ns);
        sender_sent(&f->tx, seq, now_ns);
        return n;
}

/* @ask: a probe is due, and there is no data to carry it. */
static size_t tx_alone(struct frct *f, bool ask, uint8_t *out, int64_t now_ns)
{
        struct frct_hdr h = {.stamp = sender_stamp(&f->tx, now_ns)};

        if (ask)
                h.flags |= FRCT_PROBE;
        if (ask && sender_asks_window(&f->tx, now_ns)) {
                h.flags |= FRCT_RUN;
                h.first = (uint32_t)sendq_base(f->tx.q);
        }
        f->tx.probe = f->tx.probe && !ask;
        if (receiver_owes(&f->rx))
                receiver_acknowledge(&f->rx, &h, FRCT_RANGES_MAX, now_ns);
        return put(f, &h, NULL, 0, out, now_ns);
}

/* A full packet has no room for what the peer lacks. */
static bool ack_goes_first(const struct frct *f, const struct sent *p, int64_t now_ns)
{
        return receiver_due_ns(&f->rx) <= now_ns &&
               ranges_that_fit(f, FRCT_DATA | FRCT_RUN | FRCT_ACK, p->len) < 4 && receiver_has_ranges(&f->rx);
}

static int64_t keepalive_ns(const struct frct *f)
{
        return f->conf.timeout_ns > 0 ? f->said_ns + f->conf.timeout_ns / 4 : CLOCK_NEVER;
}

static int64_t death_ns(const struct frct *f)
{
        return f->conf.timeout_ns > 0 ? f->heard_ns + f->conf.timeout_ns : CLOCK_NEVER;
}

static bool expire(struct frct *f, int64_t now_ns)
{
        if (!sender_expire(&f->tx, now_ns) || death_ns(f) <= now_ns) {
                end(f, -EFLOWPEER);
                return false;
        }
        if (keepalive_ns(f) <= now_ns) {
                f->tx.probe = true;
                sendq_trim(f->tx.q); /* it has been quiet for long */
                recvq_trim(f->rx.q);
        }
        return true;
}

void frct_expire(struct frct *f, int64_t now_ns)
{
        if (f->over == 0)
                (void)expire(f, now_ns);
}

size_t frct_tx(struct frct *f, uint8_t *out, int64_t now_ns)
{
        const struct sent *p;
        uint64_t           seq;

        if (f->over < 0 || !expire(f, now_ns))
                return 0;
        p = sender_next(&f->tx, &seq, now_ns);
        if (p != NULL && !ack_goes_first(f, p, now_ns))
                return tx_data(f, p, seq, out, now_ns);
        if (receiver_due_ns(&f->rx) <= now_ns || (p == NULL && f->tx.probe))
                return tx_alone(f, p == NULL && f->tx.probe, out, now_ns);
        return 0;
}

int64_t frct_due_ns(const struct frct *f)
{
        int64_t due_ns = sender_due_ns(&f->tx);

        if (f->over < 0)
                return CLOCK_NEVER;
        if (receiver_due_ns(&f->rx) < due_ns)
                due_ns = receiver_due_ns(&f->rx);
        if (keepalive_ns(f) < due_ns)
                due_ns = keepalive_ns(f);
        if (death_ns(f) < due_ns)
                due_ns = death_ns(f);
        return due_ns;
}

/* -- numbers for people ------------------------------------------------------ */

void frct_stats(const struct frct *f, struct frct_stats *s)
{
        const struct sender   *t = &f->tx;
        const struct receiver *r = &f->rx;

        *s = (struct frct_stats){
                .tx_packets    = f->tx_packets,
                .tx_bytes      = f->tx_bytes,
                .retransmitted = t->retransmitted,
                .spurious      = t->spurious,
                .probes        = t->probes,
                .timeouts      = t->timeouts,
                .losses        = t->losses,
                .rx_packets    = r->packets,
                .rx_bytes      = r->bytes,
                .duplicates    = r->duplicates,
                .outside       = r->outside,
                .malformed     = f->malformed,
                .marks         = r->marks,
                .cwnd          = t->cc.cwnd,
                .in_flight     = t->in_flight,
                .pacing_rate   = t->cc.pacing_rate,
                .srtt_ns       = t->rtt.srtt_ns,
                .rtt_var_ns    = t->rtt.var_ns,
                .min_rtt_ns    = t->rtt.min_ns,
                .tx_queued     = sendq_bytes(t->q),
                .rx_queued     = recvq_bytes(r->q),
                .tx_window     = t->edge > sendq_next(t->q) ? t->edge - sendq_next(t->q) : 0,
        };
}
