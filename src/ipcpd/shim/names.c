#include "ipcpd/shim/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define HASH_NONFATAL_OOM 1 /* an element that could not be added has no table */
#include <uthash.h>

#include <ouroboros/errno.h>

#include "crypt/hash.h"

/* Registered here. */
struct name {
        uint8_t        hash[HASH_MAX];
        uint32_t       ask; /* that the directory has not answered, or 0 */
        UT_hash_handle hh;
};

/* Found elsewhere. */
struct known {
        uint8_t            hash[HASH_MAX];
        struct shim_places at;
        int64_t            until_ns;
        TAILQ_ENTRY(known) by_age;
        UT_hash_handle hh;
};

struct shim_names {
        size_t        hash_len;
        struct name  *here;
        struct known *known;
        TAILQ_HEAD(ages, known) ages; /* oldest first: all are good for the same time */
};

struct shim_names *shim_names_create(size_t hash_len)
{
        struct shim_names *ns = calloc(1, sizeof(*ns));

        if (ns == NULL)
                return NULL;
        ns->hash_len = hash_len;
        TAILQ_INIT(&ns->ages);
        return ns;
}

static void drop_name(struct shim_names *ns, struct name *n)
{
        HASH_DEL(ns->here, n);
        free(n);
}

static void drop_known(struct shim_names *ns, struct known *k)
{
        TAILQ_REMOVE(&ns->ages, k, by_age);
        HASH_DEL(ns->known, k);
        free(k);
}

void shim_names_destroy(struct shim_names *ns)
{
        struct name *n, *next;

        if (ns == NULL)
                return;
        HASH_ITER (hh, ns->here, n, next)
                drop_name(ns, n);
        while (!TAILQ_EMPTY(&ns->ages))
                drop_known(ns, TAILQ_FIRST(&ns->ages));
        free(ns);
}

/* -- here ------------------------------------------------------------------ */

static struct name *find_name(const struct shim_names *ns, const uint8_t *hash)
{
        struct name *n;

        HASH_FIND(hh, ns->here, hash, ns->hash_len, n);
        return n;
}

int shim_names_add(struct shim_names *ns, const uint8_t *hash)
{
        struct name *n;

        if (find_name(ns, hash) != NULL)
                return -EEXIST;
        n = calloc(1, sizeof(*n));
        if (n == NULL)
                return -ENOMEM;
        memcpy(n->hash, hash, ns->hash_len);
        HASH_ADD(hh, ns->here, hash, ns->hash_len, n);
        if (n->hh.tbl == NULL) {
                free(n);
                return -ENOMEM;
        }
        return 0;
}

int shim_names_remove(struct shim_names *ns, const uint8_t *hash)
{
        struct name *n = find_name(ns, hash);

        if (n == NULL)
                return -ENAME;
        drop_name(ns, n);
        return 0;
}

bool shim_names_has(const struct shim_names *ns, const uint8_t *hash, size_t len)
{
        return len == ns->hash_len && find_name(ns, hash) != NULL;
}

void shim_names_expect(struct shim_names *ns, const uint8_t *hash, uint32_t ask)
{
        struct name *n = find_name(ns, hash);

        if (n != NULL)
                n->ask = ask;
}

/* A walk over all names: a directory is asked seldom, and its answer has come over a network. */
void shim_names_published(struct shim_names *ns, uint32_t ask, int result)
{
        struct name *n, *next;

        HASH_ITER (hh, ns->here, n, next) {
                if (n->ask != ask)
                        continue;
                n->ask = 0;
                if (result < 0)
                        drop_name(ns, n);
                return;
        }
}

/* -- elsewhere ------------------------------------------------------------- */

static struct known *find_known(const struct shim_names *ns, const uint8_t *hash)
{
        struct known *k;

        HASH_FIND(hh, ns->known, hash, ns->hash_len, k);
        return k;
}

static void make_room(struct shim_names *ns, int64_t now_ns)
{
        struct known *k;

        while ((k = TAILQ_FIRST(&ns->ages)) != NULL && k->until_ns <= now_ns)
                drop_known(ns, k);
        if (HASH_COUNT(ns->known) >= SHIM_KNOWN)
                drop_known(ns, k);
}

void shim_names_learn(struct shim_names *ns, int64_t now_ns, const uint8_t *hash,
                      const struct shim_places *at)
{
        struct known *k = find_known(ns, hash);

        if (k != NULL)
                drop_known(ns, k);
        make_room(ns, now_ns);
        k = calloc(1, sizeof(*k));
        if (k == NULL)
                return; /* it will be looked up again */
        memcpy(k->hash, hash, ns->hash_len);
        k->at       = *at;
        k->until_ns = now_ns + SHIM_KNOWN_NS;
        HASH_ADD(hh, ns->known, hash, ns->hash_len, k);
        if (k->hh.tbl == NULL) {
                free(k);
                return;
        }
        TAILQ_INSERT_TAIL(&ns->ages, k, by_age);
}

bool shim_names_recall(struct shim_names *ns, int64_t now_ns, const uint8_t *hash, struct shim_places *at)
{
        struct known *k = find_known(ns, hash);

        if (k == NULL)
                return false;
        if (k->until_ns <= now_ns) {
                drop_known(ns, k);
                return false;
        }
        *at = k->at;
        return true;
}

void shim_names_forget(struct shim_names *ns, const uint8_t *hash, const struct link_addr *addr)
{
        struct known *k    = find_known(ns, hash);
        size_t        kept = 0;

        if (k == NULL)
                return;
        for (size_t i = 0; i < k->at.n; i++) {
                if (!link_addr_equal(&k->at.at[i], addr))
                        k->at.at[kept++] = k->at.at[i];
        }
        k->at.n = kept;
        if (kept == 0)
                drop_known(ns, k);
}
