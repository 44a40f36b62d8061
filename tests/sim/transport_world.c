#include "transport_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/deadline.h"
#include "ipcpd/transport/transport.h"
#include "ipcpd/transport/quota.h"
#include "random.h"
#include "wire/shim.h"

#define HOSTS    2u
#define ASKS_MAX 8u
#define DATAGRAM 1472u
#define PATIENCE_NS \
        (150 * NS_PER_S) /* of who asks: longer than an answer takes over the worst of these networks */
#define LIFE_NS   (400 * NS_PER_S)
#define BYTES_MAX (48u << 20)
#define LOST_MAX  5u  /* packets of an exchange in a row, each way: without luck there is no bound of time */
#define TAG       16u /* bytes in front of OAP: which request it is, and whether it is its answer */

const char *const world_tally_names[TALLY_N] = {
        [TALLY_ASKS] = "asked",         [TALLY_FLOWS] = "flows",       [TALLY_REFUSED] = "refused",
        [TALLY_NOBODY] = "unreachable", [TALLY_GIVEN_UP] = "given up", [TALLY_ENDED] = "ended by the peer",
        [TALLY_PACKETS] = "packets",    [TALLY_LOST] = "lost",         [TALLY_REPEATED] = "repeated",
        [TALLY_PROVED] = "proofs",      [TALLY_INJECTED] = "forged",   [TALLY_FOUND] = "found",
};

struct host {
        struct world     *w;
        struct transport *t;
        struct link_addr  addr;
        bool              has;
};

enum event_kind { PACKET, ASK, PATIENCE, ANSWER, DEALLOC, INJECT };

struct event {
        struct deadline      at;
        enum event_kind      kind;
        struct host         *host;
        unsigned             ask;
        struct transport_key key;  /* ANSWER, DEALLOC */
        struct link_addr     from; /* PACKET          */
        size_t               len;
        uint8_t              bytes[];
};

struct ask {
        struct host         *by, *of;
        size_t               request, reply; /* bytes of OAP */
        bool                 never;          /* answered     */
        int                  result;         /* of the answer */
        bool                 asked, over, flow, gave_up;
        unsigned             heard;   /* requests at @of */
        unsigned             lost[2]; /* packets in a row, to and from @of */
        bool                 by_ended, of_ended, by_told, of_told;
        bool                 answered; /* with 0 */
        struct transport_key key;
};

struct world {
        uint64_t         random, ids;
        bool             trace;
        int64_t          now_ns;
        double           loss, doubled;
        int64_t          delay_ns, jitter_ns;
        enum hostile     hostile;
        bool             proves;
        struct deadlines events;
        struct host      hosts[HOSTS];
        struct ask       asks[ASKS_MAX];
        unsigned         n_asks;
        uint64_t        *tally;
        const char      *fault;
};

static void must(struct world *w, bool ok, const char *what)
{
        if (!ok && w->fault == NULL)
                w->fault = what;
}

static bool chance(struct world *w, double p)
{
        return (double)random_below(&w->random, 1000000) < p * 1000000;
}

static int64_t below(struct world *w, int64_t n)
{
        return n <= 0 ? 0 : (int64_t)random_below(&w->random, (uint64_t)n);
}

static struct event *plan(struct world *w, int64_t after_ns, enum event_kind kind, struct host *h, size_t len)
{
        struct event *e = calloc(1, sizeof(*e) + len);

        if (e == NULL || deadlines_set(&w->events, &e->at, w->now_ns + after_ns) < 0)
                abort();
        e->kind = kind;
        e->host = h;
        e->len  = len;
        return e;
}

/* -- the network ---------------------------------------------------------------- */

static struct host *host_at(struct world *w, const struct link_addr *a)
{
        for (unsigned i = 0; i < HOSTS; i++)
                if (link_addr_equal(&w->hosts[i].addr, a))
                        return &w->hosts[i];
        return NULL;
}

static void carry(struct world *w, struct host *to, const struct link_addr *from, const uint8_t *p,
                  size_t len)
{
        struct event *e = plan(w, w->delay_ns + below(w, w->jitter_ns), PACKET, to, len);

        e->from = *from;
        memcpy(e->bytes, p, len);
}

static void mutate(struct world *w, uint8_t *p, size_t len)
{
        unsigned n = 1 + (unsigned)below(w, 3);

        while (n-- > 0) {
                size_t   at   = (size_t)below(w, chance(w, 0.8) && len > 24 ? 24 : (int64_t)len);
                unsigned bits = chance(w, 0.5) ? 1u << below(w, 8) : (unsigned)below(w, 256);

                p[at] = (uint8_t)(p[at] ^ bits);
        }
}

/* A copy of a packet, by the third: altered, from wherever it can. */
static void inject(struct world *w, struct host *to, const struct link_addr *from, const uint8_t *p,
                   size_t len)
{
        struct link_addr source = *from;
        uint8_t          copy[DATAGRAM];

        memcpy(copy, p, len);
        if (chance(w, 0.7))
                mutate(w, copy, len);
        if (w->hostile == HOSTILE_OFF_PATH && chance(w, 0.3))
                random_fill(&w->random, copy + 12, len < 20 ? 0 : 8); /* the id */
        else if (w->hostile == HOSTILE_OFF_PATH)
                source.b[3] = (uint8_t)(100 + below(w, 3));
        w->tally[TALLY_INJECTED]++;
        carry(w, to, &source, copy, (size_t)below(w, 100) == 0 ? (size_t)below(w, (int64_t)len) : len);
}

static void trace_packet(const struct world *w, const struct host *from, const uint8_t *p, size_t len)
{
        struct rd        r = {.p = p, .end = p + len};
        struct shim_head h;

        if (!w->trace || !shim_head_get(&r, &h))
                return;
        printf("%10.3f  host %d sends type %u, piece %u of %u, %zu bytes, id %016llx\n",
               (double)w->now_ns / 1e9, (int)(from - w->hosts), h.type, h.index, h.count, len,
               (unsigned long long)h.id);
}

static bool is_lost(struct world *w, const struct host *h, const uint8_t *p)
{
        struct rd r    = {.p = p + 12, .end = p + SHIM_HDR};
        uint64_t  id   = rd_be(&r, 8);
        bool      lost = chance(w, w->loss);

        for (unsigned i = 0; i < w->n_asks; i++) {
                unsigned *n = &w->asks[i].lost[h == w->asks[i].of];

                if (!w->asks[i].asked || w->asks[i].key.id != id)
                        continue;
                lost = lost && *n < LOST_MAX;
                *n   = lost ? *n + 1 : 0;
        }
        return lost;
}

static void on_send(void *ctx, const struct link_addr *to, const uint8_t *p, size_t len)
{
        struct host  *h    = ctx;
        struct world *w    = h->w;
        struct host  *peer = to == NULL ? &w->hosts[h == w->hosts] : host_at(w, to);

        trace_packet(w, h, p, len);
        w->tally[TALLY_PACKETS]++;
        w->tally[TALLY_PROVED] += p[1] == SHIM_PROVE;
        must(w, len <= DATAGRAM, "a packet is too large");
        if (peer == NULL) /* the third: he hears and is silent */
                return;
        if (w->hostile != HOSTILE_NONE && chance(w, 0.3))
                inject(w, peer, &h->addr, p, len);
        if (is_lost(w, h, p))
                w->tally[TALLY_LOST]++;
        else
                carry(w, peer, &h->addr, p, len);
        if (chance(w, w->doubled))
                carry(w, peer, &h->addr, p, len);
}

/* -- what owners say and hear -------------------------------------------------------- */

static void on_random(void *ctx, void *buf, size_t len)
{
        struct host *h = ctx;

        random_fill(&h->w->ids, buf, len);
}

static bool on_has(void *ctx, const uint8_t *hash, size_t len)
{
        (void)hash, (void)len;
        return ((struct host *)ctx)->has;
}

/* What request @i says, or its answer: its number in front. */
static void text(uint8_t *out, size_t len, unsigned i, bool reply)
{
        uint64_t state = i * 2 + reply;

        random_fill(&state, out, len);
        memset(out, 0, TAG);
        out[0] = (uint8_t)i;
        out[1] = reply;
}

static bool is_text(struct transport_bytes b, unsigned i, bool reply, size_t len)
{
        uint8_t *right = malloc(len);
        bool     same;

        if (right == NULL)
                abort();
        text(right, len, i, reply);
        same = b.len == len && memcmp(b.p, right, len) == 0;
        free(right);
        return same;
}

/* The request that @oap was once; NULL: none. */
static struct ask *ask_of(struct world *w, struct transport_bytes oap)
{
        return oap.len >= TAG && oap.p[0] < w->n_asks ? &w->asks[oap.p[0]] : NULL;
}

static void plan_dealloc(struct world *w, struct host *h, unsigned ask, const struct transport_key *k,
                         int64_t within_ns)
{
        struct event *e = plan(w, below(w, within_ns), DEALLOC, h, 0);

        e->ask = ask;
        e->key = *k;
}

static void on_request(void *ctx, const struct transport_key *k, const struct transport_request *rq)
{
        struct host  *h = ctx;
        struct world *w = h->w;
        struct ask   *a = ask_of(w, rq->oap);
        struct event *e;

        if (a == NULL || a->of != h || k->id != a->key.id || !link_addr_equal(&k->peer, &a->by->addr)) {
                must(w, w->hostile != HOSTILE_NONE, "a request that nobody made");
                a = NULL;
        }
        if (a != NULL) {
                must(w, ++a->heard == 1, "a request is handed up twice");
                must(w, w->hostile == HOSTILE_ON_PATH || is_text(rq->oap, rq->oap.p[0], false, a->request),
                     "a request has other bytes");
        }
        e = plan(w, a != NULL && a->never ? 2 * PATIENCE_NS : below(w, below(w, 4 * NS_PER_S)), ANSWER, h, 0);
        e->key = *k;
        e->ask = a != NULL ? (unsigned)(a - w->asks) : ASKS_MAX;
}

static void end_flow(struct world *w, struct host *h, unsigned i, const struct transport_key *k)
{
        if (w->asks[i].by == h)
                w->asks[i].by_ended = true;
        else
                w->asks[i].of_ended = true;
        transport_dealloc(h->t, w->now_ns, k);
}

static void on_reply(void *ctx, uint64_t cookie, const struct transport_key *k, int result, uint32_t eid,
                     struct transport_bytes oap)
{
        struct host  *h    = ctx;
        struct world *w    = h->w;
        struct ask   *a    = &w->asks[cookie];
        bool          foul = w->hostile == HOSTILE_ON_PATH;
        bool          slow = w->delay_ns + w->jitter_ns > 900 * NS_PER_MS;
        bool          busy = result == -EBUSY && w->hostile == HOSTILE_OFF_PATH && !w->proves;

        must(w, cookie < w->n_asks && a->by == h && !a->over, "a reply to what is over");
        must(w, k->id == a->key.id, "a reply of another exchange");
        a->over = true;
        a->flow = result == 0;
        w->tally[result == 0 ? TALLY_FLOWS : result == -EHOSTUNREACH ? TALLY_NOBODY : TALLY_REFUSED]++;
        if (w->trace)
                printf("%10.3f  request %d: %d\n", (double)w->now_ns / 1e9, (int)cookie, result);
        must(w, foul || result != -EHOSTUNREACH || w->loss > 0 || slow,
             "nobody is there, and nothing is lost");
        must(w,
             foul || busy || result == -EHOSTUNREACH || result == a->result || (a->of_ended && w->loss > 0),
             "another result");
        if (result == 0) {
                must(w, eid != 0 && (foul || eid == cookie + 1), "another endpoint");
                must(w, foul || is_text(oap, (unsigned)cookie, true, a->reply), "a reply has other bytes");
        }
        if (result == 0 && chance(w, 0.5))
                plan_dealloc(w, h, (unsigned)cookie, k, 3 * NS_PER_S);
}

static void on_found(void *ctx, uint64_t cookie, const struct link_addr *at)
{
        struct host *h = ctx;

        (void)cookie;
        h->w->tally[TALLY_FOUND] += at != NULL;
}

static void on_dealloc(void *ctx, const struct transport_key *k)
{
        struct host  *h = ctx;
        struct world *w = h->w;

        for (unsigned i = 0; i < w->n_asks; i++) {
                struct ask *a = &w->asks[i];

                const struct host *peer = h == a->by ? a->of : a->by;

                if (!a->asked || a->key.id != k->id || !link_addr_equal(&k->peer, &peer->addr))
                        continue;
                must(w, w->hostile == HOSTILE_ON_PATH || a->of_ended || a->by_ended || !a->flow,
                     "a flow is ended by nobody");
                must(w, w->hostile == HOSTILE_ON_PATH || h != a->by || a->over,
                     "a flow is ended before it began");
                w->tally[TALLY_ENDED]++;
                *(h == a->by ? &a->by_told : &a->of_told) = true;
        }
}

/* -- what happens -------------------------------------------------------------------------- */

static void do_ask(struct world *w, unsigned i)
{
        static const uint8_t     hash[32] = {1};
        struct ask              *a        = &w->asks[i];
        uint8_t                 *oap      = malloc(a->request);
        struct transport_request rq       = {
                      .eid = i + 1, .hash = hash, .hash_len = 32, .qs = qos_data, .oap = {oap, a->request}};

        if (oap == NULL)
                abort();
        text(oap, a->request, i, false);
        must(w, transport_ask(a->by->t, w->now_ns, &a->of->addr, &rq, i, &a->key) == 0, "asking fails");
        a->asked = true;
        w->tally[TALLY_ASKS]++;
        plan(w, PATIENCE_NS, PATIENCE, a->by, 0)->ask = i;
        if (chance(w, 0.1)) /* the owner's user has gone */
                plan_dealloc(w, a->by, i, &a->key, 2 * NS_PER_S);
        if (chance(w, 0.3))
                must(w, transport_query(a->by->t, w->now_ns, NULL, hash, 32, i) == 0, "a query fails");
        free(oap);
}

static void give_up(struct world *w, unsigned i)
{
        struct ask *a = &w->asks[i];

        if (a->over)
                return;
        must(w, a->never || w->hostile == HOSTILE_ON_PATH, "a request is still without an outcome");
        a->over = a->gave_up = true;
        w->tally[TALLY_GIVEN_UP]++;
        end_flow(w, a->by, i, &a->key);
}

static void do_answer(struct world *w, const struct event *e)
{
        struct ask            *a      = e->ask < ASKS_MAX ? &w->asks[e->ask] : NULL;
        size_t                 len    = a != NULL ? a->reply : TAG;
        uint8_t               *oap    = malloc(len);
        struct transport_bytes b      = {oap, len};
        int                    result = a != NULL ? a->result : -EAUTH;

        if (oap == NULL)
                abort();
        text(oap, len, e->ask, true);
        transport_answer(e->host->t, w->now_ns, &e->key, result, e->ask + 1, b);
        if (a != NULL && result == 0) {
                a->answered = true;
                if (chance(w, 0.3))
                        plan_dealloc(w, e->host, e->ask, &e->key, chance(w, 0.3) ? 1 : 3 * NS_PER_S);
        }
        free(oap);
}

static void do_dealloc(struct world *w, const struct event *e)
{
        struct ask *a = &w->asks[e->ask];

        if (e->host == a->by && !a->over) {
                a->over = a->gave_up = true;
                w->tally[TALLY_GIVEN_UP]++;
        }
        end_flow(w, e->host, e->ask, &e->key);
}

/* Anything at all, from anywhere: requests too, so that it takes what it may have. */
static void do_inject(struct world *w, struct host *h)
{
        struct link_addr from = w->hosts[h == w->hosts].addr;
        uint8_t          p[DATAGRAM];
        size_t           len = (size_t)below(w, chance(w, 0.5) ? 64 : DATAGRAM);

        random_fill(&w->random, p, len);
        if (chance(w, 0.5))
                from.b[3] = (uint8_t)(100 + below(w, 3));
        if (len >= SHIM_HDR && chance(w, 0.9)) {
                struct shim_head h2 = {
                        .type = (uint8_t)(1 + below(w, 9)), .count = 1, .id = random_next(&w->random)};
                struct wr wr = {.p = p, .end = p + len};

                if (h2.type == SHIM_REQUEST) {
                        h2.count = (uint8_t)(1 + below(w, 64));
                        h2.index = (uint8_t)below(w, h2.count);
                }
                h2.len  = (uint16_t)(len - SHIM_HDR);
                h2.size = h2.count > 1 ? h2.len : 0;
                shim_head_put(&wr, &h2);
        }
        transport_packet(h->t, w->now_ns, &from, p, len);
        w->tally[TALLY_INJECTED]++;
        if (w->now_ns < 40 * NS_PER_S)
                plan(w, below(w, 400 * NS_PER_MS), INJECT, &w->hosts[below(w, HOSTS)], 0);
}

static void happen(struct world *w, struct event *e)
{
        switch (e->kind) {
        case PACKET: transport_packet(e->host->t, w->now_ns, &e->from, e->bytes, e->len); break;
        case ASK: do_ask(w, e->ask); break;
        case PATIENCE: give_up(w, e->ask); break;
        case ANSWER: do_answer(w, e); break;
        case DEALLOC: do_dealloc(w, e); break;
        case INJECT: do_inject(w, e->host); break;
        }
}

/* -- a world ---------------------------------------------------------------------------------- */

static void open_host(struct world *w, unsigned i, bool proves)
{
        static const struct transport_ops ops  = {.random  = on_random,
                                                  .send    = on_send,
                                                  .has     = on_has,
                                                  .request = on_request,
                                                  .reply   = on_reply,
                                                  .found   = on_found,
                                                  .dealloc = on_dealloc};
        struct host                      *h    = &w->hosts[i];
        struct transport_config           conf = {
                          .datagram = chance(w, 0.8) ? DATAGRAM : 1100, .pad_to = proves ? 1200 : 0, .proves = proves};

        random_fill(&w->random, conf.secret, sizeof(conf.secret));
        h->w    = w;
        h->addr = (struct link_addr){.host_len = 4, .len = 6, .b = {10, 0, 0, (uint8_t)(i + 1), 0x0d, 0x6b}};
        h->has  = chance(w, 0.7);
        h->t    = transport_create(&conf, &ops, h);
        if (h->t == NULL)
                abort();
}

static size_t draw_len(struct world *w)
{
        switch (below(w, 4)) {
        case 0: return TAG + (size_t)below(w, 200);
        case 1: return TAG + (size_t)below(w, 60000);
        default: return TAG + (size_t)below(w, 8000);
        }
}

static void draw_ask(struct world *w, unsigned i)
{
        static const int results[] = {0, 0, 0, 0, 0, -ENAME, -ENOTALLOC, -EAUTH};
        struct ask      *a         = &w->asks[i];

        a->by      = &w->hosts[below(w, HOSTS)];
        a->of      = &w->hosts[a->by == w->hosts];
        a->request = draw_len(w);
        a->reply   = draw_len(w);
        a->never   = chance(w, 0.05);
        a->result  = results[below(w, sizeof(results) / sizeof(results[0]))];

        plan(w, below(w, 10 * NS_PER_S), ASK, a->by, 0)->ask = i;
}

static void world_open(struct world *w, uint64_t seed)
{
        static const int64_t delays[] = {NS_PER_MS / 10, NS_PER_MS, 20 * NS_PER_MS, 200 * NS_PER_MS,
                                         500 * NS_PER_MS};
        w->random                     = seed * 2 + 1;
        (void)random_next(&w->random);
        w->ids       = random_next(&w->random);
        w->now_ns    = NS_PER_S;
        w->loss      = chance(w, 0.3) ? 0 : (double)below(w, 31) / 100;
        w->doubled   = chance(w, 0.3) ? 0 : (double)below(w, 21) / 100;
        w->delay_ns  = delays[below(w, 5)];
        w->jitter_ns = chance(w, 0.3) ? 0 : below(w, 500 * NS_PER_MS);
        w->hostile   = (enum hostile)below(w, HOSTILE_N);
        w->proves    = chance(w, 0.6);
        for (unsigned i = 0; i < HOSTS; i++)
                open_host(w, i, w->proves);
        w->n_asks = 1 + (unsigned)below(w, ASKS_MAX);
        for (unsigned i = 0; i < w->n_asks; i++)
                draw_ask(w, i);
        if (w->hostile != HOSTILE_NONE)
                plan(w, 0, INJECT, w->hosts, 0);
        if (w->trace)
                printf("loss %.2f, doubled %.2f, delay %.3f + %.3f s, hostile %d, proofs %d\n", w->loss,
                       w->doubled, (double)w->delay_ns / 1e9, (double)w->jitter_ns / 1e9, w->hostile,
                       w->proves);
}

static void world_close(struct world *w)
{
        struct deadline *d;

        for (unsigned i = 0; i < HOSTS; i++)
                transport_destroy(w->hosts[i].t);
        while ((d = deadlines_pop(&w->events, CLOCK_NEVER)) != NULL)
                free(d); /* the first member of an event */
        deadlines_fini(&w->events);
}

static void check(struct world *w)
{
        for (unsigned i = 0; i < HOSTS; i++) {
                struct transport_facts f;

                transport_facts(w->hosts[i].t, &f);
                must(w, f.bytes <= BYTES_MAX, "too much memory");
                must(w, f.remembered <= 65536, "too many ids");
                must(w, transport_deadline(w->hosts[i].t) > w->now_ns, "a deadline is in the past");
        }
}

/* What is next: an event, or a timer of an engine. False: nothing. */
static bool step(struct world *w)
{
        int64_t          next = deadlines_next(&w->events);
        struct deadline *d;

        for (unsigned i = 0; i < HOSTS; i++)
                if (transport_deadline(w->hosts[i].t) < next)
                        next = transport_deadline(w->hosts[i].t);
        if (next == CLOCK_NEVER || next > LIFE_NS + 200 * NS_PER_S)
                return false;
        w->now_ns = next;
        for (unsigned i = 0; i < HOSTS; i++)
                transport_tick(w->hosts[i].t, w->now_ns);
        if ((d = deadlines_pop(&w->events, w->now_ns)) != NULL) {
                happen(w, (struct event *)d);
                free(d);
        }
        check(w);
        return true;
}

/*
 * Nothing is left of anything; who had a flow that the other side ended knows it, if nothing could be lost.
 */
static void check_end(struct world *w)
{
        for (unsigned i = 0; i < HOSTS; i++) {
                struct transport_facts f;

                transport_facts(w->hosts[i].t, &f);
                must(w, f.asking + f.collecting + f.handed_up + f.stored + f.remembered + f.bytes == 0,
                     "something is left");
                must(w, transport_deadline(w->hosts[i].t) == CLOCK_NEVER, "a timer is left");
                w->tally[TALLY_REPEATED] += f.repeated;
        }
        for (unsigned i = 0; i < w->n_asks; i++) {
                const struct ask *a = &w->asks[i];

                must(w, a->over, "a request has no outcome");
                if (w->loss > 0 || w->hostile == HOSTILE_ON_PATH)
                        continue;
                must(w, !a->flow || !a->of_ended || a->by_told || a->by_ended,
                     "the client is not told of the end");
                must(w, !a->answered || !a->by_ended || a->of_told || a->of_ended,
                     "the server is not told of the end");
        }
}

const char *world_play(uint64_t seed, bool trace, uint64_t tally[TALLY_N])
{
        struct world w = {.trace = trace, .tally = tally};

        world_open(&w, seed);
        while (w.fault == NULL && step(&w))
                ;
        if (w.fault == NULL)
                check_end(&w);
        if (trace && w.fault != NULL)
                printf("%10.3f  %s\n", (double)w.now_ns / 1e9, w.fault);
        world_close(&w);
        return w.fault;
}
