/*
 * request.c - requests of others: let in, collected, and handed up.
 */
#include "ipcpd/transport/answerer.h"

#include <stdlib.h>

#define INCOMPLETE_NS (30 * NS_PER_S)
#define UNPROVED_MAX  64u /* requests under way, beyond which a source has to prove itself first */

static void send_got(struct transport *t, struct answerer *w, bool complete)
{
        struct shim_got got = {.what = SHIM_REQUEST, .complete = complete};

        got.pieces = complete ? UINT64_MAX : w->request->got;
        if (answerer_may_send(t, w, SHIM_HDR + SHIM_GOT_LEN))
                transport_say_got(t, &w->key, &got, NULL);
}

/* -- a request comes --------------------------------------------------------------------- */

/* Hands the request up. @w may be gone then. */
static bool hand_up(struct transport *t, struct answerer *w, const uint8_t *p, size_t len)
{
        struct rd                r = {.p = p, .end = p + len};
        struct shim_request      s;
        struct transport_request rq;
        struct transport_key     key = w->key;

        if (!shim_request_get(&r, &s)) {
                answerer_drop(t, w);
                return false;
        }
        if (w->request != NULL)
                send_got(t, w, true);
        answerer_drop_request(t, w);
        answerer_enter(t, w, HANDED_UP);
        timer_move(t, &w->timer, CLOCK_NEVER);
        rq = (struct transport_request){
                .eid = s.eid, .hash = s.hash, .hash_len = s.hash_len, .qs = s.qs, .oap = {s.oap, s.oap_len}};
        t->ops->request(t->ctx, &key, &rq);
        return true;
}

static bool join(struct transport *t, struct answerer *w)
{
        size_t   len = incoming_bytes(w->request);
        uint8_t *all = incoming_join(w->request);
        bool     ok;

        if (all == NULL) {
                answerer_drop(t, w);
                return true;
        }
        ok = hand_up(t, w, all, len);
        free(all);
        return ok;
}

static bool add_piece(struct transport *t, const struct arrival *a, struct answerer *w)
{
        int r;

        if (!source_take(&t->sources, w->source, a->head.len)) {
                if (t->conf.proves && !w->proved && answerer_may_send(t, w, SHIM_HDR + SHIM_TOKEN))
                        answerer_ask_proof(t, &w->key, a->now_ns);
                return true;
        }
        r = incoming_add(w->request, &a->head, a->body);
        if (r < 0) {
                source_give(&t->sources, w->source, a->head.len);
                return true;
        }
        w->charged += a->head.len;
        timer_move(t, &w->timer, a->now_ns + INCOMPLETE_NS);
        if (r == INCOMING_COMPLETE)
                return join(t, w);
        if (incoming_owes(w->request, &a->head))
                send_got(t, w, false);
        return true;
}

static bool collect(struct transport *t, const struct arrival *a, struct answerer *w)
{
        if (w->request == NULL) /* it is new, and has one piece */
                return hand_up(t, w, a->body, a->head.len);
        switch (incoming_judge(w->request, &a->head)) {
        case INCOMING_CONFLICT: return false;
        case INCOMING_HAD: send_got(t, w, false); return true;
        default: return add_piece(t, a, w);
        }
}

/* -- a new one ------------------------------------------------------------------------------ */

/* Room for the pieces of a request that has more than one. */
static bool begin_collecting(struct transport *t, struct answerer *w, const struct shim_head *h)
{
        if (!source_take(&t->sources, w->source, sizeof(*w->request)))
                return false;
        w->charged += sizeof(*w->request);
        if (!source_begin(w->source))
                return false;
        w->request = incoming_create(h);
        if (w->request == NULL)
                source_complete(w->source);
        return w->request != NULL;
}

static void due(struct transport *t, struct timer *m, int64_t now_ns)
{
        answerer_end(t, now_ns, (struct answerer *)m);
}

/* NULL: there is no room for it, or for more of its source. */
static struct answerer *create(struct transport *t, const struct arrival *a, bool proved)
{
        struct answerer *w = calloc(1, sizeof(*w));

        if (w == NULL)
                return NULL;
        w->key       = a->key;
        w->timer.due = due;
        w->proved    = proved;
        w->source    = source_enter(&t->sources, &t->secret, &a->key.peer, proved, sizeof(*w));
        w->charged   = w->source != NULL ? sizeof(*w) : 0;
        TABLE_ADD(&t->secret, t->answerers, key, TRANSPORT_KEY_LEN, w);
        t->facts.collecting += w->hh.tbl != NULL;
        if (w->source != NULL && w->hh.tbl != NULL &&
            timer_start(t, &w->timer, a->now_ns + INCOMPLETE_NS) == 0 &&
            (a->head.count == 1 || begin_collecting(t, w, &a->head)))
                return w;
        answerer_drop(t, w);
        return NULL;
}

/* Whose share is used up: by others, maybe, as long as they need no proof. */
static void turn_away(struct transport *t, const struct arrival *a, bool proved)
{
        if (t->conf.proves && !proved)
                answerer_ask_proof(t, &a->key, a->now_ns);
        else
                answerer_busy(t, a);
}

/* NULL: it has been answered, as far as it is. */
static struct answerer *admit(struct transport *t, const struct arrival *a, bool proved)
{
        struct answerer *w;

        if (t->conf.proves && !proved && t->facts.collecting + t->facts.handed_up >= UNPROVED_MAX) {
                answerer_ask_proof(t, &a->key, a->now_ns);
                return NULL;
        }
        w = create(t, a, proved);
        if (w == NULL)
                turn_away(t, a, proved);
        return w;
}

bool answerer_request(struct transport *t, const struct arrival *a)
{
        struct answerer *w = answerer_find(t, &a->key);
        bool             proved;

        if (w == NULL && (asker_is(t, &a->key) || memory_of(&t->memory, &t->secret, &a->key) != MEMORY_NONE))
                return false;
        proved = (w == NULL || !w->proved) && answerer_proves(t, a);
        if (w == NULL)
                w = admit(t, a, proved);
        if (w == NULL)
                return true;
        if (proved && !w->proved)
                answerer_prove(t, w);
        w->received += a->packet_len;
        switch (w->state) {
        case COLLECTING: return collect(t, a, w);
        case HANDED_UP: send_got(t, w, true); break;
        case ANSWERED: answerer_repeat(t, w, a->now_ns); break;
        }
        return true;
}
