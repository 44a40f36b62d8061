/*
 * frct_link.c - packets under way are a binary heap by time of arrival, and by order of sending where that
 * is the same. The queue is counted in time: what waits is what the line still needs for it.
 */
#include "frct_link.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#include "random.h"

#define MILLION 1000000u

struct slot {
        struct link_packet p;
        struct slot       *next; /* of those that are not used */
        uint8_t            bytes[];
};

struct entry {
        int64_t      at_ns;
        uint64_t     order;
        struct slot *slot;
};

struct link {
        struct link_conf conf;
        size_t           packet;
        uint64_t         random;
        uint64_t         order;
        int64_t          free_ns;  /* when the line has done with all that waits  */
        int64_t          last_ns;  /* arrival of the last packet that is in order */
        int64_t          burst_ns; /* when the burst is over; 0: there is none    */
        struct entry    *heap;
        size_t           n, cap;
        struct slot     *unused;
        struct slot     *taken; /* lent to the caller */
        struct {
                int64_t from_ns, to_ns;
        } cuts[LINK_CUTS];
        size_t            n_cuts;
        struct link_stats stats;
};

static void *must(void *p)
{
        if (p == NULL)
                abort();
        return p;
}

/* -- heap ------------------------------------------------------------------- */

static bool before(const struct entry *a, const struct entry *b)
{
        return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void heap_push(struct link *l, struct entry e)
{
        size_t i = l->n++;

        if (l->n > l->cap) {
                l->cap  = l->cap > 0 ? 2 * l->cap : 64;
                l->heap = must(realloc(l->heap, l->cap * sizeof(*l->heap)));
        }
        for (; i > 0 && before(&e, &l->heap[(i - 1) / 2]); i = (i - 1) / 2)
                l->heap[i] = l->heap[(i - 1) / 2];
        l->heap[i] = e;
}

static struct slot *heap_pop(struct link *l)
{
        struct slot *top = l->heap[0].slot;
        struct entry e   = l->heap[--l->n];
        size_t       i   = 0, child;

        while ((child = 2 * i + 1) < l->n) {
                if (child + 1 < l->n && before(&l->heap[child + 1], &l->heap[child]))
                        child++;
                if (!before(&l->heap[child], &e))
                        break;
                l->heap[i] = l->heap[child];
                i          = child;
        }
        l->heap[i] = e;
        return top;
}

/* -- packets ---------------------------------------------------------------- */

static struct slot *slot_take(struct link *l)
{
        struct slot *s = l->unused;

        if (s == NULL)
                return must(malloc(sizeof(*s) + l->packet));
        l->unused = s->next;
        return s;
}

static void slot_give(struct link *l, struct slot *s)
{
        s->next   = l->unused;
        l->unused = s;
}

struct link *link_create(const struct link_conf *conf, size_t packet, uint64_t seed)
{
        struct link *l = must(calloc(1, sizeof(*l)));

        l->conf   = *conf;
        l->packet = packet;
        l->random = seed;
        return l;
}

void link_destroy(struct link *l)
{
        if (l == NULL)
                return;
        for (size_t i = 0; i < l->n; i++)
                slot_give(l, l->heap[i].slot);
        if (l->taken != NULL)
                slot_give(l, l->taken);
        while (l->unused != NULL) {
                struct slot *s = l->unused;

                l->unused = s->next;
                free(s);
        }
        free(l->heap);
        free(l);
}

void link_change(struct link *l, const struct link_conf *conf)
{
        l->conf     = *conf;
        l->burst_ns = 0;
}

void link_cut(struct link *l, int64_t from_ns, int64_t to_ns)
{
        if (l->n_cuts == LINK_CUTS)
                abort();
        l->cuts[l->n_cuts].from_ns = from_ns;
        l->cuts[l->n_cuts++].to_ns = to_ns;
}

/* -- what befalls a packet -------------------------------------------------- */

static bool chance(struct link *l, uint32_t ppm)
{
        return ppm > 0 && random_below(&l->random, MILLION) < ppm;
}

static int64_t below(struct link *l, int64_t ns)
{
        return ns > 0 ? (int64_t)random_below(&l->random, (uint64_t)ns) : 0;
}

static bool is_cut(const struct link *l, int64_t now_ns)
{
        for (size_t i = 0; i < l->n_cuts; i++)
                if (l->cuts[i].from_ns <= now_ns && now_ns < l->cuts[i].to_ns)
                        return true;
        return false;
}

static bool is_lost(struct link *l, int64_t now_ns)
{
        if (l->burst_ns > 0 && (now_ns >= l->burst_ns || chance(l, l->conf.burst_end_ppm)))
                l->burst_ns = 0;
        else if (l->burst_ns == 0 && chance(l, l->conf.burst_ppm))
                l->burst_ns = now_ns + l->conf.burst_ns;
        return chance(l, l->burst_ns > 0 ? l->conf.burst_loss_ppm : l->conf.loss_ppm);
}

static int64_t line_ns(const struct link_conf *conf, uint64_t bytes)
{
        return conf->rate > 0 ? (int64_t)(bytes * NS_PER_S / conf->rate) : 0;
}

/* Through queue and line. False: there was no room. */
static bool leave(struct link *l, size_t n, int64_t now_ns, int64_t *out_ns, bool *marked)
{
        int64_t wait_ns = l->free_ns > now_ns ? l->free_ns - now_ns : 0;
        int64_t line    = line_ns(&l->conf, n + l->conf.overhead);

        if (l->conf.rate > 0 && l->conf.queue > 0 && wait_ns + line > line_ns(&l->conf, l->conf.queue))
                return false;
        *marked = l->conf.rate > 0 && l->conf.mark > 0 && wait_ns >= line_ns(&l->conf, l->conf.mark);
        *out_ns = now_ns + wait_ns + line;
        if (l->conf.rate > 0)
                l->free_ns = *out_ns;
        return true;
}

static int64_t arrival_ns(struct link *l, int64_t out_ns)
{
        int64_t at_ns = out_ns + l->conf.delay_ns + below(l, l->conf.jitter_ns);

        if (at_ns < l->last_ns)
                at_ns = l->last_ns;
        if (chance(l, l->conf.late_ppm))
                return at_ns + below(l, l->conf.late_ns);
        l->last_ns = at_ns;
        return at_ns;
}

static void under_way(struct link *l, unsigned flow, const void *packet, size_t n, bool marked, int64_t at_ns)
{
        struct slot *s = slot_take(l);

        memcpy(s->bytes, packet, n);
        s->p = (struct link_packet){.at_ns = at_ns, .flow = flow, .marked = marked, .n = n};
        if (chance(l, l->conf.alter_ppm)) {
                link_alter(&l->random, s->bytes, &s->p.n, l->packet);
                s->p.altered = true;
                l->stats.altered++;
        }
        s->p.bytes = s->bytes;
        l->stats.marked += marked;
        heap_push(l, (struct entry){at_ns, l->order++, s});
}

void link_send(struct link *l, unsigned flow, const void *packet, size_t n, int64_t now_ns)
{
        int64_t out_ns;
        bool    marked;

        l->stats.sent++;
        l->stats.bytes += n;
        if (n > l->packet)
                abort();
        if (is_cut(l, now_ns)) {
                l->stats.cut++;
        } else if (is_lost(l, now_ns)) {
                l->stats.lost++;
        } else if (!leave(l, n, now_ns, &out_ns, &marked)) {
                l->stats.dropped++;
        } else {
                under_way(l, flow, packet, n, marked, arrival_ns(l, out_ns));
                if (!chance(l, l->conf.dup_ppm))
                        return;
                l->stats.doubled++;
                under_way(l, flow, packet, n, marked,
                          out_ns + l->conf.delay_ns + below(l, l->conf.jitter_ns + l->conf.late_ns + 1));
        }
}

int64_t link_due_ns(const struct link *l)
{
        return l->n > 0 ? l->heap[0].at_ns : CLOCK_NEVER;
}

const struct link_packet *link_take(struct link *l, int64_t now_ns)
{
        if (l->taken != NULL)
                slot_give(l, l->taken);
        l->taken = NULL;
        if (link_due_ns(l) > now_ns)
                return NULL;
        l->taken = heap_pop(l);
        l->stats.arrived++;
        return &l->taken->p;
}

int64_t link_life_ns(const struct link_conf *conf, size_t packet)
{
        return line_ns(conf, conf->queue + packet + conf->overhead) + conf->delay_ns + conf->jitter_ns +
               conf->late_ns;
}

struct link_stats link_stats(const struct link *l)
{
        return l->stats;
}

/* -- what does not come as it was sent --------------------------------------- */

static void alter_field(uint64_t *random, uint8_t *bytes, size_t n)
{
        size_t  at    = 4 * random_below(random, n / 4 < 12 ? n / 4 : 12);
        uint8_t step  = (uint8_t)(1u << random_below(random, 8));
        size_t  which = random_below(random, 4);

        if (random_below(random, 3) > 0)
                bytes[at + which] = (uint8_t)(bytes[at + which] + (random_below(random, 2) ? step : -step));
        else
                random_fill(random, bytes + at, 4);
}

void link_alter(uint64_t *random, uint8_t *bytes, size_t *n, size_t cap)
{
        uint64_t how = random_below(random, 8);

        if (how == 0) {
                *n = random_below(random, *n + 1);
        } else if (how == 1) {
                size_t more = random_below(random, cap - *n + 1);

                random_fill(random, bytes + *n, more);
                *n += more;
        } else if (how == 2) {
                *n = random_below(random, 64 < cap ? 64 : cap);
                random_fill(random, bytes, *n);
        } else if (how < 6 && *n >= 4) {
                alter_field(random, bytes, *n);
        } else if (*n > 0) {
                for (uint64_t i = random_below(random, 8) + 1; i > 0; i--)
                        bytes[random_below(random, *n)] ^= (uint8_t)(1u << random_below(random, 8));
        }
}
