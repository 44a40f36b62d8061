/*
 * frct_scenario.c - the seed draws what the ends are like, the weather of each direction, what each end says
 * and how it reads, blackouts, and a fate.
 *
 * Whatever the weather, from heal_ns on the network is good, or not bad. From then on a flow that has
 * something to do and is not held back by a reader must get on within STALL_NS, or be over. Being over
 * needs a reason (talk_look()), and a network that was never bad is none.
 */
#include "frct_scenario.h"

#include <errno.h>

#include <ouroboros/errno.h>

#include "base/clock.h"
#include "frct/sender.h"

#include "frct_talk.h"
#include "frct_world.h"
#include "random.h"

#define STALL_NS  (200 * NS_PER_S)
#define END_NS    (20000 * NS_PER_S)
#define SETTLE_NS (130 * NS_PER_S) /* two of the longest timeouts */
#define SLICE_NS  (5 * NS_PER_S)
#define CLOSE_NS  (20 * NS_PER_MS)

const char *const tally_names[TALLY_N] = {
        [TALLY_PACKETS] = "packets",   [TALLY_SECONDS] = "seconds",
        [TALLY_MESSAGES] = "messages", [TALLY_BYTES] = "bytes",
        [TALLY_AGAIN] = "sent again",  [TALLY_SPURIOUS] = "in vain",
        [TALLY_TIMEOUTS] = "timeouts", [TALLY_MARKS] = "marks",
        [TALLY_RUNS] = "further runs", [TALLY_RESUMED] = "resumed runs",
        [TALLY_WRAPS] = "wraps",       [TALLY_CLOSED] = "closed windows",
        [TALLY_ENDS] = "ends",         [TALLY_PEER] = "peers lost",
        [TALLY_DOWN] = "flows down",   [TALLY_UNRELIABLE] = "unreliable flows",
        [TALLY_FOUL] = "foul flows",
};

enum fate {
        FATE_NONE,
        FATE_CRASH, /* of an end: it says nothing more                          */
        FATE_DOWN,  /* the layer ends the flow, at both ends, not at once       */
        FATE_CLOSE, /* an end that is done is closed; the layer tells the other */
};

struct scenario {
        struct world     w;
        uint64_t         random;
        struct link_conf weather[2];
        struct frct_conf conf;
        struct talk_plan plans[2];
        struct talk      talks[2];
        int64_t          heal_ns;
        bool             clean, harsh, foul;
        enum fate        fate;
        int64_t          fate_ns;
        unsigned         victim;
        int64_t          tell_ns[2]; /* when the layer tells an end; CLOCK_NEVER */

        uint64_t  sign;    /* of progress   */
        int64_t   sign_ns; /* when it was new */
        uint64_t *tally;
};

/* -- drawing ------------------------------------------------------------------------ */

static uint64_t below(struct scenario *s, uint64_t n)
{
        return random_below(&s->random, n);
}

static bool one_in(struct scenario *s, uint64_t n)
{
        return below(s, n) == 0;
}

/* From @min to @max, each power of two between as likely as the others. */
static uint64_t spread(struct scenario *s, uint64_t min, uint64_t max)
{
        unsigned steps = 0;
        uint64_t low;

        while (min << steps < max)
                steps++;
        low = min << below(s, steps + 1);
        low = low > max ? max : low;
        low += below(s, low + 1);
        return low > max ? max : low;
}

static int64_t spread_ns(struct scenario *s, int64_t min_ns, int64_t max_ns)
{
        return (int64_t)spread(s, (uint64_t)min_ns, (uint64_t)max_ns);
}

/* -- weather ------------------------------------------------------------------------ */

static void sunny(struct scenario *s, struct link_conf *l)
{
        (void)s;
        (void)l;
}

static void lossy(struct scenario *s, struct link_conf *l)
{
        l->loss_ppm = (uint32_t)spread(s, 500, 30000);
}

static void gusty(struct scenario *s, struct link_conf *l)
{
        l->burst_ppm      = (uint32_t)spread(s, 1000, 20000);
        l->burst_end_ppm  = (uint32_t)spread(s, 20000, 500000);
        l->burst_loss_ppm = (uint32_t)(500000 + below(s, 500001));
        l->burst_ns       = spread_ns(s, 10 * NS_PER_MS, 500 * NS_PER_MS);
}

static void reordering(struct scenario *s, struct link_conf *l)
{
        l->late_ppm = (uint32_t)spread(s, 1000, 300000);
        l->late_ns  = spread_ns(s, 100 * NS_PER_US, 200 * NS_PER_MS);
}

static void doubling(struct scenario *s, struct link_conf *l)
{
        l->dup_ppm = (uint32_t)spread(s, 1000, 500000);
        l->late_ns = spread_ns(s, 100 * NS_PER_US, 200 * NS_PER_MS);
}

static void noisy(struct scenario *s, struct link_conf *l)
{
        l->alter_ppm = (uint32_t)spread(s, 1000, 20000);
}

static void shaky(struct scenario *s, struct link_conf *l)
{
        l->jitter_ns = spread_ns(s, 100 * NS_PER_US, 300 * NS_PER_MS);
}

static void awful(struct scenario *s, struct link_conf *l)
{
        l->loss_ppm = (uint32_t)spread(s, 50000, 400000);
        s->harsh    = true;
}

static void (*const weathers[])(struct scenario *, struct link_conf *) = {
        sunny, lossy, gusty, reordering, doubling, noisy, shaky, awful,
};

#define N_WEATHERS (sizeof(weathers) / sizeof(weathers[0]))

/*
 * A line with a rate has a queue of some round trips, or of few packets, and marks what waits long, or does
 * not.
 */
static void draw_line(struct scenario *s, struct link_conf *l)
{
        uint64_t bdp;

        l->delay_ns = one_in(s, 10) ? 0 : spread_ns(s, 10 * NS_PER_US, 300 * NS_PER_MS);
        if (s->conf.cc == CC_NONE || one_in(s, 3))
                return;
        l->rate  = spread(s, 30000, 125000000);
        bdp      = l->rate / 1000 * (uint64_t)(2 * l->delay_ns / NS_PER_US) / 1000;
        l->queue = bdp * spread(s, 10, 400) / 100 + (5 + below(s, 40)) * s->conf.packet;
        if (l->queue > 4 * l->rate) /* four seconds */
                l->queue = 4 * l->rate + 5 * s->conf.packet;
        l->mark = one_in(s, 3) ? l->queue / 4 : 0;
}

static void draw_weather(struct scenario *s, struct link_conf *l)
{
        *l = (struct link_conf){.overhead = (uint32_t)below(s, 60)};
        draw_line(s, l);
        for (uint64_t i = below(s, 3); i > 0; i--)
                weathers[below(s, N_WEATHERS)](s, l);
        if (s->foul)
                l->alter_ppm = 100000;
}

static bool is_clean(const struct link_conf *l)
{
        return l->loss_ppm + l->burst_ppm + l->late_ppm + l->dup_ppm + l->alter_ppm == 0 && l->rate == 0;
}

/* -- ends --------------------------------------------------------------------------- */

/* Undoes the spreading of SplitMix64 (Steele, Lea, Flood 2014): the state that gives @z. */
static uint64_t unmix(uint64_t z)
{
        z = (z ^ z >> 31 ^ z >> 62) * UINT64_C(0x319642b2d24d8ec3);
        z = (z ^ z >> 27 ^ z >> 54) * UINT64_C(0x96de1b173f119089);
        return z ^ z >> 30 ^ z >> 60;
}

/*
 * frct.c draws the origin of stamps, then the first number, from a SplitMix64 whose state is the seed: one
 * in four begins shortly before its numbers wrap. (If that ever changes, TALLY_WRAPS shows it.)
 */
static uint64_t draw_seed(struct scenario *s)
{
        uint64_t high  = random_next(&s->random) << 32;
        uint32_t first = (uint32_t)-spread(s, 1, 2000);

        if (!one_in(s, 4))
                return random_next(&s->random);
        return unmix(high | first) - 2 * UINT64_C(0x9e3779b97f4a7c15);
}

static size_t draw_packet(struct scenario *s)
{
        static const size_t sizes[] = {FRCT_PACKET_MIN, 500, 1400, 1400, 1400, 1400, 4000, 9000};

        return one_in(s, 40) ? UINT16_MAX : sizes[below(s, sizeof(sizes) / sizeof(sizes[0]))];
}

static size_t draw_queue(struct scenario *s)
{
        return one_in(s, 3) ? 0 : spread(s, 128 << 10, 4 << 20);
}

static void draw_conf(struct scenario *s)
{
        s->conf = (struct frct_conf){
                .packet   = draw_packet(s),
                .overhead = below(s, 60),
                .reliable = !one_in(s, 4),
                .cc       = (enum cc_kind)below(s, CC_N),
                .tx_bytes = draw_queue(s),
                .rx_bytes = draw_queue(s),
        };
}

/* Nothing outlives MPL. */
static void draw_times(struct scenario *s)
{
        int64_t a       = link_life_ns(&s->weather[0], s->conf.packet),
                b       = link_life_ns(&s->weather[1], s->conf.packet);
        int64_t life_ns = a > b ? a : b;

        s->conf.mpl_ns     = life_ns + spread_ns(s, NS_PER_MS, 10 * NS_PER_S);
        s->conf.timeout_ns = one_in(s, 3) ? 4 * life_ns + spread_ns(s, 2 * NS_PER_S, 60 * NS_PER_S) : 0;
}

/* -- what is said --------------------------------------------------------------------- */

/* Around the times at which receiver and sender forget, more often than not. */
static int64_t draw_pause(struct scenario *s)
{
        int64_t forget_ns = FRCT_A_NS + FRCT_R_NS + (2 + (int64_t)below(s, 2)) * s->conf.mpl_ns;
        int64_t off_ns    = spread_ns(s, NS_PER_MS, s->conf.mpl_ns + NS_PER_MS);

        switch (below(s, 6)) {
        case 0: return forget_ns + off_ns;
        case 1: return forget_ns - off_ns;
        case 2: return forget_ns + spread_ns(s, 10 * NS_PER_MS, 500 * NS_PER_S);
        default: return spread_ns(s, NS_PER_MS, 20 * NS_PER_S);
        }
}

static size_t max_message(const struct scenario *s)
{
        size_t tx = s->conf.tx_bytes > 0 ? s->conf.tx_bytes : FRCT_QUEUE_BYTES;
        size_t rx = s->conf.rx_bytes > 0 ? s->conf.rx_bytes : FRCT_QUEUE_BYTES;
        size_t n  = (tx < rx ? tx : rx) / 2;

        return n < FRCT_MESSAGE_MAX ? n : FRCT_MESSAGE_MAX;
}

/* All in all some hundred packets: what takes long is not what finds faults. */
static struct talk_phase draw_phase(struct scenario *s)
{
        size_t            max    = max_message(s);
        size_t            budget = spread(s, 50, 1000) * s->conf.packet;
        struct talk_phase p      = {.before_ns = draw_pause(s)};

        if (budget > max << 1)
                budget = max << 1;
        p.max = one_in(s, 30) ? max : spread(s, 1, budget < max ? budget : max);
        p.min = one_in(s, 4) ? p.max : 1;
        p.n   = (unsigned)(budget / (p.max / 2 + 1) + 1);
        if (p.n > 600)
                p.n = 600;
        if (one_in(s, 3))
                p.gap_ns = spread_ns(s, 10 * NS_PER_US, one_in(s, 3) ? 20 * NS_PER_S / p.n : NS_PER_S / p.n);
        return p;
}

static void draw_reading(struct scenario *s, struct talk_plan *p)
{
        if (one_in(s, 3))
                p->chunk = spread(s, 1, 100000);
        if (one_in(s, 6) && p->chunk == 0)
                p->gap_ns = spread_ns(s, NS_PER_US, 20 * NS_PER_MS);
        if (p->chunk > 0 && p->chunk < 500)
                p->chunk += 500;
        if (!one_in(s, 4))
                return;
        p->n_stops = 1 + (unsigned)below(s, TALK_STOPS);
        for (unsigned i = 0; i < p->n_stops; i++) {
                p->stops[i].from_ns = spread_ns(s, NS_PER_MS, 300 * NS_PER_S);
                p->stops[i].to_ns   = p->stops[i].from_ns + spread_ns(s, 10 * NS_PER_MS, 600 * NS_PER_S);
        }
}

static void draw_plan(struct scenario *s, struct talk_plan *p, bool talks)
{
        p->n_phases = talks ? 1 + (unsigned)below(s, 4) : 0;
        for (unsigned i = 0; i < p->n_phases; i++)
                p->phases[i] = draw_phase(s);
        if (one_in(s, 2) && p->n_phases > 0)
                p->phases[0].before_ns = 0;
        p->fin          = !one_in(s, 3);
        p->fin_after_ns = one_in(s, 2) ? 0 : draw_pause(s);
        draw_reading(s, p);
}

/* -- what happens ----------------------------------------------------------------------- */

static void draw_cuts(struct scenario *s)
{
        for (uint64_t i = one_in(s, 3) ? 1 + below(s, 3) : 0; i > 0; i--) {
                int64_t  from_ns = spread_ns(s, NS_PER_MS, 200 * NS_PER_S);
                int64_t  len_ns  = spread_ns(s, 10 * NS_PER_MS, 100 * NS_PER_S);
                uint64_t ways    = 1 + below(s, 3);

                for (unsigned way = 0; way < 2; way++)
                        if (ways >> way & 1)
                                link_cut(s->w.links[way], from_ns, from_ns + len_ns);
                if (from_ns + len_ns > s->heal_ns)
                        s->heal_ns = from_ns + len_ns;
                s->harsh |= len_ns > 5 * NS_PER_S;
                s->clean = false;
        }
}

static void draw_fate(struct scenario *s)
{
        static const enum fate fates[] = {FATE_NONE,  FATE_NONE, FATE_NONE,  FATE_NONE,
                                          FATE_CRASH, FATE_DOWN, FATE_CLOSE, FATE_CLOSE};

        s->fate       = fates[below(s, sizeof(fates) / sizeof(fates[0]))];
        s->victim     = (unsigned)below(s, 2);
        s->fate_ns    = spread_ns(s, NS_PER_MS, 300 * NS_PER_S);
        s->tell_ns[0] = s->tell_ns[1] = CLOCK_NEVER;
        if (s->foul)
                s->fate = FATE_NONE;
        if (s->fate == FATE_CLOSE)
                s->plans[0].fin = s->plans[1].fin = true;
        if (s->fate == FATE_DOWN) {
                s->tell_ns[s->victim]  = s->fate_ns;
                s->tell_ns[!s->victim] = s->fate_ns + spread_ns(s, 1, 2 * NS_PER_S);
        }
}

static void draw(struct scenario *s)
{
        uint64_t talkers = 1 + below(s, 3);

        s->foul = one_in(s, 20);
        draw_conf(s);
        s->heal_ns = spread_ns(s, NS_PER_S, 200 * NS_PER_S);
        draw_weather(s, &s->weather[0]);
        draw_weather(s, &s->weather[1]);
        if (one_in(s, 2))
                s->weather[1].delay_ns = s->weather[0].delay_ns;
        s->clean = is_clean(&s->weather[0]) && is_clean(&s->weather[1]);
        draw_times(s);
        for (unsigned i = 0; i < 2; i++)
                world_set_link(&s->w, i, &s->weather[i], s->conf.packet);
        draw_plan(s, &s->plans[0], talkers & 1);
        draw_plan(s, &s->plans[1], talkers & 2);
        draw_cuts(s);
        draw_fate(s);
        s->harsh |= s->fate == FATE_CRASH || s->fate == FATE_DOWN;
}

static void add_end(struct scenario *s, unsigned i)
{
        struct world_end *e;

        s->conf.seed = draw_seed(s);
        e            = world_add(&s->w, &s->conf, spread_ns(s, NS_PER_S, INT64_C(10000000) * NS_PER_S),
                      one_in(s, 3) ? spread_ns(s, NS_PER_US, 5 * NS_PER_MS) : 0);
        talk_init(&s->talks[i], &s->plans[i], s->conf.reliable, random_next(&s->random));
        s->talks[i].peer  = &s->talks[!i];
        s->talks[i].harsh = s->harsh;
        e->app            = talk_run;
        e->arg            = &s->talks[i];
}

/* -- playing ---------------------------------------------------------------------------- */

/* From now on the network is not bad: what is awful is over, what is not may go on. */
static void heal(struct scenario *s)
{
        for (unsigned i = 0; i < 2; i++) {
                struct link_conf l = s->weather[i];

                if (l.loss_ppm > 30000 || one_in(s, 2))
                        l.loss_ppm = l.burst_ppm = l.late_ppm = l.dup_ppm = l.alter_ppm = 0;
                link_change(s->w.links[i], &l);
        }
        s->heal_ns = CLOCK_NEVER;
        world_say(&s->w, NULL, "the weather is fair");
}

static void tell(struct scenario *s, unsigned i)
{
        struct world_end *e = &s->w.ends[i];

        s->tell_ns[i]        = CLOCK_NEVER;
        s->talks[i].may_fall = true;
        if (e->dead)
                return;
        world_say(&s->w, e, "the layer says that the flow is down");
        frct_down(e->f);
        e->app_ns = s->w.now_ns;
}

/* How it comes to be over at the other end, too. */
static void spread_the_word(struct scenario *s, unsigned i)
{
        if (s->talks[!i].error != 0 || s->tell_ns[!i] != CLOCK_NEVER || s->talks[!i].may_fall)
                return;
        s->tell_ns[!i] = s->w.now_ns + (s->conf.timeout_ns > 0 ? 2 * s->conf.timeout_ns + 10 * NS_PER_S
                                                               : spread_ns(s, 1, 300 * NS_PER_S));
}

static bool is_done(const struct scenario *s, unsigned i)
{
        const struct talk *t = &s->talks[i];

        return talk_has_said_all(t) && talk_has_heard_all(t) && frct_is_quiet(s->w.ends[i].f) &&
               frct_look(s->w.ends[i].f) <= 0;
}

static void crash(struct scenario *s)
{
        world_say(&s->w, &s->w.ends[s->victim], "crashes");
        s->w.ends[s->victim].dead = true;
        s->fate_ns                = CLOCK_NEVER;
        if (s->conf.timeout_ns == 0)
                s->tell_ns[!s->victim] = s->w.now_ns + FRCT_R_NS + 20 * NS_PER_S;
}

/* Closed ends read nothing any more, so they close when they have read all. */
static void close_the_done(struct scenario *s)
{
        for (unsigned i = 0; i < 2; i++) {
                if (s->w.ends[i].dead || !is_done(s, i) || s->talks[i].error != 0 || !s->talks[i].ended)
                        continue;
                world_say(&s->w, &s->w.ends[i], "closes");
                s->w.ends[i].dead = true;
                s->tell_ns[!i]    = s->w.now_ns + spread_ns(s, 1, NS_PER_S);
        }
}

static void happen(struct scenario *s)
{
        if (s->w.now_ns >= s->heal_ns)
                heal(s);
        if (s->fate == FATE_CRASH && s->w.now_ns >= s->fate_ns)
                crash(s);
        if (s->fate == FATE_CLOSE)
                close_the_done(s);
        for (unsigned i = 0; i < 2; i++) {
                if (s->w.now_ns >= s->tell_ns[i])
                        tell(s, i);
                if (s->talks[i].error != 0)
                        spread_the_word(s, i);
        }
}

static int64_t earlier(int64_t a, int64_t b)
{
        return a < b ? a : b;
}

static int64_t slice_end_ns(const struct scenario *s)
{
        int64_t end_ns = s->w.now_ns + SLICE_NS;
        int64_t due_ns = world_due_ns(&s->w);

        if (s->fate == FATE_CLOSE)
                end_ns = earlier(end_ns, s->w.now_ns + CLOSE_NS);
        if (due_ns > end_ns)
                end_ns = earlier(due_ns, s->w.now_ns + SLICE_NS);
        end_ns = earlier(end_ns, s->heal_ns);
        end_ns = earlier(end_ns, s->fate == FATE_CRASH ? s->fate_ns : CLOCK_NEVER);
        return earlier(end_ns, earlier(s->tell_ns[0], s->tell_ns[1]));
}

/* -- getting on --------------------------------------------------------------------------- */

static uint64_t sign_of(const struct scenario *s)
{
        uint64_t sign = 0;

        for (unsigned i = 0; i < 2; i++) {
                const struct talk  *t = &s->talks[i];
                const struct watch *h = &s->w.ends[i].watch;

                sign = sign * 31 + t->written + t->phase + t->fin;
                sign = sign * 31 + t->bytes + t->n_in + t->ended + (unsigned)t->error;
                sign = sign * 31 + h->una + h->next + h->run;
        }
        return sign;
}

/* What end @i has to say does not get on, and nothing that was planned is to blame. */
static bool has_to_get_on(const struct scenario *s, unsigned i)
{
        const struct talk *t = &s->talks[i];

        if (t->error != 0 || s->w.ends[i].dead || talk_is_deaf(t->peer, s->w.now_ns))
                return false;
        return t->blocked || !frct_is_quiet(s->w.ends[i].f) || (t->reliable && t->peer->read < t->written);
}

static void check_progress(struct scenario *s)
{
        uint64_t sign = sign_of(s);
        bool must = !s->foul && s->heal_ns == CLOCK_NEVER && (has_to_get_on(s, 0) || has_to_get_on(s, 1)) &&
                    !(s->fate == FATE_CRASH && s->fate_ns == CLOCK_NEVER);

        if (sign != s->sign || !must) {
                s->sign    = sign;
                s->sign_ns = s->w.now_ns;
        } else if (s->w.now_ns - s->sign_ns > STALL_NS) {
                world_fail(&s->w, NULL, "nothing gets on, on a network that is good");
        }
        for (unsigned i = 0; i < 2; i++)
                if (!s->w.ends[i].dead)
                        talk_look(&s->w, &s->w.ends[i]);
        if (s->w.now_ns > END_NS)
                world_fail(&s->w, NULL, "it does not come to an end");
}

static bool is_finished(const struct scenario *s)
{
        if (s->foul)
                return s->w.now_ns > 400 * NS_PER_S;
        for (unsigned i = 0; i < 2; i++)
                if (!s->w.ends[i].dead && s->talks[i].error == 0 && !is_done(s, i))
                        return false;
        if (s->talks[0].error != 0 && !s->w.ends[1].dead && s->talks[1].error == 0)
                return false;
        if (s->talks[1].error != 0 && !s->w.ends[0].dead && s->talks[0].error == 0)
                return false;
        if (s->fate == FATE_CRASH && s->fate_ns == CLOCK_NEVER && s->talks[!s->victim].error == 0)
                return false;
        return s->talks[0].reliable ||
               (link_due_ns(s->w.links[0]) == CLOCK_NEVER && link_due_ns(s->w.links[1]) == CLOCK_NEVER);
}

/* -- garbage --------------------------------------------------------------------------------- */

static uint32_t number_for(struct scenario *s, const struct watch *h)
{
        uint64_t near = one_in(s, 2) ? h->una : h->next;

        switch (below(s, 4)) {
        case 0: return (uint32_t)random_next(&s->random);
        case 1: return (uint32_t)(near + spread(s, 1, UINT64_C(1) << 31));
        default: return (uint32_t)(near + below(s, 200) - 100);
        }
}

/* A packet that might be one, of numbers that might be right. */
static size_t forge(struct scenario *s, unsigned to, uint8_t *out, size_t cap)
{
        const struct watch *own = &s->w.ends[to].watch, *peer = &s->w.ends[!to].watch;
        struct frct_hdr     h = {.flags = (uint8_t)below(s, 128)};
        struct wr           w = {.p = out, .end = out + cap};
        size_t              n = below(s, 64);

        h.n_ranges = h.flags & FRCT_ACK ? (uint8_t)below(s, FRCT_RANGES_MAX + 1) : 0;
        h.marks    = h.flags & FRCT_ACK ? (uint16_t)random_next(&s->random) : 0;
        h.stamp    = (uint32_t)random_next(&s->random);
        h.seq      = number_for(s, peer);
        h.first    = number_for(s, peer);
        h.ack      = number_for(s, own);
        h.edge     = number_for(s, own);
        h.echo     = one_in(s, 2) ? own->stamp : (uint32_t)random_next(&s->random);
        h.delay    = (uint32_t)spread(s, 1, UINT32_MAX);
        for (size_t i = 0; i < h.n_ranges; i++)
                h.ranges[i] = (struct frct_range){number_for(s, own), number_for(s, own)};
        frct_hdr_put(&w, &h);
        if (!(h.flags & FRCT_DATA) || h.flags & FRCT_FIN)
                n = 0;
        if (n > (size_t)(w.end - w.p))
                n = (size_t)(w.end - w.p);
        random_fill(&s->random, w.p, n);
        return (size_t)(w.p - out) + n;
}

static void throw_garbage(struct scenario *s)
{
        uint8_t  packet[2 * FRCT_HDR_MAX];
        unsigned to = (unsigned)below(s, 2);
        size_t   n  = forge(s, to, packet, FRCT_PACKET_MIN);

        if (one_in(s, 4))
                link_alter(&s->random, packet, &n, FRCT_PACKET_MIN);
        world_say(&s->w, &s->w.ends[to], "gets %zu bytes of garbage", n);
        (void)frct_rx(s->w.ends[to].f, packet, n, one_in(s, 8), world_time(&s->w, &s->w.ends[to]));
        s->w.ends[to].app_ns = s->w.now_ns;
}

/* -- the end ---------------------------------------------------------------------------------- */

/* Two ends that have nothing to say are silent, unless they have to show that they live. */
static void check_silence(struct scenario *s)
{
        uint64_t packets;

        if (s->conf.timeout_ns > 0 || s->foul)
                return;
        world_run(&s->w, s->w.now_ns + SETTLE_NS);
        packets = s->w.packets;
        world_run(&s->w, s->w.now_ns + FRCT_R_NS + FRCT_A_NS + 4 * s->conf.mpl_ns);
        if (s->w.packets != packets)
                world_fail(&s->w, NULL, "packets though all was said");
}

/*
 * A run begins with more trust than a receiver may have room for: an unreliable flow can lose by that, but
 * only to a slow reader.
 */
static bool must_have_all(const struct scenario *s, unsigned i)
{
        size_t room = s->conf.rx_bytes > 0 ? s->conf.rx_bytes : FRCT_QUEUE_BYTES;

        return s->talks[i].error == 0 &&
               (s->conf.reliable || (s->plans[i].n_stops == 0 && s->plans[i].gap_ns == 0 &&
                                     room / s->conf.packet > 2 * SENDER_FIRST_WINDOW));
}

static void check_deliveries(struct scenario *s)
{
        for (unsigned i = 0; i < 2 && s->clean && !s->foul && s->fate == FATE_NONE; i++)
                if (must_have_all(s, i) && s->talks[i].got != s->talks[!i].written)
                        world_fail(&s->w, &s->w.ends[i], "something is missing, though nothing was lost");
}

static void count(struct scenario *s, unsigned i)
{
        const struct world_end *e = &s->w.ends[i];
        const struct talk      *t = &s->talks[i];
        struct frct_stats       f;

        frct_stats(e->f, &f);
        s->tally[TALLY_MESSAGES] += t->got;
        s->tally[TALLY_BYTES] += t->bytes;
        s->tally[TALLY_AGAIN] += f.retransmitted;
        s->tally[TALLY_SPURIOUS] += f.spurious;
        s->tally[TALLY_TIMEOUTS] += f.timeouts;
        s->tally[TALLY_MARKS] += f.marks;
        s->tally[TALLY_RUNS] += e->watch.run > 1 ? e->watch.run - 1 : 0;
        s->tally[TALLY_RESUMED] += e->watch.n_resumed;
        s->tally[TALLY_WRAPS] += e->watch.n_wraps;
        s->tally[TALLY_CLOSED] += e->watch.n_closed;
        s->tally[TALLY_ENDS] += t->ended;
        s->tally[TALLY_PEER] += t->error == -EFLOWPEER;
        s->tally[TALLY_DOWN] += t->error == -EFLOWDOWN;
}

static void play(struct scenario *s)
{
        while (!is_finished(s)) {
                world_run(&s->w, slice_end_ns(s));
                happen(s);
                check_progress(s);
                if (s->foul)
                        throw_garbage(s);
        }
        check_silence(s);
        check_deliveries(s);
}

void scenario_play(uint64_t seed, bool trace, uint64_t tally[TALLY_N])
{
        struct scenario s = {.random = seed * UINT64_C(0x2545f4914f6cdd1d), .tally = tally};

        world_init(&s.w, seed, 0);
        draw(&s);
        s.w.trace = trace;
        s.w.foul  = s.foul;
        add_end(&s, 0);
        add_end(&s, 1);
        play(&s);
        tally[TALLY_PACKETS] += s.w.packets;
        tally[TALLY_SECONDS] += (uint64_t)(s.w.now_ns / NS_PER_S);
        tally[TALLY_UNRELIABLE] += !s.conf.reliable;
        tally[TALLY_FOUL] += s.foul;
        for (unsigned i = 0; i < 2; i++) {
                count(&s, i);
                talk_fini(&s.talks[i]);
        }
        world_fini(&s.w);
}
