/*
 * secret.c - slots for keys in pages that the kernel treats with care.
 *
 * A page is cut into equal slots, as many as objects of that size fit (1 to 64). A page whose last slot is
 * given back is unmapped, for locked memory is scarce; but a few are kept, to be cut anew: making one takes
 * four system calls and changes the page table, which is a good part of what a flow costs.
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
#define SPARE_MAX 4u

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
        uint8_t         *spare[SPARE_MAX];    /* pages of zeros, locked */
        unsigned         n_spare;
};

static struct vault vault = {.lock = PTHREAD_MUTEX_INITIALIZER};

void secret_wipe(void *p, size_t n)
{
        if (n > 0) /* else @p may be NULL */
                explicit_bzero(p, n);
}

/* -- memory ----------------------------------------------------------------- */

/* A page as this file promises it. Locking is as far as the limit allows; the rest is not negotiable. */
static uint8_t *mem_map(void)
{
        size_t size = vault.page_size;
        void  *mem  = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (mem == MAP_FAILED)
                return NULL;
        if (madvise(mem, size, MADV_WIPEONFORK) < 0 || madvise(mem, size, MADV_DONTDUMP) < 0) {
                munmap(mem, size);
                return NULL;
        }
        (void)mlock(mem, size);
        return mem;
}

static uint8_t *mem_take(void)
{
        return vault.n_spare > 0 ? vault.spare[--vault.n_spare] : mem_map();
}

/* @mem is zeros, and made by this process. */
static void mem_give(uint8_t *mem)
{
        if (vault.n_spare < SPARE_MAX)
                vault.spare[vault.n_spare++] = mem;
        else
                munmap(mem, vault.page_size);
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
        while (vault.n_spare > 0)
                munmap(vault.spare[--vault.n_spare], vault.page_size);
        pthread_mutex_unlock(&vault.lock);
}

static void vault_open(void)
{
        /* Without it there are no pages, and everything is too large. */
        if (pthread_atfork(fork_prepare, fork_parent, fork_child) == 0)
                vault.page_size = (size_t)sysconf(_SC_PAGESIZE);
}

void secret_prepare(void)
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;

        pthread_once(&once, vault_open);
}

/* -- pages ------------------------------------------------------------------ */

static struct page *page_create(unsigned slots)
{
        struct page *p   = calloc(1, sizeof(*p));
        uint8_t     *mem = mem_take();

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
                mem_give(mem);
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
        HASH_DEL(vault.pages, p);
        if (page_inherited(p)) {
                munmap(p->mem, vault.page_size);
        } else {
                LIST_REMOVE(p, room);
                mem_give(p->mem);
        }
        free(p);
}

/* -- slots ------------------------------------------------------------------ */

/* A multiple of 64 bytes, and so aligned. */
static size_t slot_size(unsigned slots)
{
        return vault.page_size / SLOTS_MAX * (SLOTS_MAX / slots);
}

/* How many objects of @n bytes, 1 to a page, share one. */
static unsigned slots_for(size_t n)
{
        size_t unit = vault.page_size / SLOTS_MAX;

        return (unsigned)(SLOTS_MAX / ((n + unit - 1) / unit));
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

static void *slot_find(unsigned slots)
{
        struct page *p = LIST_FIRST(&vault.room[slots]);

        if (p == NULL)
                p = page_create(slots);
        return p == NULL ? NULL : slot_take(p);
}

void *secret_alloc(size_t n)
{
        void *slot;

        secret_prepare();
        if (n == 0)
                n = 1;
        if (n > vault.page_size)
                return NULL;
        pthread_mutex_lock(&vault.lock);
        slot = slot_find(slots_for(n));
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
