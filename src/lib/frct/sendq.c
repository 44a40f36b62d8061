#include "frct/sendq.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "frct/pool.h"
#include "wire/frct.h"

#define RING_FIRST 16u /* entries of the smallest ring */

enum place {
        PLACE_WAITS, /* was never sent                 */
        PLACE_OUT,   /* in the list of those           */
        PLACE_LOST,  /* in the list of those           */
        PLACE_ARRIVED
};

/* A circle of entries, linked by number, since the ring may move. */
struct circle {
        uint32_t oldest;
        uint32_t n;
};

struct sendq {
        size_t        piece, bytes_max;
        size_t        bytes; /* of payload                          */
        size_t        taken; /* bytes of the chunks that hold it    */
        uint64_t      base, next, end;
        uint64_t      hole; /* the first that has not arrived      */
        uint64_t      sent; /* transmissions, ever                 */
        struct circle out, lost;
        struct sent  *ring; /* of number n: n & (cap - 1)          */
        size_t        cap;  /* a power of two, or 0                */
        struct pool   small, large;
};

/* -- chunks -------------------------------------------------------------------- */

static struct pool *pool_for(struct sendq *q, size_t len)
{
        return len <= q->small.chunk ? &q->small : &q->large;
}

static size_t chunk_for(const struct sendq *q, size_t len)
{
        return len <= q->small.chunk ? q->small.chunk : q->large.chunk;
}

/* Bytes of the chunks that @n bytes take, cut into pieces. */
static size_t chunks_for(const struct sendq *q, size_t n)
{
        size_t rest = n % q->piece;

        return n / q->piece * chunk_for(q, q->piece) + (rest > 0 ? chunk_for(q, rest) : 0);
}

static size_t pieces(const struct sendq *q, size_t n)
{
        return n / q->piece + (n % q->piece > 0);
}

/* -- the ring ------------------------------------------------------------------- */

static struct sent *entry(const struct sendq *q, uint64_t seq)
{
        return &q->ring[seq & (q->cap - 1)];
}

/* Whether there is, or could be made, room for @n entries more. */
static bool ring_reserve(struct sendq *q, size_t n)
{
        size_t       need = (size_t)(q->end - q->base) + n;
        size_t       cap  = q->cap > 0 ? q->cap : RING_FIRST;
        struct sent *ring;

        if (need <= q->cap)
                return true;
        while (cap < need)
                cap *= 2;
        ring = malloc(cap * sizeof(*ring));
        if (ring == NULL)
                return false;
        for (uint64_t seq = q->base; seq < q->end; seq++)
                ring[seq & (cap - 1)] = *entry(q, seq);
        free(q->ring);
        q->ring = ring;
        q->cap  = cap;
        return true;
}

/* -- the orders ----------------------------------------------------------------- */

static void link_youngest(struct sendq *q, struct circle *o, uint64_t seq)
{
        struct sent *s    = entry(q, seq);
        uint32_t     self = (uint32_t)seq;

        if (o->n++ == 0) {
                o->oldest = s->older = s->newer = self;
                return;
        }
        s->newer                  = o->oldest;
        s->older                  = entry(q, o->oldest)->older;
        entry(q, s->older)->newer = self;
        entry(q, s->newer)->older = self;
}

static void unlink_from(struct sendq *q, struct circle *o, uint64_t seq)
{
        const struct sent *s = entry(q, seq);

        entry(q, s->older)->newer = s->newer;
        entry(q, s->newer)->older = s->older;
        if (o->oldest == (uint32_t)seq)
                o->oldest = s->newer;
        o->n--;
}

/* Puts the packet where it belongs now, as the youngest. */
static void move_to(struct sendq *q, uint64_t seq, enum place place)
{
        struct sent *s = entry(q, seq);

        if (s->place == PLACE_OUT)
                unlink_from(q, &q->out, seq);
        else if (s->place == PLACE_LOST)
                unlink_from(q, &q->lost, seq);
        s->place = (uint8_t)place;
        if (place == PLACE_OUT)
                link_youngest(q, &q->out, seq);
        else if (place == PLACE_LOST)
                link_youngest(q, &q->lost, seq);
}

static struct sent *oldest(const struct sendq *q, const struct circle *o, uint64_t *seq)
{
        if (o->n == 0)
                return NULL;
        *seq = q->base + (uint32_t)(o->oldest - (uint32_t)q->base);
        return entry(q, *seq);
}

struct sent *sendq_oldest(struct sendq *q, uint64_t *seq)
{
        return oldest(q, &q->out, seq);
}

struct sent *sendq_first_lost(struct sendq *q, uint64_t *seq)
{
        return oldest(q, &q->lost, seq);
}

/* -- birth and death -------------------------------------------------------------- */

struct sendq *sendq_create(size_t piece, size_t bytes_max, uint64_t first)
{
        struct sendq *q     = calloc(1, sizeof(*q));
        size_t        small = piece < SENDQ_SMALL ? piece : SENDQ_SMALL;

        if (q == NULL)
                return NULL;
        q->piece     = piece;
        q->bytes_max = bytes_max;
        /* One more: the last piece of a message, which may fill the queue, is rounded up. */
        pool_init(&q->small, small, bytes_max / small + 1);
        pool_init(&q->large, piece, bytes_max / piece + 1);
        sendq_restart(q, first);
        return q;
}

static void wipe(struct sendq *q, struct sent *s)
{
        void *chunk = (void *)(uintptr_t)s->payload; /* it is ours */

        if (chunk == NULL)
                return;
        explicit_bzero(chunk, s->len);
        pool_give(pool_for(q, s->len), chunk);
        q->bytes -= s->len;
        q->taken -= chunk_for(q, s->len);
        s->payload = NULL;
}

void sendq_destroy(struct sendq *q)
{
        if (q == NULL)
                return;
        for (; q->base < q->end; q->base++)
                wipe(q, entry(q, q->base));
        sendq_trim(q);
        free(q);
}

void sendq_restart(struct sendq *q, uint64_t first)
{
        assert(q->base == q->end);
        q->base = q->next = q->end = q->hole = first;
}

void sendq_trim(struct sendq *q)
{
        if (q->base < q->end)
                return;
        pool_trim(&q->small);
        pool_trim(&q->large);
        free(q->ring);
        q->ring = NULL;
        q->cap  = 0;
}

/* -- in -------------------------------------------------------------------------- */

/* An entry is reserved. False: no memory. */
static bool push_piece(struct sendq *q, const uint8_t *p, size_t len, uint8_t flags)
{
        uint8_t *chunk = len > 0 ? pool_take(pool_for(q, len)) : NULL;

        if (len > 0) {
                if (chunk == NULL)
                        return false;
                memcpy(chunk, p, len);
                q->bytes += len;
                q->taken += chunk_for(q, len);
        }
        *entry(q, q->end++) = (struct sent){.payload = chunk, .len = (uint16_t)len, .flags = flags};
        return true;
}

static bool push_pieces(struct sendq *q, const uint8_t *p, size_t n)
{
        uint8_t flags = FRCT_FIRST;

        for (; n > q->piece; n -= q->piece, p += q->piece, flags = 0)
                if (!push_piece(q, p, q->piece, flags))
                        return false;
        return push_piece(q, p, n, flags | FRCT_LAST);
}

/* Whether it goes into an empty queue, where rounding up its last piece does not count. */
static bool fits(const struct sendq *q, size_t n)
{
        return n <= q->bytes_max && pieces(q, n) < SENDQ_PACKETS_MAX;
}

bool sendq_has_room(const struct sendq *q, size_t n)
{
        size_t used = (size_t)(q->end - q->base);

        if (!fits(q, n))
                return false;
        if (used == 0)
                return true;
        return used + pieces(q, n) < SENDQ_PACKETS_MAX && q->taken + chunks_for(q, n) <= q->bytes_max;
}

int sendq_push(struct sendq *q, const void *msg, size_t n)
{
        uint64_t end = q->end;

        if (!fits(q, n))
                return -EMSGSIZE;
        if (!sendq_has_room(q, n))
                return -EAGAIN;
        if (!ring_reserve(q, pieces(q, n)))
                return -ENOMEM;
        if (push_pieces(q, msg, n))
                return 0;
        while (q->end > end)
                wipe(q, entry(q, --q->end));
        return -ENOMEM;
}

int sendq_push_fin(struct sendq *q)
{
        if (!ring_reserve(q, 1))
                return -ENOMEM;
        push_piece(q, NULL, 0, FRCT_FIN);
        return 0;
}

/* -- on the way -------------------------------------------------------------------- */

static void send_packet(struct sendq *q, uint64_t seq)
{
        struct sent *s = entry(q, seq);

        move_to(q, seq, PLACE_OUT);
        s->lost  = false;
        s->order = ++q->sent;
}

void sendq_sent(struct sendq *q)
{
        assert(q->next < q->end);
        send_packet(q, q->next++);
}

void sendq_resent(struct sendq *q, uint64_t seq)
{
        assert(seq >= q->base && seq < q->next);
        send_packet(q, seq);
}

static void pass_arrived(struct sendq *q)
{
        while (q->hole < q->next && entry(q, q->hole)->place == PLACE_ARRIVED)
                q->hole++;
}

void sendq_arrived(struct sendq *q, uint64_t seq)
{
        assert(seq >= q->base && seq < q->next);
        move_to(q, seq, PLACE_ARRIVED);
        pass_arrived(q);
}

void sendq_lose(struct sendq *q, uint64_t seq)
{
        assert(seq >= q->base && seq < q->next);
        move_to(q, seq, PLACE_LOST);
        entry(q, seq)->lost = true;
}

size_t sendq_overtaken(const struct sendq *q)
{
        return (size_t)(q->next - q->hole) - q->out.n - q->lost.n;
}

/* -- out --------------------------------------------------------------------------- */

void sendq_drop(struct sendq *q, uint64_t seq)
{
        assert(seq <= q->next);
        for (; q->base < seq; q->base++) {
                move_to(q, q->base, PLACE_ARRIVED);
                wipe(q, entry(q, q->base));
        }
        if (q->hole < seq)
                q->hole = seq;
        pass_arrived(q);
}

/* -- what there is ------------------------------------------------------------------ */

uint64_t sendq_base(const struct sendq *q)
{
        return q->base;
}

uint64_t sendq_next(const struct sendq *q)
{
        return q->next;
}

uint64_t sendq_end(const struct sendq *q)
{
        return q->end;
}

size_t sendq_bytes(const struct sendq *q)
{
        return q->bytes;
}

struct sent *sendq_at(struct sendq *q, uint64_t seq)
{
        assert(seq >= q->base && seq < q->end);
        return entry(q, seq);
}
