/*
 * reply.c - what requests of others are answered with: stored, and sent again as often as it is
 * asked for.
 */
#include "ipcpd/transport/answerer.h"

#include <stdlib.h>

/* A copy of a request that comes so soon after the reply was sent is no reason to repeat it. */
#define AGAIN_NS (100 * NS_PER_MS)

#define STORED_BYTES_MAX (32u << 20)
#define STORED_NS        (60 * NS_PER_S)

/*
 * What of the reply is due, or, where that is too much for who has not proved itself, a request for the
 * proof.
 */
static void push(struct transport *t, struct answerer *w, int64_t now_ns)
{
        struct shim_head h = {.type = SHIM_REPLY, .id = w->key.id};
        bool             again;
        int              i;

        if (!answerer_may_send(t, w, outgoing_due(w->reply))) {
                if (answerer_may_send(t, w, SHIM_HDR + SHIM_TOKEN))
                        answerer_ask_proof(t, &w->key, now_ns);
                return;
        }
        while ((i = outgoing_next(w->reply, &again)) >= 0) {
                const uint8_t *body = outgoing_piece(w->reply, (unsigned)i, &h);

                t->facts.repeated += again;
                w->pushed_ns = now_ns;
                transport_send(t, &w->key.peer, &h, body);
        }
}

void answerer_repeat(struct transport *t, struct answerer *w, int64_t now_ns)
{
        timer_move(t, &w->timer, now_ns + STORED_NS);
        if (now_ns - w->pushed_ns >= AGAIN_NS)
                outgoing_repeat(w->reply);
        push(t, w, now_ns);
}

/* -- the answer ----------------------------------------------------------------------- */

/* The message, to be freed; NULL: out of memory. */
static uint8_t *compose(const struct transport *t, int64_t now_ns, const struct transport_key *k,
                        struct shim_reply *rp, size_t *len)
{
        uint8_t  *bytes = malloc(SHIM_REPLY_LEN + rp->oap_len);
        struct wr w;

        if (bytes == NULL)
                return NULL;
        w = (struct wr){.p = bytes, .end = bytes + SHIM_REPLY_LEN + rp->oap_len};
        memset(rp->token, 0, SHIM_TOKEN);
        if (t->conf.proves)
                token_make(t->conf.secret, now_ns, &k->peer, rp->token);
        shim_reply_put(&w, rp);
        *len = (size_t)(w.p - bytes);
        return bytes;
}

static struct outgoing *compose_pieces(const struct transport *t, int64_t now_ns,
                                       const struct transport_key *k, struct shim_reply *rp)
{
        size_t   len;
        uint8_t *bytes = compose(t, now_ns, k, rp, &len);

        return bytes != NULL ? outgoing_create(bytes, len, t->conf.datagram - SHIM_HDR) : NULL;
}

static bool fits(const struct transport *t, size_t oap_len)
{
        size_t max = SHIM_PIECES_MAX * (t->conf.datagram - SHIM_HDR);

        return oap_len <= (max < SHIM_MESSAGE_MAX ? max : SHIM_MESSAGE_MAX) - SHIM_REPLY_LEN;
}

/* Keeps @w's reply, for which the oldest ones give way. */
static void store(struct transport *t, struct answerer *w, int64_t now_ns)
{
        w->stored = sizeof(*w) + sizeof(*w->reply) + w->reply->len;
        while (!TAILQ_EMPTY(&t->stored) && t->stored_bytes + w->stored > STORED_BYTES_MAX)
                answerer_end(t, now_ns, TAILQ_FIRST(&t->stored));
        t->stored_bytes += w->stored;
        TAILQ_INSERT_TAIL(&t->stored, w, by_age);
        answerer_enter(t, w, ANSWERED);
        timer_move(t, &w->timer, now_ns + STORED_NS);
}

static void answer(struct transport *t, struct answerer *w, int64_t now_ns, struct shim_reply *rp)
{
        w->reply = compose_pieces(t, now_ns, &w->key, rp);
        if (w->reply == NULL) { /* no memory: better no answer than to hand it up again */
                answerer_end(t, now_ns, w);
                return;
        }
        answerer_drop_source(t, w);
        store(t, w, now_ns);
        push(t, w, now_ns);
}

void transport_answer(struct transport *t, int64_t now_ns, const struct transport_key *k, int result,
                      uint32_t eid, struct transport_bytes oap)
{
        struct answerer  *w  = answerer_find(t, k);
        struct shim_reply rp = {.code = (uint8_t)shim_code(result)};

        if (w == NULL || w->state != HANDED_UP)
                return;
        if (rp.code == SHIM_OK && (eid == 0 || !fits(t, oap.len)))
                rp.code = SHIM_REFUSED;
        if (rp.code == SHIM_OK) {
                rp.eid     = eid;
                rp.oap     = oap.p;
                rp.oap_len = oap.len;
        }
        answer(t, w, now_ns, &rp);
}

void answerer_busy(struct transport *t, const struct arrival *a)
{
        struct shim_reply rp = {.code = SHIM_BUSY};
        struct shim_head  h  = {.type = SHIM_REPLY, .count = 1, .len = SHIM_REPLY_LEN, .id = a->key.id};
        size_t            len;
        uint8_t          *bytes = compose(t, a->now_ns, &a->key, &rp, &len);

        if (bytes != NULL)
                transport_send(t, &a->key.peer, &h, bytes);
        free(bytes);
}

bool answerer_refuse(struct transport *t, int64_t now_ns, const struct transport_key *k)
{
        struct answerer  *w  = answerer_find(t, k);
        struct shim_reply rp = {.code = SHIM_REFUSED};

        if (w == NULL || w->state != HANDED_UP) {
                if (w != NULL && w->state == ANSWERED)
                        w->ended = true;
                return false;
        }
        answer(t, w, now_ns, &rp);
        return true;
}

/* -- what comes of a reply -------------------------------------------------------------------- */

bool answerer_got(struct transport *t, const struct arrival *a, const struct shim_got *got)
{
        struct answerer *w = answerer_find(t, &a->key);

        if (w == NULL || w->state != ANSWERED)
                return false;
        w->received += a->packet_len;
        if (!w->proved && answerer_proves(t, a))
                answerer_prove(t, w);
        if (!outgoing_heard(w->reply, got->pieces)) {
                answerer_repeat(t, w, a->now_ns);
                return true;
        }
        timer_move(t, &w->timer, a->now_ns + STORED_NS);
        push(t, w, a->now_ns);
        return true;
}

/* A peer that has only now heard of a flow which is over may not have heard that it is. */
bool answerer_done(struct transport *t, const struct arrival *a)
{
        struct answerer *w = answerer_find(t, &a->key);
        bool             ended;

        if (w == NULL || w->state != ANSWERED || a->head.len != 0)
                return false;
        ended = w->ended;
        answerer_end(t, a->now_ns, w);
        if (ended)
                transport_dealloc(t, a->now_ns, &a->key);
        return true;
}
