/*
 * A request is known by its key as long as its timestamp is in the window of the clock; when it leaves the window it is
 * dropped, and the horizon is raised to it. The horizon never falls, so a clock that steps back brings no dropped
 * request into the window again.
 *
 * Everything is allocated at the beginning, and touched only when it is used: two tables of fixed size, of requests and of the identities that they are
 * of, and a heap of the requests with the oldest on top. Buckets are chosen by a universal hash with secret factors:
 * keys are hashes of what peers choose, and a peer with patience could make many that fall together.
 */
#include "oap/replay.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define NONE    UINT32_MAX
#define SECOND  INT64_C(1000000000)
#define OF_ONE  16u /* an identity may hold one in so many */
#define MAX_MAX (1u << 24)

struct item {
        uint8_t  key[REPLAY_KEY];
        int64_t  timestamp_ns; /* of a request */
        uint32_t n;            /* a request: whose it is; an identity: its requests */
        uint32_t next;         /* in its bucket, or of those that are free */
};

struct table {
        struct item *items;
        uint32_t    *heads;       /* 2^bits buckets: the number of their first item + 1, 0: none */
        uint32_t     free, fresh; /* items that are free: a list, and all from @fresh on */
        unsigned     bits;
        uint64_t     factor[2];
};

struct replay {
        struct table requests, owners;
        uint32_t    *heap; /* of requests: the oldest on top */
        size_t       n, max;
        int64_t      horizon_ns;
        int64_t      kept_ns, asked_ns; /* is in the state directory; was asked to be */
        int64_t      skew_ns;
};

/* -- tables ---------------------------------------------------------------- */

static bool table_open(struct table *t, size_t max)
{
        for (t->bits = 4; (size_t)1 << t->bits < max; t->bits++)
                ;
        t->items = calloc(max, sizeof(*t->items));
        t->heads = calloc((size_t)1 << t->bits, sizeof(*t->heads));
        t->free  = NONE;
        if (t->items == NULL || t->heads == NULL)
                return false;
        /* Without random factors the table is as right, and slower for who is attacked. */
        (void)!getrandom(t->factor, sizeof(t->factor), GRND_NONBLOCK);
        t->factor[0] |= 1;
        t->factor[1] |= 1;
        return true;
}

static void table_close(struct table *t)
{
        free(t->items);
        free(t->heads);
}

static uint32_t *bucket(const struct table *t, const uint8_t key[REPLAY_KEY])
{
        uint64_t half[2];

        memcpy(half, key, sizeof(half));
        return &t->heads[(half[0] * t->factor[0] + half[1] * t->factor[1]) >> (64 - t->bits)];
}

static uint32_t table_find(const struct table *t, const uint8_t key[REPLAY_KEY])
{
        uint32_t i = *bucket(t, key) - 1; /* NONE when there is none */

        while (i != NONE && memcmp(t->items[i].key, key, REPLAY_KEY) != 0)
                i = t->items[i].next;
        return i;
}

/* There is room: who adds has counted. */
static uint32_t table_add(struct table *t, const uint8_t key[REPLAY_KEY])
{
        uint32_t *head = bucket(t, key);
        uint32_t  i    = t->free != NONE ? t->free : t->fresh++;

        if (t->free != NONE)
                t->free = t->items[i].next;
        t->items[i].n    = 0;
        t->items[i].next = *head - 1;
        *head            = i + 1;
        memcpy(t->items[i].key, key, REPLAY_KEY);
        return i;
}

static void table_drop(struct table *t, uint32_t i)
{
        uint32_t *head = bucket(t, t->items[i].key);
        uint32_t *link = NULL;

        for (uint32_t at = *head - 1; at != i; at = t->items[at].next)
                link = &t->items[at].next;
        if (link != NULL)
                *link = t->items[i].next;
        else
                *head = t->items[i].next + 1;
        t->items[i].next = t->free;
        t->free          = i;
}

/* -- the oldest first ------------------------------------------------------ */

static int64_t heap_time(const struct replay *r, size_t at)
{
        return r->requests.items[r->heap[at]].timestamp_ns;
}

static void heap_swap(struct replay *r, size_t a, size_t b)
{
        uint32_t i = r->heap[a];

        r->heap[a] = r->heap[b];
        r->heap[b] = i;
}

static void heap_push(struct replay *r, uint32_t i)
{
        size_t at = r->n++;

        r->heap[at] = i;
        while (at > 0 && heap_time(r, at) < heap_time(r, (at - 1) / 2)) {
                heap_swap(r, at, (at - 1) / 2);
                at = (at - 1) / 2;
        }
}

static size_t heap_least(const struct replay *r, size_t at)
{
        size_t least = at;

        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < r->n; child++) {
                if (heap_time(r, child) < heap_time(r, least))
                        least = child;
        }
        return least;
}

static uint32_t heap_pop(struct replay *r)
{
        uint32_t i  = r->heap[0];
        size_t   at = 0, least;

        r->heap[0] = r->heap[--r->n];
        while ((least = heap_least(r, at)) != at) {
                heap_swap(r, at, least);
                at = least;
        }
        return i;
}

/* -- replay ---------------------------------------------------------------- */

void replay_destroy(struct replay *r)
{
        if (r == NULL)
                return;
        table_close(&r->requests);
        table_close(&r->owners);
        free(r->heap);
        free(r);
}

struct replay *replay_create(size_t max, int64_t kept_ns, int64_t now_ns, int64_t skew_ns)
{
        struct replay *r = max == 0 || max > MAX_MAX ? NULL : calloc(1, sizeof(*r));

        if (r == NULL)
                return NULL;
        r->heap = calloc(max, sizeof(*r->heap));
        if (!table_open(&r->requests, max) || !table_open(&r->owners, max) || r->heap == NULL) {
                replay_destroy(r);
                return NULL;
        }
        r->max        = max;
        r->kept_ns    = kept_ns;
        r->horizon_ns = kept_ns != 0 ? kept_ns : now_ns + skew_ns;
        r->skew_ns    = skew_ns;
        return r;
}

void replay_set_skew(struct replay *r, int64_t skew_ns)
{
        r->skew_ns = skew_ns;
}

/* Who has left the window of the clock is forgotten, and refused by the horizon from now on. */
static void drop_old(struct replay *r, int64_t now_ns)
{
        while (r->n > 0 && heap_time(r, 0) < now_ns - r->skew_ns) {
                int64_t  timestamp_ns = heap_time(r, 0);
                uint32_t i            = heap_pop(r);
                uint32_t owner        = r->requests.items[i].n;

                if (timestamp_ns > r->horizon_ns)
                        r->horizon_ns = timestamp_ns;
                table_drop(&r->requests, i);
                if (--r->owners.items[owner].n == 0)
                        table_drop(&r->owners, owner);
        }
}

enum oap_reason replay_look(struct replay *r, const uint8_t key[REPLAY_KEY], int64_t timestamp_ns,
                            int64_t now_ns)
{
        drop_old(r, now_ns);
        if (timestamp_ns < now_ns - r->skew_ns || timestamp_ns > now_ns + r->skew_ns)
                return OAP_CLOCK;
        if (table_find(&r->requests, key) != NONE)
                return OAP_REPLAY;
        return timestamp_ns <= r->horizon_ns ? OAP_CLOCK : OAP_OK;
}

/* One more of @who. NONE: he has his share. There is room: the table is as large as that of the requests. */
static uint32_t take_share(struct replay *r, const uint8_t who[16])
{
        uint32_t owner = table_find(&r->owners, who);
        size_t   share = r->max < OF_ONE ? 1 : r->max / OF_ONE;

        if (owner == NONE)
                owner = table_add(&r->owners, who);
        if (r->owners.items[owner].n >= share)
                return NONE;
        r->owners.items[owner].n++;
        return owner;
}

enum oap_reason replay_add(struct replay *r, const uint8_t key[REPLAY_KEY], const uint8_t who[16],
                           int64_t timestamp_ns, int64_t now_ns, int64_t *keep_ns)
{
        enum oap_reason reason = replay_look(r, key, timestamp_ns, now_ns);
        uint32_t        owner, i;

        *keep_ns = 0;
        if (reason != OAP_OK)
                return reason;
        owner = r->n == r->max ? NONE : take_share(r, who);
        if (owner == NONE)
                return OAP_BUSY;
        i                                 = table_add(&r->requests, key);
        r->requests.items[i].timestamp_ns = timestamp_ns;
        r->requests.items[i].n            = owner;
        heap_push(r, i);
        if (timestamp_ns <= r->kept_ns)
                return OAP_OK;
        /* Those who ask before it is there ask for the same. */
        if (timestamp_ns > r->asked_ns)
                r->asked_ns = timestamp_ns + SECOND;
        *keep_ns = r->asked_ns;
        return OAP_OK;
}

void replay_kept(struct replay *r, int64_t keep_ns)
{
        if (keep_ns > r->kept_ns)
                r->kept_ns = keep_ns;
}

int64_t replay_horizon(const struct replay *r)
{
        return r->horizon_ns;
}

size_t replay_count(const struct replay *r)
{
        return r->n;
}
