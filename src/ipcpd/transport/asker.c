/*
 * asker.c - requests of ours: the side that has the timers, and so repairs what is lost in either
 * direction.
 *
 *     state        leaves it                                     timer
 *     ASKING       all of the request has arrived: WAITING       what has not arrived, again
 *     WAITING      a piece of the reply comes: COLLECTING        one piece, to be told what became of it
 *     COLLECTING   the reply is complete: over, with DONE        GOT, so that what is missing comes
 *
 * A piece of the reply says, in any state, that the request has arrived.
 */
#include "ipcpd/transport/parts.h"

#include <errno.h>
#include <stdlib.h>

#define TRIES_MAX      3u /* of a request that gets nothing back */
#define REPEAT_MAX_NS  (2 * NS_PER_S)
#define WAITING_NS     (2 * NS_PER_S) /* first gap */
#define WAITING_MAX_NS (8 * NS_PER_S)
#define ENDED_NS       (10 * NS_PER_S) /* the reply to a flow that the peer has ended may still come */

enum asker_state { ASKING, WAITING, COLLECTING };

struct asker {
        struct timer         timer;
        struct transport_key key;
        UT_hash_handle       hh;
        uint64_t             cookie;
        enum asker_state     state;
        unsigned             tries;
        bool                 heard; /* something of the peer */
        bool                 has_token;
        uint8_t              token[SHIM_TOKEN];
        int64_t              gap_ns;   /* to the next repetition                                    */
        int64_t              ended_ns; /* if the peer has ended the flow: given up then; CLOCK_NEVER */
        struct outgoing     *request;
        struct incoming     *reply; /* of more than one piece, COLLECTING */
};

static void drop(struct transport *t, struct asker *k)
{
        timer_stop(t, &k->timer);
        if (k->hh.tbl != NULL) {
                HASH_DEL(t->askers, k);
                t->facts.asking--;
        }
        outgoing_destroy(k->request);
        incoming_destroy(k->reply);
        free(k);
}

void askers_fini(struct transport *t)
{
        while (t->askers != NULL)
                drop(t, t->askers);
}

static struct asker *find(const struct transport *t, const struct transport_key *key)
{
        struct asker *k;

        TABLE_FIND(&t->secret, t->askers, key, TRANSPORT_KEY_LEN, k);
        return k;
}

bool asker_is(const struct transport *t, const struct transport_key *k)
{
        return find(t, k) != NULL;
}

/* -- what it sends -------------------------------------------------------------- */

static void send_piece(struct transport *t, struct asker *k, unsigned i)
{
        struct shim_head h    = {.type = SHIM_REQUEST, .id = k->key.id, .has_token = k->has_token};
        const uint8_t   *body = outgoing_piece(k->request, i, &h);

        memcpy(h.token, k->token, sizeof(h.token));
        transport_send(t, &k->key.peer, &h, body);
}

static void push(struct transport *t, struct asker *k)
{
        bool again;
        int  i;

        while ((i = outgoing_next(k->request, &again)) >= 0) {
                t->facts.repeated += again;
                send_piece(t, k, (unsigned)i);
        }
}

static void send_got(struct transport *t, const struct asker *k)
{
        struct shim_got got = {.what = SHIM_REPLY, .pieces = k->reply->got};

        transport_say_got(t, &k->key, &got, k->has_token ? k->token : NULL);
}

/* -- its end ---------------------------------------------------------------------- */

/* The outcome, once; what it borrows is not in @k. Last: @k is gone. */
static void finish(struct transport *t, int64_t now_ns, struct asker *k, int result, uint32_t eid,
                   struct transport_bytes oap)
{
        struct transport_key key    = k->key;
        uint64_t             cookie = k->cookie;
        bool                 ended  = k->ended_ns != CLOCK_NEVER;

        drop(t, k);
        transport_remember(t, now_ns, &key, result == 0 && !ended ? MEMORY_FLOW : MEMORY_OVER);
        t->ops->reply(t->ctx, cookie, &key, result, eid, oap);
        if (result == 0 && ended)
                t->ops->dealloc(t->ctx, &key);
}

static void fail(struct transport *t, int64_t now_ns, struct asker *k, int result)
{
        finish(t, now_ns, k, result, 0, (struct transport_bytes){NULL, 0});
}

bool asker_give_up(struct transport *t, int64_t now_ns, const struct transport_key *key)
{
        struct transport_key copy = *key;
        struct asker        *k    = find(t, key);

        if (k == NULL)
                return false;
        drop(t, k);
        transport_remember(t, now_ns, &copy, MEMORY_OVER);
        return true;
}

/* -- time -------------------------------------------------------------------------- */

static int64_t earlier(int64_t a, int64_t b)
{
        return a < b ? a : b;
}

static void schedule(struct transport *t, struct asker *k, int64_t now_ns, int64_t gap_ns)
{
        k->gap_ns = gap_ns;
        timer_move(t, &k->timer, earlier(now_ns + gap_ns, k->ended_ns));
}

static void say_again(struct transport *t, struct asker *k)
{
        switch (k->state) {
        case ASKING: push(t, k); break;
        case WAITING:
                t->facts.repeated++;
                send_piece(t, k, 0);
                break;
        case COLLECTING: send_got(t, k); break;
        }
}

static void due(struct transport *t, struct timer *m, int64_t now_ns)
{
        struct asker *k = (struct asker *)m;

        if (now_ns >= k->ended_ns) {
                fail(t, now_ns, k, shim_result(SHIM_REFUSED));
        } else if (!k->heard && k->tries == TRIES_MAX) {
                fail(t, now_ns, k, -EHOSTUNREACH);
        } else {
                schedule(t, k, now_ns,
                         earlier(2 * k->gap_ns, k->state == WAITING ? WAITING_MAX_NS : REPEAT_MAX_NS));
                if (k->state == ASKING) {
                        k->tries++;
                        outgoing_repeat(k->request);
                }
                say_again(t, k);
        }
}

bool asker_ended(struct transport *t, int64_t now_ns, const struct transport_key *key)
{
        struct asker *k = find(t, key);

        if (k == NULL)
                return false;
        k->heard = true;
        if (k->ended_ns == CLOCK_NEVER) {
                k->ended_ns = now_ns + ENDED_NS;
                schedule(t, k, now_ns, REPEAT_NS);
        }
        return true;
}

/* -- its beginning ------------------------------------------------------------------ */

/* The message in pieces. 0, -EMSGSIZE, -ENOMEM. */
static int compose(const struct transport *t, const struct transport_request *rq, struct outgoing **out)
{
        struct shim_request s   = {.eid      = rq->eid,
                                   .hash     = rq->hash,
                                   .hash_len = rq->hash_len,
                                   .qs       = rq->qs,
                                   .oap      = rq->oap.p,
                                   .oap_len  = rq->oap.len};
        size_t              len = shim_request_len(&s), piece = t->conf.datagram - SHIM_HDR - SHIM_TOKEN;
        uint8_t            *bytes;
        struct wr           w;

        if (rq->oap.len > SHIM_MESSAGE_MAX || len > SHIM_MESSAGE_MAX || len > SHIM_PIECES_MAX * piece)
                return -EMSGSIZE;
        bytes = malloc(len);
        if (bytes == NULL)
                return -ENOMEM;
        w = (struct wr){.p = bytes, .end = bytes + len};
        shim_request_put(&w, &s);
        *out = outgoing_create(bytes, len, piece);
        return *out != NULL ? 0 : -ENOMEM;
}

static void draw_key(struct transport *t, const struct link_addr *to, struct transport_key *k)
{
        *k = (struct transport_key){.peer = *to};
        do
                k->id = transport_draw_id(t);
        while (find(t, k) != NULL || memory_of(&t->memory, &t->secret, k) != MEMORY_NONE);
}

static struct asker *create(struct transport *t, int64_t now_ns, const struct link_addr *to, uint64_t cookie)
{
        struct asker  *k     = calloc(1, sizeof(*k));
        const uint8_t *token = tokens_get(&t->tokens, &t->secret, to);

        if (k == NULL)
                return NULL;
        draw_key(t, to, &k->key);
        k->timer.due = due;
        k->cookie    = cookie;
        k->gap_ns    = REPEAT_NS;
        k->ended_ns  = CLOCK_NEVER;
        k->has_token = token != NULL;
        if (token != NULL)
                memcpy(k->token, token, SHIM_TOKEN);
        TABLE_ADD(&t->secret, t->askers, key, TRANSPORT_KEY_LEN, k);
        t->facts.asking += k->hh.tbl != NULL;
        if (k->hh.tbl != NULL && timer_start(t, &k->timer, now_ns + REPEAT_NS) == 0)
                return k;
        drop(t, k);
        return NULL;
}

int transport_ask(struct transport *t, int64_t now_ns, const struct link_addr *to,
                  const struct transport_request *rq, uint64_t cookie, struct transport_key *key)
{
        struct outgoing *request;
        struct asker    *k;
        int              r;

        if (rq->eid == 0 || rq->hash_len == 0 || rq->hash_len > SHIM_HASH_MAX)
                return -EINVAL;
        r = compose(t, rq, &request);
        if (r < 0)
                return r;
        k = create(t, now_ns, to, cookie);
        if (k == NULL) {
                outgoing_destroy(request);
                return -ENOMEM;
        }
        k->request = request;
        k->tries   = 1;
        *key       = k->key;
        push(t, k);
        return 0;
}

/* -- what comes ----------------------------------------------------------------------- */

bool asker_got(struct transport *t, const struct arrival *a, const struct shim_got *got)
{
        struct asker *k = find(t, &a->key);

        if (k == NULL)
                return false;
        k->heard = true;
        if (k->state != ASKING)
                return true;
        if (outgoing_heard(k->request, got->pieces))
                schedule(t, k, a->now_ns, REPEAT_NS);
        if (got->complete || outgoing_done(k->request)) {
                k->state = WAITING;
                schedule(t, k, a->now_ns, WAITING_NS);
        } else {
                push(t, k);
        }
        return true;
}

static void keep_token(struct transport *t, const struct link_addr *of, const uint8_t token[SHIM_TOKEN])
{
        if (t->conf.proves)
                tokens_put(&t->tokens, &t->secret, of, token);
}

/*
 * One that we have already is old news, and repeated anyway. With the first everything that was sent may be
 * lost: a server that asks for a proof before it gives memory has kept nothing.
 */
bool asker_prove(struct transport *t, const struct arrival *a)
{
        struct asker *k = find(t, &a->key);

        if (k == NULL || a->head.len != SHIM_TOKEN || !t->conf.proves)
                return false;
        k->heard = true;
        if (k->has_token && memcmp(k->token, a->body, SHIM_TOKEN) == 0)
                return true;
        keep_token(t, &a->key.peer, a->body);
        k->has_token = true;
        memcpy(k->token, a->body, SHIM_TOKEN);
        if (k->state == ASKING)
                outgoing_repeat(k->request);
        say_again(t, k);
        return true;
}

/* All of the reply is there; a malformed one is a refusal. Last: @k is gone. */
static void complete(struct transport *t, const struct arrival *a, struct asker *k, const uint8_t *p,
                     size_t len)
{
        struct rd              r = {.p = p, .end = p + len};
        struct shim_reply      rp;
        struct transport_bytes oap = {NULL, 0};

        transport_say(t, &a->key, SHIM_DONE);
        if (!shim_reply_get(&r, &rp)) {
                t->facts.refused++;
                fail(t, a->now_ns, k, shim_result(SHIM_REFUSED));
                return;
        }
        keep_token(t, &a->key.peer, rp.token);
        oap = (struct transport_bytes){rp.oap, rp.oap_len};
        finish(t, a->now_ns, k, shim_result(rp.code), rp.eid, oap);
}

static void join(struct transport *t, const struct arrival *a, struct asker *k)
{
        size_t   len = incoming_bytes(k->reply);
        uint8_t *all = incoming_join(k->reply);

        if (all == NULL) {
                fail(t, a->now_ns, k, -ENOMEM);
                return;
        }
        complete(t, a, k, all, len);
        free(all);
}

static bool collect(struct transport *t, const struct arrival *a, struct asker *k)
{
        int r = incoming_judge(k->reply, &a->head);

        if (r == INCOMING_CONFLICT)
                return false;
        if (r == INCOMING_HAD) {
                send_got(t, k);
                return true;
        }
        r = incoming_add(k->reply, &a->head, a->body);
        if (r == INCOMING_COMPLETE) {
                join(t, a, k);
                return true;
        }
        if (k->ended_ns != CLOCK_NEVER)
                k->ended_ns = a->now_ns + ENDED_NS;
        schedule(t, k, a->now_ns, REPEAT_NS);
        if (r == INCOMING_NEW && incoming_owes(k->reply, &a->head))
                send_got(t, k);
        return true;
}

/* What comes late: the peer is told that it is over, whichever way. */
static bool reply_late(struct transport *t, const struct arrival *a)
{
        switch (memory_of(&t->memory, &t->secret, &a->key)) {
        case MEMORY_FLOW: transport_say(t, &a->key, SHIM_DONE); return true;
        case MEMORY_OVER: transport_say(t, &a->key, SHIM_DEALLOC); return true;
        default: return false;
        }
}

bool asker_reply(struct transport *t, const struct arrival *a)
{
        struct asker *k = find(t, &a->key);

        if (k == NULL)
                return reply_late(t, a);
        k->heard = true;
        if (k->reply == NULL && a->head.count == 1) {
                complete(t, a, k, a->body, a->head.len);
                return true;
        }
        if (k->reply == NULL)
                k->reply = incoming_create(&a->head);
        if (k->reply == NULL)
                return true;
        k->state = COLLECTING;
        return collect(t, a, k);
}
