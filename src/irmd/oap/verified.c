#include "oap/verified.h"

#include <pthread.h>
#include <stdlib.h>

#define HASH_NONFATAL_OOM 1 /* an element that could not be added has no table */
#include <uthash.h>

struct verified {
        struct verified_key key;
        X509               *leaf;
        int64_t             from_ns, until_ns;
        UT_hash_handle      hh;
};

struct chains {
        pthread_mutex_t  lock;
        size_t           max;
        struct verified *by_key; /* the order of the table is that of their last use */
};

struct chains *chains_create(size_t max)
{
        struct chains *c = calloc(1, sizeof(*c));

        if (c == NULL || pthread_mutex_init(&c->lock, NULL) != 0) {
                free(c);
                return NULL;
        }
        c->max = max;
        return c;
}

static void drop(struct chains *c, struct verified *v)
{
        HASH_DEL(c->by_key, v);
        X509_free(v->leaf);
        free(v);
}

void chains_destroy(struct chains *c)
{
        if (c == NULL)
                return;
        while (c->by_key != NULL)
                drop(c, c->by_key);
        pthread_mutex_destroy(&c->lock);
        free(c);
}

/* At the end of the order. Without memory it is forgotten. */
static void append(struct chains *c, struct verified *v)
{
        HASH_ADD(hh, c->by_key, key, sizeof(v->key), v);
        if (v->hh.tbl != NULL)
                return;
        X509_free(v->leaf);
        free(v);
}

X509 *chains_find(struct chains *c, const struct verified_key *key, int64_t wall_ns)
{
        struct verified *v;
        X509            *leaf = NULL;

        pthread_mutex_lock(&c->lock);
        HASH_FIND(hh, c->by_key, key, sizeof(*key), v);
        if (v != NULL && (wall_ns < v->from_ns || wall_ns >= v->until_ns)) {
                drop(c, v);
        } else if (v != NULL && X509_up_ref(v->leaf) == 1) {
                leaf = v->leaf;
                HASH_DEL(c->by_key, v);
                append(c, v);
        }
        pthread_mutex_unlock(&c->lock);
        return leaf;
}

static void insert(struct chains *c, struct verified *v)
{
        struct verified *old;

        pthread_mutex_lock(&c->lock);
        HASH_FIND(hh, c->by_key, &v->key, sizeof(v->key), old);
        if (old != NULL)
                drop(c, old);
        while (c->by_key != NULL && HASH_COUNT(c->by_key) >= c->max)
                drop(c, c->by_key);
        append(c, v);
        pthread_mutex_unlock(&c->lock);
}

void chains_add(struct chains *c, const struct verified_key *key, X509 *leaf, int64_t from_ns,
                int64_t until_ns)
{
        struct verified *v = c->max > 0 ? calloc(1, sizeof(*v)) : NULL;

        if (v == NULL || X509_up_ref(leaf) != 1) {
                free(v);
                return;
        }
        v->key      = *key;
        v->leaf     = leaf;
        v->from_ns  = from_ns;
        v->until_ns = until_ns;
        insert(c, v);
}
