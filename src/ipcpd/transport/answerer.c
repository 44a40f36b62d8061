#include "ipcpd/transport/answerer.h"

#include <stdlib.h>

#define UNPROVED_GAIN \
        3u /* bytes sent for one received of a source that has not proved itself (RFC 9000 8.1) */

struct answerer *answerer_find(const struct transport *t, const struct transport_key *key)
{
        struct answerer *w;

        TABLE_FIND(&t->secret, t->answerers, key, TRANSPORT_KEY_LEN, w);
        return w;
}

/* -- what it holds ------------------------------------------------------------------ */

static size_t *count_of(struct transport *t, enum answerer_state s)
{
        size_t *const counts[] = {[COLLECTING] = &t->facts.collecting,
                                  [HANDED_UP]  = &t->facts.handed_up,
                                  [ANSWERED]   = &t->facts.stored};

        return counts[s];
}

void answerer_enter(struct transport *t, struct answerer *w, enum answerer_state s)
{
        --*count_of(t, w->state);
        w->state = s;
        ++*count_of(t, s);
}

void answerer_drop_request(struct transport *t, struct answerer *w)
{
        size_t bytes = w->request != NULL ? w->charged - sizeof(*w) : 0;

        if (w->request == NULL)
                return;
        source_complete(w->source);
        source_give(&t->sources, w->source, bytes);
        w->charged -= bytes;
        incoming_destroy(w->request);
        w->request = NULL;
}

void answerer_drop_source(struct transport *t, struct answerer *w)
{
        answerer_drop_request(t, w);
        if (w->source != NULL)
                source_give(&t->sources, w->source, w->charged);
        w->source = NULL;
}

void answerer_drop(struct transport *t, struct answerer *w)
{
        timer_stop(t, &w->timer);
        if (w->hh.tbl != NULL) {
                HASH_DEL(t->answerers, w);
                --*count_of(t, w->state);
        }
        answerer_drop_source(t, w);
        if (w->reply != NULL) {
                TAILQ_REMOVE(&t->stored, w, by_age);
                t->stored_bytes -= w->stored;
        }
        outgoing_destroy(w->reply);
        free(w);
}

void answerers_fini(struct transport *t)
{
        while (t->answerers != NULL)
                answerer_drop(t, t->answerers);
}

void answerer_end(struct transport *t, int64_t now_ns, struct answerer *w)
{
        struct transport_key key        = w->key;
        bool                 incomplete = w->state == COLLECTING;

        answerer_drop(t, w);
        if (!incomplete)
                transport_remember(t, now_ns, &key, MEMORY_ANSWERED);
}

void answerer_ended(struct transport *t, int64_t now_ns, const struct transport_key *k)
{
        struct answerer *w = answerer_find(t, k);

        if (w != NULL)
                answerer_end(t, now_ns, w);
}

/* -- proofs of the source ---------------------------------------------------------- */

bool answerer_may_send(const struct transport *t, struct answerer *w, size_t n)
{
        if (t->conf.proves && !w->proved && w->sent + n > UNPROVED_GAIN * w->received)
                return false;
        w->sent += n;
        return true;
}

void answerer_ask_proof(struct transport *t, const struct transport_key *k, int64_t now_ns)
{
        struct shim_head h = {.type = SHIM_PROVE, .count = 1, .len = SHIM_TOKEN, .id = k->id};
        uint8_t          token[SHIM_TOKEN];

        token_make(t->conf.secret, now_ns, &k->peer, token);
        transport_send(t, &k->peer, &h, token);
}

bool answerer_proves(const struct transport *t, const struct arrival *a)
{
        return t->conf.proves && a->head.has_token &&
               token_valid(t->conf.secret, a->now_ns, &a->key.peer, a->head.token);
}

void answerer_prove(struct transport *t, struct answerer *w)
{
        struct source *own;

        w->proved = true;
        if (w->source == NULL)
                return;
        own = source_enter(&t->sources, &t->secret, &w->key.peer, true, w->charged);
        if (own == NULL)
                return;
        if (w->request != NULL && !source_begin(own)) {
                source_give(&t->sources, own, w->charged);
                return;
        }
        if (w->request != NULL)
                source_complete(w->source);
        source_give(&t->sources, w->source, w->charged);
        w->source = own;
}
