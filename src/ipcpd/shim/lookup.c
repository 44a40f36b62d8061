#include "ipcpd/shim/lookup.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define HASH_NONFATAL_OOM 1 /* an element that could not be added has no table */
#include <uthash.h>

#include "crypt/hash.h"

struct seat {
        struct shim_waiter who;
        STAILQ_ENTRY(seat) next;
};

struct shim_lookup {
        uint8_t  hash[HASH_MAX];
        uint32_t number;
        unsigned asked; /* sources that have not answered */
        STAILQ_HEAD(, seat) seats;
        UT_hash_handle by_hash, by_number;
};

struct shim_lookups {
        size_t              hash_len;
        uint32_t            last; /* number that was given */
        struct shim_lookup *by_hash, *by_number;
};

struct shim_lookups *shim_lookups_create(size_t hash_len)
{
        struct shim_lookups *ls = calloc(1, sizeof(*ls));

        if (ls != NULL)
                ls->hash_len = hash_len;
        return ls;
}

static void take_out(struct shim_lookups *ls, struct shim_lookup *l)
{
        HASH_DELETE(by_hash, ls->by_hash, l);
        HASH_DELETE(by_number, ls->by_number, l);
}

void shim_lookups_destroy(struct shim_lookups *ls)
{
        struct shim_lookup *l, *next;
        struct shim_waiter  who;

        if (ls == NULL)
                return;
        l = ls->by_hash;
        HASH_CLEAR(by_number, ls->by_number);
        HASH_CLEAR(by_hash, ls->by_hash);
        for (; l != NULL; l = next) { /* the tables have gone, the chain is still there */
                next = l->by_hash.next;
                while (shim_lookup_end(l, &who))
                        ;
        }
        free(ls);
}

static struct shim_lookup *find(const struct shim_lookups *ls, uint32_t number)
{
        struct shim_lookup *l;

        HASH_FIND(by_number, ls->by_number, &number, sizeof(number), l);
        return l;
}

static uint32_t next_number(struct shim_lookups *ls)
{
        do
                ls->last++;
        while (ls->last == 0 || find(ls, ls->last) != NULL);
        return ls->last;
}

static struct shim_lookup *begin(struct shim_lookups *ls, const uint8_t *hash)
{
        struct shim_lookup *l = calloc(1, sizeof(*l));

        if (l == NULL)
                return NULL;
        memcpy(l->hash, hash, ls->hash_len);
        l->number = next_number(ls);
        STAILQ_INIT(&l->seats);
        HASH_ADD(by_hash, ls->by_hash, hash, ls->hash_len, l);
        if (l->by_hash.tbl == NULL) {
                free(l);
                return NULL;
        }
        HASH_ADD(by_number, ls->by_number, number, sizeof(l->number), l);
        if (l->by_number.tbl == NULL) {
                HASH_DELETE(by_hash, ls->by_hash, l);
                free(l);
                return NULL;
        }
        return l;
}

uint32_t shim_lookup_join(struct shim_lookups *ls, const uint8_t *hash, struct shim_waiter who, bool *begun)
{
        struct seat        *s = calloc(1, sizeof(*s));
        struct shim_lookup *l;

        if (s == NULL)
                return 0;
        HASH_FIND(by_hash, ls->by_hash, hash, ls->hash_len, l);
        *begun = l == NULL;
        if (l == NULL && (l = begin(ls, hash)) == NULL) {
                free(s);
                return 0;
        }
        s->who = who;
        STAILQ_INSERT_TAIL(&l->seats, s, next);
        return l->number;
}

void shim_lookup_expect(struct shim_lookups *ls, uint32_t number)
{
        struct shim_lookup *l = find(ls, number);

        if (l != NULL)
                l->asked++;
}

struct shim_lookup *shim_lookup_answer(struct shim_lookups *ls, uint32_t number, bool found)
{
        struct shim_lookup *l = find(ls, number);

        if (l == NULL)
                return NULL;
        if (l->asked > 0)
                l->asked--;
        if (!found && l->asked > 0)
                return NULL;
        take_out(ls, l);
        return l;
}

const uint8_t *shim_lookup_hash(const struct shim_lookup *l)
{
        return l->hash;
}

bool shim_lookup_end(struct shim_lookup *l, struct shim_waiter *who)
{
        struct seat *s = STAILQ_FIRST(&l->seats);

        if (s == NULL) {
                free(l);
                return false;
        }
        STAILQ_REMOVE_HEAD(&l->seats, next);
        *who = s->who;
        free(s);
        return true;
}
