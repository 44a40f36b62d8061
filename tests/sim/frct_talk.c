#include "frct_talk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ouroboros/errno.h>

#include "base/clock.h"

#include "random.h"

#define TABLE (FRCT_MESSAGE_MAX + (64u << 10))

static void *must(void *p)
{
        if (p == NULL)
                abort();
        return p;
}

void talk_init(struct talk *t, const struct talk_plan *plan, bool reliable, uint64_t key)
{
        *t    = (struct talk){.plan = *plan, .reliable = reliable, .key = key};
        t->in = must(malloc(FRCT_MESSAGE_MAX));
        if (plan->n_phases > 0)
                t->write_ns = plan->phases[0].before_ns;
        else
                t->write_ns = plan->fin_after_ns;
}

void talk_fini(struct talk *t)
{
        free(t->lens);
        free(t->in);
}

/* -- messages ------------------------------------------------------------------- */

/* Random bytes, from which messages are cut. The same in every run. */
static const uint8_t *table(void)
{
        static uint8_t bytes[TABLE];
        static bool    made;
        uint64_t       random = 1;

        if (!made)
                random_fill(&random, bytes, sizeof(bytes));
        made = true;
        return bytes;
}

static uint64_t mix(const struct talk *t, uint64_t i)
{
        uint64_t state = t->key + i;

        return random_next(&state);
}

/* Between the bounds of the phase, each order of magnitude as likely. */
static uint32_t length_of(const struct talk *t, const struct talk_phase *p, uint64_t i)
{
        uint64_t state = mix(t, i);
        size_t   top   = p->max;

        while (top / 2 > p->min && random_next(&state) % 3 > 0)
                top /= 2;
        return (uint32_t)(p->min + random_below(&state, top - p->min + 1));
}

/* A message says its number first, as far as it is long enough, so that no two are alike. */
static const uint8_t *head_of(uint64_t i, uint8_t head[8])
{
        for (unsigned k = 0; k < 8; k++)
                head[k] = (uint8_t)(i >> 8 * k);
        return head;
}

static const uint8_t *rest_of(const struct talk *t, uint64_t i)
{
        return table() + mix(t, ~i) % (TABLE - FRCT_MESSAGE_MAX);
}

static void make(const struct talk *t, uint64_t i, uint8_t *out, size_t n)
{
        uint8_t head[8];

        memcpy(out, rest_of(t, i), n);
        memcpy(out, head_of(i, head), n < 8 ? n : 8);
}

static bool is_message(const struct talk *t, uint64_t i, const uint8_t *p, size_t n)
{
        uint8_t head[8];

        if (t->lens[i] != n || memcmp(p, head_of(i, head), n < 8 ? n : 8) != 0)
                return false;
        return n <= 8 || memcmp(p + 8, rest_of(t, i) + 8, n - 8) == 0;
}

/* -- writing --------------------------------------------------------------------- */

bool talk_has_said_all(const struct talk *t)
{
        return t->phase == t->plan.n_phases && (t->fin || !t->plan.fin);
}

static void remember(struct talk *t, uint32_t n)
{
        if (t->written == t->cap) {
                t->cap  = t->cap > 0 ? 2 * t->cap : 64;
                t->lens = must(realloc(t->lens, t->cap * sizeof(*t->lens)));
        }
        t->lens[t->written++] = n;
}

static void next_message(struct talk *t, int64_t now_ns)
{
        const struct talk_phase *p = &t->plan.phases[t->phase];

        t->write_ns = now_ns + p->gap_ns;
        if (++t->in_phase < p->n)
                return;
        t->in_phase = 0;
        t->phase++;
        t->write_ns = now_ns + (t->phase < t->plan.n_phases ? p[1].before_ns : t->plan.fin_after_ns);
}

static bool write_one(struct world *w, struct world_end *e, struct talk *t)
{
        static uint8_t message[FRCT_MESSAGE_MAX];
        uint32_t       n    = length_of(t, &t->plan.phases[t->phase], t->written);
        bool           room = frct_has_room(e->f, n);
        int            r;

        make(t, t->written, message, n);
        r          = frct_write(e->f, message, n, world_time(w, e));
        t->blocked = r == -EAGAIN;
        if (room != (r == 0) || (r != 0 && r != -EAGAIN))
                world_fail(w, e, "frct_write() and frct_has_room() do not agree, or it fails");
        if (r < 0)
                return false;
        world_say(w, e, "writes %llu, %u bytes", (unsigned long long)t->written, n);
        remember(t, n);
        next_message(t, w->now_ns);
        return true;
}

static void write_some(struct world *w, struct world_end *e, struct talk *t)
{
        while (t->phase < t->plan.n_phases && t->write_ns <= w->now_ns)
                if (!write_one(w, e, t))
                        return;
        if (t->phase < t->plan.n_phases || !t->plan.fin || t->fin || t->write_ns > w->now_ns)
                return;
        world_say(w, e, "ends");
        if (frct_fin(e->f, world_time(w, e)) != 0)
                world_fail(w, e, "frct_fin");
        t->fin = true;
}

/* -- reading ---------------------------------------------------------------------- */

bool talk_is_deaf(const struct talk *t, int64_t now_ns)
{
        for (unsigned i = 0; i < t->plan.n_stops; i++)
                if (t->plan.stops[i].from_ns <= now_ns && now_ns < t->plan.stops[i].to_ns)
                        return true;
        return false;
}

static int64_t hears_again_ns(const struct talk *t, int64_t now_ns)
{
        int64_t at_ns = t->read_ns > now_ns ? t->read_ns : CLOCK_NEVER;

        for (unsigned i = 0; i < t->plan.n_stops; i++)
                if (t->plan.stops[i].from_ns <= now_ns && now_ns < t->plan.stops[i].to_ns)
                        return t->plan.stops[i].to_ns;
        return at_ns;
}

bool talk_has_heard_all(const struct talk *t)
{
        return (!t->reliable || t->read == t->peer->written) && (t->ended || !t->peer->fin || !t->reliable);
}

/* A message is complete: the next one (reliable), or one of those that follow. */
static void is_it(struct world *w, struct world_end *e, struct talk *t)
{
        uint64_t i = t->read;

        while (i < t->peer->written && !is_message(t->peer, i, t->in, t->n_in) && !t->reliable)
                i++;
        if (w->foul) /* altered data is what the flow was ready to take */
                i = t->read < t->peer->written ? t->read : 0;
        else if (i == t->peer->written || !is_message(t->peer, i, t->in, t->n_in))
                world_fail(w, e, "a message that was not sent, or not now");
        world_say(w, e, "reads %llu, %zu bytes", (unsigned long long)i, t->n_in);
        t->read = i + 1;
        t->got++;
        t->bytes += t->n_in;
        t->n_in = 0;
}

static void read_part(struct world *w, struct world_end *e, struct talk *t, size_t left)
{
        size_t want = t->plan.chunk > 0 && t->plan.chunk < left ? t->plan.chunk : left;

        if (left > FRCT_MESSAGE_MAX - t->n_in)
                world_fail(w, e, "a message that is too long");
        if (frct_read(e->f, t->in + t->n_in, want, world_time(w, e)) != want)
                world_fail(w, e, "frct_read() gives less than frct_look() has said");
        t->n_in += want;
        if (want == left)
                is_it(w, e, t);
        t->read_ns = w->now_ns + t->plan.gap_ns;
}

static void at_end(struct world *w, struct world_end *e, struct talk *t)
{
        if (!t->ended)
                world_say(w, e, "reads the end");
        t->ended = true;
        if (w->foul)
                return;
        if (!t->peer->fin)
                world_fail(w, e, "an end that was not said");
        if (t->reliable && t->read != t->peer->written)
                world_fail(w, e, "the end before the last message");
        if (t->n_in > 0)
                world_fail(w, e, "the end in a message");
}

static void read_some(struct world *w, struct world_end *e, struct talk *t)
{
        ptrdiff_t n = 0;

        while (!talk_is_deaf(t, w->now_ns) && t->read_ns <= w->now_ns && (n = frct_look(e->f)) > 0)
                read_part(w, e, t, (size_t)n);
        if (n == -ENODATA)
                at_end(w, e, t);
        else if (n < 0 && n != t->error)
                world_fail(w, e, "frct_look() gives another error than frct_write()");
}

/* -- errors ------------------------------------------------------------------------ */

/* Whether the flow is over, without a trace: no message is that short. */
static int state(struct world *w, struct world_end *e)
{
        int r = frct_write(e->f, "", 0, world_time(w, e));

        return r == -EFLOWPEER || r == -EFLOWDOWN ? r : 0;
}

static bool is_silent(const struct world *w, const struct world_end *e, int64_t more_ns)
{
        return e->conf.timeout_ns > 0 && world_time(w, e) - e->watch.heard_ns >= e->conf.timeout_ns + more_ns;
}

static bool is_hopeless(const struct world *w, const struct world_end *e, int64_t more_ns)
{
        int64_t old_ns = watch_oldest_ns(&e->watch);

        return e->conf.reliable && old_ns != CLOCK_NEVER && world_time(w, e) - old_ns >= FRCT_R_NS + more_ns;
}

void talk_look(struct world *w, struct world_end *e)
{
        struct talk *t        = e->arg;
        int64_t      slack_ns = e->lag_ns + NS_PER_MS;

        if (t->error == 0 && (t->error = state(w, e)) != 0) {
                world_say(w, e, "the flow is over: %d", t->error);
                e->over = true;
                if (t->error == -EFLOWDOWN ? !t->may_fall
                                           : !is_silent(w, e, 0) && !is_hopeless(w, e, 0) && !w->foul)
                        world_fail(w, e, "over without a reason");
                if (t->error == -EFLOWPEER && !is_silent(w, e, 0) && !t->harsh && !w->foul)
                        world_fail(w, e, "gives up on a network that is not that bad");
        }
        if (t->error != 0 || w->foul)
                return;
        if (is_silent(w, e, slack_ns))
                world_fail(w, e, "does not notice that its peer is silent");
        if (is_hopeless(w, e, slack_ns))
                world_fail(w, e, "sends in vain for longer than R");
        if (e->conf.timeout_ns > 0 && world_time(w, e) - e->watch.said_ns > e->conf.timeout_ns / 4 + slack_ns)
                world_fail(w, e, "gives no sign of life");
}

static int64_t earlier(int64_t a, int64_t b)
{
        return a < b ? a : b;
}

static bool has_more(const struct talk *t)
{
        return !talk_has_said_all(t) && !t->blocked;
}

int64_t talk_run(struct world *w, struct world_end *e)
{
        struct talk *t = e->arg;
        int64_t      at_ns;

        talk_look(w, e);
        read_some(w, e, t);
        at_ns = hears_again_ns(t, w->now_ns);
        if (t->error != 0)
                return at_ns;
        t->blocked = false;
        write_some(w, e, t);
        return has_more(t) ? earlier(at_ns, t->write_ns) : at_ns;
}
