#include "frct_watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "frct/ack.h"
#include "frct/frct.h"
#include "frct/number.h"
#include "frct/sender.h"
#include "wire/frct.h"

#define TRY(call)                         \
        do {                              \
                const char *fault = call; \
                                          \
                if (fault != NULL)        \
                        return fault;     \
        } while (0)

void watch_init(struct watch *w, const struct watch_conf *conf, int64_t now_ns)
{
        *w = (struct watch){.conf     = *conf,
                            .stamp_ns = CLOCK_NEVER,
                            .owed_ns  = CLOCK_NEVER,
                            .heard_ns = now_ns,
                            .said_ns  = now_ns};
}

void watch_fini(struct watch *w)
{
        free(w->packets);
        w->packets = NULL;
}

/* -- the account of numbers -------------------------------------------------- */

static struct watch_packet *at(const struct watch *w, uint64_t seq)
{
        return &w->packets[seq - w->first];
}

static bool is_of_run(const struct watch *w, uint64_t seq)
{
        return w->began && w->first <= seq && seq < w->next;
}

/* FNV-1a over words: what is sent again must be the same. */
static uint64_t hash_of(uint8_t flags, const uint8_t *p, size_t n)
{
        uint64_t h = UINT64_C(0xcbf29ce484222325) ^ n << 8 ^ (flags & (FRCT_FIRST | FRCT_LAST | FRCT_FIN));
        uint64_t word;

        for (; n >= sizeof(word); n -= sizeof(word), p += sizeof(word)) {
                memcpy(&word, p, sizeof(word));
                h = (h ^ word) * UINT64_C(0x100000001b3);
                h ^= h >> 29;
        }
        while (n-- > 0)
                h = (h ^ *p++) * UINT64_C(0x100000001b3);
        return h;
}

static void append(struct watch *w, uint64_t hash, int64_t now_ns)
{
        size_t n = (size_t)(w->next - w->first);

        if (n == w->cap) {
                w->cap     = w->cap > 0 ? 2 * w->cap : 256;
                w->packets = realloc(w->packets, w->cap * sizeof(*w->packets));
                if (w->packets == NULL)
                        abort();
        }
        w->packets[n] = (struct watch_packet){.hash = hash, .sent_ns = now_ns};
        w->next++;
        w->n_wraps += (uint32_t)w->next == 0;
}

static bool is_held(const struct watch *w)
{
        return w->edge_told && w->una >= w->edge;
}

int64_t watch_oldest_ns(const struct watch *w)
{
        int64_t sent_ns;

        if (!w->began || w->una == w->next || is_held(w))
                return CLOCK_NEVER;
        sent_ns = at(w, w->una)->sent_ns;
        return sent_ns > w->room_ns ? sent_ns : w->room_ns;
}

/* -- data that is sent ------------------------------------------------------- */

static const char *begins_run(struct watch *w, const struct frct_hdr *h, int64_t now_ns)
{
        int64_t idle_ns = 3 * w->conf.mpl_ns + FRCT_A_NS + FRCT_R_NS;

        if (w->began && now_ns - w->data_ns < idle_ns)
                return "a new run before the time of the old one is over, or a number was left out";
        if (w->began && w->conf.reliable && w->una < w->next)
                return "a new run while packets of the old one are not acknowledged";
        if (!(h->flags & FRCT_RUN) || h->first != h->seq)
                return "the first packet of a run does not say so";
        w->first = w->next = w->una = w->whole = NUMBER_BASE + h->seq;
        w->edge                                = w->first + SENDER_FIRST_WINDOW;
        w->run_known = w->edge_told = false;
        w->began                    = true;
        w->run++;
        return NULL;
}

static const char *sends_new(struct watch *w, const struct frct_hdr *h, uint64_t hash, int64_t now_ns)
{
        bool fin = h->flags & FRCT_FIN;

        if (w->fin)
                return "data after FIN";
        if (w->next >= w->edge)
                return "a number at or beyond the edge";
        if (!fin && w->in_message == !!(h->flags & FRCT_FIRST))
                return "FIRST is wrong";
        if (fin && w->in_message)
                return "FIN inside a message";
        w->n_resumed += w->run_known && now_ns - w->data_ns > 2 * w->conf.mpl_ns + FRCT_A_NS + FRCT_R_NS;
        append(w, hash, now_ns);
        w->in_message = !fin && !(h->flags & FRCT_LAST);
        w->fin        = fin;
        return NULL;
}

static const char *sends_again(struct watch *w, uint64_t seq, uint64_t hash)
{
        if (!w->conf.reliable)
                return "an unreliable flow sends again";
        if (seq >= w->edge)
                return "sends again a number at or beyond the edge";
        if (at(w, seq)->hash != hash)
                return "what is sent again differs";
        if (seq < w->una)
                return "sends again what was acknowledged";
        return NULL;
}

/* RUN is needed by a receiver that knows nothing; what it skips must not be missed. */
static const char *tells_run(const struct watch *w, const struct frct_hdr *h)
{
        if (!(h->flags & FRCT_RUN))
                return w->run_known ? NULL : "no RUN, though nothing of the run was acknowledged";
        if (w->conf.reliable && number_near(w->next, h->first) > w->una)
                return "a run begins beyond what is not acknowledged";
        return NULL;
}

static const char *sends_data(struct watch *w, const struct frct_hdr *h, const uint8_t *p, size_t n,
                              int64_t now_ns)
{
        uint64_t seq  = number_near(w->next, h->seq);
        uint64_t hash = hash_of(h->flags, p, n);

        if (!is_of_run(w, seq) && (!w->began || seq != w->next)) {
                TRY(begins_run(w, h, now_ns));
                seq = w->next;
        }
        TRY(seq == w->next ? sends_new(w, h, hash, now_ns) : sends_again(w, seq, hash));
        return NULL;
}

static const char *sends_run(struct watch *w, const struct frct_hdr *h, int64_t now_ns)
{
        if (!w->began)
                return "RUN of no run";
        w->data_ns = now_ns;
        return tells_run(w, h);
}

/* -- acknowledgements that are sent ------------------------------------------ */

static const char *acks_range(const struct watch *peer, const struct frct_range *r)
{
        uint64_t from = number_near(peer->next, r->from);
        uint64_t to   = number_near(peer->next, r->to);

        if (from >= to || from < peer->first || to > peer->next)
                return "a range of numbers that were not sent";
        for (uint64_t seq = from; seq < to; seq++)
                if (!at(peer, seq)->arrived)
                        return "a range of numbers that have not arrived";
        return NULL;
}

/* D-SACK (RFC 2883) may be the first; the others lie behind ack and do not meet. */
static const char *acks_ranges(const struct watch *peer, const struct frct_hdr *h)
{
        for (size_t i = 0; i < h->n_ranges; i++) {
                const struct frct_range *r = &h->ranges[i];

                TRY(acks_range(peer, r));
                if (i > 0 && (int32_t)(r->from - h->ack) <= 0)
                        return "a range that does not lie behind a gap";
                for (size_t k = 1; k < i; k++)
                        if ((int32_t)(r->from - h->ranges[k].to) <= 0 &&
                            (int32_t)(h->ranges[k].from - r->to) <= 0)
                                return "ranges that meet";
        }
        return NULL;
}

static const char *acks_all(struct watch *peer, uint64_t ack)
{
        while (peer->whole < peer->next && at(peer, peer->whole)->arrived)
                peer->whole++;
        return ack <= peer->whole ? NULL : "acknowledges what has not arrived";
}

static const char *sends_ack(struct watch *w, struct watch *peer, const struct frct_hdr *h)
{
        uint64_t ack, edge;

        w->owed_ns = CLOCK_NEVER;
        if (peer->run == 0 || w->peer_run != peer->run)
                return NULL; /* about a run that is over */
        ack  = number_near(peer->next, h->ack);
        edge = number_near(ack, h->edge);
        if (ack < peer->first || ack > peer->next)
                return "acknowledges what was not sent";
        if (w->conf.reliable)
                TRY(acks_all(peer, ack));
        if (edge < w->told_edge)
                return "the edge moves back";
        w->told_edge = edge;
        return acks_ranges(peer, h);
}

/* -- any packet ---------------------------------------------------------------- */

static bool parse(const uint8_t *packet, size_t n, struct frct_hdr *h, struct rd *r)
{
        *r = (struct rd){.p = packet, .end = packet + n};
        return frct_hdr_get(r, h);
}

static const char *stamps(struct watch *w, const struct frct_hdr *h, int64_t now_ns)
{
        int32_t off;

        if (w->stamp_ns == CLOCK_NEVER) {
                w->stamp    = h->stamp;
                w->stamp_ns = now_ns;
        }
        off = (int32_t)(h->stamp - w->stamp - (uint32_t)((now_ns - w->stamp_ns) / NS_PER_US));
        return off >= -1 && off <= 1 ? NULL : "a stamp that is not the time";
}

const char *watch_sends(struct watch *w, struct watch *peer, const uint8_t *packet, size_t n, int64_t now_ns)
{
        struct frct_hdr h;
        struct rd       r;

        w->said_ns = now_ns;
        if (n > w->conf.packet)
                return "a packet that is too long";
        if (!parse(packet, n, &h, &r))
                return "a packet that is none";
        TRY(stamps(w, &h, now_ns));
        if (w->conf.foul)
                return NULL;
        if (h.flags & FRCT_DATA)
                TRY(sends_data(w, &h, r.p, (size_t)(r.end - r.p), now_ns));
        if (h.flags & (FRCT_DATA | FRCT_RUN))
                TRY(sends_run(w, &h, now_ns));
        return h.flags & FRCT_ACK ? sends_ack(w, peer, &h) : NULL;
}

/*
 * Without RUN it drops the packets of a run that it does not know, or has forgotten, which may be a moment
 * ago.
 */
static bool may_drop(const struct watch *w, const struct watch *peer, const struct frct_hdr *h,
                     int64_t now_ns)
{
        int64_t forget_ns = 2 * w->conf.mpl_ns + FRCT_A_NS + FRCT_R_NS;

        return !(h->flags & FRCT_RUN) && (w->peer_run != peer->run || now_ns - w->fresh_ns >= forget_ns);
}

/* The peer's run is known here from now on. */
static void enters_run(struct watch *w, const struct watch *peer, int64_t now_ns)
{
        if (w->peer_run != peer->run)
                w->told_edge = 0;
        w->peer_run = peer->run;
        w->fresh_ns = now_ns;
}

static void hears_data(struct watch *w, struct watch *peer, const struct frct_hdr *h, int64_t now_ns)
{
        uint64_t seq = number_near(peer->next, h->seq);

        if (!is_of_run(peer, seq) || may_drop(w, peer, h, now_ns))
                return;
        enters_run(w, peer, now_ns);
        at(peer, seq)->arrived = true;
        if (w->owed_ns == CLOCK_NEVER)
                w->owed_ns = now_ns;
}

static void hears_run(struct watch *w, const struct watch *peer, const struct frct_hdr *h, int64_t now_ns)
{
        uint64_t first = number_near(peer->next, h->first);

        if (is_of_run(peer, first) || (peer->began && first == peer->next))
                enters_run(w, peer, now_ns);
}

/* The first edge of a run takes the place of what was only trusted; from then on it grows. */
static void hears_edge(struct watch *w, uint64_t edge, int64_t now_ns)
{
        bool held = is_held(w);

        if (!w->edge_told || edge > w->edge)
                w->edge = edge;
        w->edge_told = true;
        if (held && !is_held(w))
                w->room_ns = now_ns;
}

static void hears_ack(struct watch *w, const struct frct_hdr *h, int64_t now_ns)
{
        uint64_t ack  = number_near(w->next, h->ack);
        uint64_t edge = number_near(ack, h->edge);

        if (!w->began || ack < w->first || ack > w->next || edge < ack)
                return;
        if (ack > w->una)
                w->una = ack;
        hears_edge(w, edge, now_ns);
        w->n_closed += edge == ack && ack == w->next;
        w->run_known = w->run_known || ack > w->first || h->n_ranges > 0;
}

const char *watch_hears(struct watch *w, struct watch *peer, const uint8_t *packet, size_t n, int64_t now_ns)
{
        struct frct_hdr h;
        struct rd       r;

        if (!parse(packet, n, &h, &r))
                return "a packet came that is none";
        w->heard_ns = now_ns;
        if (w->conf.foul)
                return NULL;
        if (h.flags & FRCT_DATA)
                hears_data(w, peer, &h, now_ns);
        else if (h.flags & FRCT_RUN)
                hears_run(w, peer, &h, now_ns);
        if (h.flags & FRCT_ACK)
                hears_ack(w, &h, now_ns);
        return NULL;
}

const char *watch_waits(const struct watch *w, int64_t now_ns)
{
        if (w->owed_ns == CLOCK_NEVER)
                return NULL;
        return now_ns - w->owed_ns <= ACK_DELAY_NS + w->conf.lag_ns
                       ? NULL
                       : "an acknowledgement is held back too long";
}

/* -- what a reader wants to see ------------------------------------------------- */

void watch_print(const uint8_t *packet, size_t n)
{
        static const char *const names[] = {"DATA", "FIRST", "LAST", "FIN", "RUN", "ACK", "PROBE"};
        struct frct_hdr          h;
        struct rd                r;

        if (!parse(packet, n, &h, &r)) {
                printf("garbage, %zu bytes\n", n);
                return;
        }
        for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                if (h.flags >> i & 1)
                        printf("%s ", names[i]);
        printf("stamp %u", h.stamp);
        if (h.flags & FRCT_DATA)
                printf(" seq %u + %zu bytes", h.seq, (size_t)(r.end - r.p));
        if (h.flags & FRCT_RUN)
                printf(" first %u", h.first);
        if (h.flags & FRCT_ACK)
                printf(" ack %u edge %u (+ %u) echo %u delay %u marks %u", h.ack, h.edge, h.edge - h.ack,
                       h.echo, h.delay, h.marks);
        for (size_t i = 0; i < h.n_ranges; i++)
                printf(" %u-%u", h.ranges[i].from, h.ranges[i].to);
        printf("\n");
}
