/*
 * answerer.h - a request of somebody else, from its first piece until its reply is confirmed.
 * Private to answerer.c, request.c and reply.c.
 *
 *     state        leaves it
 *     COLLECTING   complete: HANDED_UP; 30 s after its last new piece
 *     HANDED_UP    transport_answer(): ANSWERED
 *     ANSWERED     DONE; 60 s after the peer last wanted something of it; others need the memory
 *
 * DEALLOC ends each. What was handed up is remembered by its id for a while, so that it is not handed up
 * again. No timer but that of age: who answers reacts to what comes.
 */
#ifndef O7S_IPCPD_TRANSPORT_ANSWERER_H
#define O7S_IPCPD_TRANSPORT_ANSWERER_H

#include "ipcpd/transport/parts.h"

enum answerer_state { COLLECTING, HANDED_UP, ANSWERED };

struct answerer {
        struct timer         timer;
        struct transport_key key;
        UT_hash_handle       hh;
        enum answerer_state  state;
        bool                 proved;
        bool                 ended;          /* ANSWERED, and the owner has ended the flow */
        uint64_t             received, sent; /* bytes of packets                           */
        struct source       *source;         /* until it is answered …                     */
        size_t               charged;        /* … and what it holds of it                  */
        struct incoming     *request;        /* of more than one piece, COLLECTING         */
        struct outgoing     *reply;          /* ANSWERED                                   */
        size_t               stored;         /* bytes of it                                */
        int64_t              pushed_ns;      /* when some of it was sent last              */
        TAILQ_ENTRY(answerer) by_age;        /* ANSWERED                                   */
};

/* NULL: there is none. */
struct answerer *answerer_find(const struct transport *t, const struct transport_key *key);

void answerer_enter(struct transport *t, struct answerer *w, enum answerer_state s);

/* The pieces are not needed any more; nor anything else of its source's share. */
void answerer_drop_request(struct transport *t, struct answerer *w);
void answerer_drop_source(struct transport *t, struct answerer *w);

/* @w is gone; takes half-made ones. */
void answerer_drop(struct transport *t, struct answerer *w);

/* The same, and what was handed up is remembered. */
void answerer_end(struct transport *t, int64_t now_ns, struct answerer *w);

/* -- proofs of the source ------------------------------------------------------- */

/* Whether the source may be sent @n bytes; they count as sent then. */
bool answerer_may_send(const struct transport *t, struct answerer *w, size_t n);

void answerer_ask_proof(struct transport *t, const struct transport_key *k, int64_t now_ns);

/* Whether the packet has a valid token. */
bool answerer_proves(const struct transport *t, const struct arrival *a);

/* Its source has proved itself: what it holds is its own from now on, if there is room. */
void answerer_prove(struct transport *t, struct answerer *w);

/* -- reply.c ------------------------------------------------------------ */

/* The peer seems to miss something of the reply. */
void answerer_repeat(struct transport *t, struct answerer *w, int64_t now_ns);

/* The request is refused for now. Nothing is kept of it: a copy is answered as things are then. */
void answerer_busy(struct transport *t, const struct arrival *a);

#endif
