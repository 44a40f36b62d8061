#include "frct/pool.h"

#include <stdlib.h>

#define CHUNK_ALIGN 16u
#define SLAB_FIRST  8u /* chunks */

struct pool_slab {
        struct pool_slab *next;
        _Alignas(CHUNK_ALIGN) uint8_t mem[];
};

/* A chunk that is free begins with the address of the next. */
struct free_chunk {
        struct free_chunk *next;
};

void pool_init(struct pool *p, size_t chunk, size_t max)
{
        *p = (struct pool){.chunk = (chunk + CHUNK_ALIGN - 1) & ~(size_t)(CHUNK_ALIGN - 1), .max = max};
        if (p->chunk < CHUNK_ALIGN)
                p->chunk = CHUNK_ALIGN;
}

void pool_fini(struct pool *p)
{
        struct pool_slab *s;

        while ((s = p->slabs) != NULL) {
                p->slabs = s->next;
                free(s);
        }
        p->made = p->used = 0;
        p->free           = NULL;
}

/* As many as there are, but no slab is larger than POOL_SLAB_MAX, and none takes the pool beyond its bound. */
static size_t slab_chunks(const struct pool *p)
{
        size_t n    = p->made < SLAB_FIRST ? SLAB_FIRST : p->made;
        size_t most = POOL_SLAB_MAX / p->chunk;

        if (most < 1)
                most = 1;
        if (n > most)
                n = most;
        return n < p->max - p->made ? n : p->max - p->made;
}

static void grow(struct pool *p)
{
        size_t            n = slab_chunks(p);
        struct pool_slab *s = n > 0 ? malloc(sizeof(*s) + n * p->chunk) : NULL;

        if (s == NULL)
                return;
        s->next  = p->slabs;
        p->slabs = s;
        p->made += n;
        while (n-- > 0) {
                struct free_chunk *c = (struct free_chunk *)(void *)(s->mem + n * p->chunk);

                c->next = p->free;
                p->free = c;
        }
}

void *pool_take(struct pool *p)
{
        struct free_chunk *c;

        if (p->free == NULL)
                grow(p);
        c = p->free;
        if (c == NULL)
                return NULL;
        p->free = c->next;
        p->used++;
        return c;
}

void pool_give(struct pool *p, void *chunk)
{
        struct free_chunk *c = chunk;

        c->next = p->free;
        p->free = c;
        p->used--;
}

void pool_trim(struct pool *p)
{
        if (p->used == 0)
                pool_fini(p);
}
