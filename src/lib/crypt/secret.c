/*
 * secret.c - slots for keys in pages that the kernel treats with care.
 *
 * A page is cut into equal slots, as many as objects of that size fit (1 to 64); a request takes a slot of
 * the oldest page of its kind that has room. A page whose last slot is given back is unmapped at once:
 * locked memory is scarce.
 *
 * What we know of the pages is not kept in them. They read as zeros in a forked child (MADV_WIPEONFORK), and
 * the child must still be able to give back what its parent had taken. So there is a small description of each
 * page in ordinary memory, found by the page's address; it holds no secret.
 *
 * A child inherits the pages but not the locks on them, so it takes no slot in a page of its parent: those
 * only drain (vault.generation). The mutex is held across fork(), whoever holds it otherwise.
 */
#include "crypt/secret.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <unistd.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define SLOTS_MAX 64u /* one bit each in page.used */

struct page {
        uint8_t *mem;
        uint64_t used; /* bit i: slot i */
        unsigned slots;
        unsigned generation;
        LIST_ENTRY(page) room; /* in vault.room while a slot is free and the generation is today's */
        UT_hash_handle hh;     /* in vault.pages by mem */
};

LIST_HEAD(page_list, page);

struct vault {
        pthread_mutex_t  lock;
        size_t           page_size;
        struct page     *pages;
        struct page_list room[SLOTS_MAX + 1]; /* by page.slots */
        unsigned         generation;          /* forks on the way from the first process to this one */
};

static struct vault vault = {.lock = PTHREAD_MUTEX_INITIALIZER};

void secret_wipe(void *p, size_t n)
{
        if (n > 0) /* else @p may be NULL */
                explicit_bzero(p, n);
}

/* -- fork ------------------------------------------------------------------- */

static void fork_prepare(void)
{
        pthread_mutex_lock(&vault.lock);
}

static void fork_parent(void)
{
        pthread_mutex_unlock(&vault.lock);
}

static void fork_child(void)
{
        vault.generation++;
        memset(vault.room, 0, sizeof(vault.room));
        pthread_mutex_unlock(&vault.lock);
}

static void vault_open(void)
{
        vault.page_size = (size_t)sysconf(_SC_PAGESIZE);
        /* It fails for want of memory only; then a child of several threads may find the lock taken. */
        (void)pthread_atfork(fork_prepare, fork_parent, fork_child);
}

/* -- pages ------------------------------------------------------------------ */

/* A page as this file promises it. Locking is as far as the limit allows; the rest is not negotiable. */
static uint8_t *mem_map(size_t size)
{
        void *mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (mem == MAP_FAILED)
                return NULL;
        if (madvise(mem, size, MADV_WIPEONFORK) < 0 || madvise(mem, size, MADV_DONTDUMP) < 0) {
                munmap(mem, size);
                return NULL;
        }
        (void)mlock(mem, size);
        return mem;
}

static struct page *page_create(unsigned slots)
{
        struct page *p   = calloc(1, sizeof(*p));
        uint8_t     *mem = mem_map(vault.page_size);

        if (p == NULL || mem == NULL)
                goto fail;
        p->mem        = mem;
        p->slots      = slots;
        p->generation = vault.generation;
        HASH_ADD_PTR(vault.pages, mem, p);
        if (p->hh.tbl == NULL)
                goto fail;
        LIST_INSERT_HEAD(&vault.room[slots], p, room);
        return p;
fail:
        if (mem != NULL)
                munmap(mem, vault.page_size);
        free(p);
        return NULL;
}

static struct page *page_find(const void *object)
{
        uint8_t     *mem = (uint8_t *)((uintptr_t)object & ~(uintptr_t)(vault.page_size - 1));
        struct page *p;

        HASH_FIND_PTR(vault.pages, &mem, p);
        return p;
}

static bool page_full(const struct page *p)
{
        return p->used == UINT64_MAX >> (SLOTS_MAX - p->slots);
}

static bool page_inherited(const struct page *p)
{
        return p->generation != vault.generation;
}

static void page_destroy(struct page *p)
{
        if (!page_inherited(p))
                LIST_REMOVE(p, room);
        HASH_DEL(vault.pages, p);
        munmap(p->mem, vault.page_size);
        free(p);
}

/* -- slots ------------------------------------------------------------------ */

/* A multiple of 64 bytes, and so aligned. */
static size_t slot_size(unsigned slots)
{
        return vault.page_size / SLOTS_MAX * (SLOTS_MAX / slots);
}

/* How many objects of @n bytes, at most a page, share one. */
static unsigned slots_for(size_t n)
{
        size_t unit = vault.page_size / SLOTS_MAX;

        return n <= unit ? SLOTS_MAX : (unsigned)(SLOTS_MAX / ((n + unit - 1) / unit));
}

static void *slot_take(struct page *p)
{
        unsigned i = (unsigned)__builtin_ctzll(~p->used);

        p->used |= UINT64_C(1) << i;
        if (page_full(p))
                LIST_REMOVE(p, room);
        return p->mem + i * slot_size(p->slots);
}

static void slot_give(struct page *p, void *object)
{
        size_t   size = slot_size(p->slots);
        size_t   i    = (size_t)((uint8_t *)object - p->mem) / size;
        uint64_t bit  = UINT64_C(1) << i;

        assert(p->used & bit && p->mem + i * size == object);
        secret_wipe(object, size);
        if (page_full(p) && !page_inherited(p))
                LIST_INSERT_HEAD(&vault.room[p->slots], p, room);
        p->used &= ~bit;
        if (p->used == 0)
                page_destroy(p);
}

void *secret_alloc(size_t n)
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;
        void                 *slot = NULL;
        struct page          *p;
        unsigned              slots;

        pthread_once(&once, vault_open);
        if (n > vault.page_size)
                return NULL;
        slots = slots_for(n);
        pthread_mutex_lock(&vault.lock);
        p = LIST_FIRST(&vault.room[slots]);
        if (p == NULL)
                p = page_create(slots);
        if (p != NULL)
                slot = slot_take(p);
        pthread_mutex_unlock(&vault.lock);
        return slot;
}

void secret_free(void *p)
{
        struct page *page;

        if (p == NULL)
                return;
        pthread_mutex_lock(&vault.lock);
        page = page_find(p);
        assert(page != NULL);
        slot_give(page, p);
        pthread_mutex_unlock(&vault.lock);
}
