#include "ipcpd/transport/message.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REORDER   3u /* pieces by which one may be overtaken before it is taken as lost (RFC 9002 6.1.1) */
#define TELL_EACH 4u /* new pieces */

static uint64_t bit(unsigned i)
{
        return UINT64_C(1) << i;
}

static uint64_t bits(unsigned count)
{
        return count == SHIM_PIECES_MAX ? UINT64_MAX : bit(count) - 1;
}

/* -- sending ---------------------------------------------------------------- */

struct outgoing *outgoing_create(uint8_t *bytes, size_t len, size_t piece)
{
        size_t           count = len == 0 ? 1 : (len + piece - 1) / piece;
        struct outgoing *o     = count > SHIM_PIECES_MAX ? NULL : calloc(1, sizeof(*o));

        if (o == NULL) {
                free(bytes);
                return NULL;
        }
        o->bytes = bytes;
        o->len   = len;
        o->piece = piece;
        o->count = (unsigned)count;
        return o;
}

void outgoing_destroy(struct outgoing *o)
{
        if (o == NULL)
                return;
        free(o->bytes);
        free(o);
}

static size_t piece_len(const struct outgoing *o, unsigned i)
{
        return i + 1 < o->count ? o->piece : o->len - i * o->piece;
}

static unsigned in_flight(const struct outgoing *o)
{
        return (unsigned)__builtin_popcountll(o->sent & ~o->arrived);
}

int outgoing_next(struct outgoing *o, bool *again)
{
        uint64_t due = bits(o->count) & ~o->arrived & ~o->sent;
        int      i;

        if (due == 0 || in_flight(o) >= OUTGOING_IN_FLIGHT)
                return -1;
        i      = __builtin_ctzll(due);
        *again = o->turn[i] > 0;
        o->sent |= bit((unsigned)i);
        o->turn[i] = ++o->turns;
        return i;
}

/* A piece that has not come, while one that was sent well after it has. */
static void find_lost(struct outgoing *o)
{
        uint32_t newest = 0;

        for (unsigned i = 0; i < o->count; i++)
                if (o->arrived & bit(i) && o->turn[i] > newest)
                        newest = o->turn[i];
        for (unsigned i = 0; i < o->count; i++)
                if (!(o->arrived & bit(i)) && o->turn[i] + REORDER <= newest)
                        o->sent &= ~bit(i);
}

bool outgoing_heard(struct outgoing *o, uint64_t pieces)
{
        uint64_t news = pieces & bits(o->count) & ~o->arrived;

        o->arrived |= news;
        if (news != 0)
                find_lost(o);
        return news != 0;
}

void outgoing_repeat(struct outgoing *o)
{
        o->sent &= o->arrived;
}

bool outgoing_done(const struct outgoing *o)
{
        return o->arrived == bits(o->count);
}

size_t outgoing_due(const struct outgoing *o)
{
        unsigned flying = in_flight(o);
        size_t   sum    = 0;

        for (unsigned i = 0; i < o->count && flying < OUTGOING_IN_FLIGHT; i++) {
                if ((o->arrived | o->sent) & bit(i))
                        continue;
                sum += SHIM_HDR + piece_len(o, i);
                flying++;
        }
        return sum;
}

const uint8_t *outgoing_piece(const struct outgoing *o, unsigned i, struct shim_head *h)
{
        h->index = (uint8_t)i;
        h->count = (uint8_t)o->count;
        h->size  = o->count > 1 ? (uint16_t)o->piece : 0;
        h->len   = (uint16_t)piece_len(o, i);
        return o->bytes + i * o->piece;
}

/* -- collecting ------------------------------------------------------------- */

struct incoming *incoming_create(const struct shim_head *h)
{
        struct incoming *in = calloc(1, sizeof(*in));

        if (in == NULL)
                return NULL;
        in->count = h->count;
        in->size  = h->size;
        return in;
}

void incoming_destroy(struct incoming *in)
{
        if (in == NULL)
                return;
        for (unsigned i = 0; i < in->count; i++)
                free(in->pieces[i]);
        free(in);
}

int incoming_judge(const struct incoming *in, const struct shim_head *h)
{
        if (h->count != in->count || h->size != in->size)
                return INCOMING_CONFLICT;
        return in->got & bit(h->index) ? INCOMING_HAD : INCOMING_NEW;
}

int incoming_add(struct incoming *in, const struct shim_head *h, const uint8_t *bytes)
{
        uint8_t *copy = malloc(h->len);

        assert(incoming_judge(in, h) == INCOMING_NEW && h->len > 0);
        if (copy == NULL)
                return -ENOMEM;
        memcpy(copy, bytes, h->len);
        in->pieces[h->index] = copy;
        if (h->index + 1u == in->count)
                in->last = h->len;
        in->got |= bit(h->index);
        in->news++;
        return in->got == bits(in->count) ? INCOMING_COMPLETE : INCOMING_NEW;
}

bool incoming_owes(const struct incoming *in, const struct shim_head *h)
{
        return in->news % TELL_EACH == 0 || h->index + 1u == in->count;
}

size_t incoming_bytes(const struct incoming *in)
{
        bool last = in->got & bit(in->count - 1);

        return last ? (in->news - 1) * (size_t)in->size + in->last : in->news * (size_t)in->size;
}

uint8_t *incoming_join(const struct incoming *in)
{
        uint8_t *all = malloc(incoming_bytes(in));

        for (unsigned i = 0; all != NULL && i < in->count; i++)
                memcpy(all + i * (size_t)in->size, in->pieces[i], i + 1 < in->count ? in->size : in->last);
        return all;
}
