#include "dev/table.h"

#include <stdlib.h>

static struct chunk *chunk_create(void)
{
        struct chunk *c = aligned_alloc(alignof(struct chunk), sizeof(*c));

        if (c == NULL)
                return NULL;
        for (size_t i = 0; i < TABLE_CHUNK; i++)
                slot_init(&c->slot[i]);
        return c;
}

struct slot *table_get(struct table *t, int fd)
{
        _Atomic(struct chunk *) *at    = &t->chunk[fd / TABLE_CHUNK];
        struct chunk            *c     = atomic_load_explicit(at, memory_order_acquire);
        struct chunk            *fresh = NULL;

        if (c == NULL) {
                fresh = chunk_create();
                if (fresh == NULL)
                        return NULL;
                /*
                 * Release pairs with the acquire in table_find(). Another thread's chunk, which came first,
                 * is as good.
                 */
                if (atomic_compare_exchange_strong(at, &c, fresh))
                        c = fresh;
                else
                        free(fresh);
        }
        return &c->slot[fd % TABLE_CHUNK];
}

void table_each(struct table *t, void (*fn)(struct slot *s))
{
        for (size_t i = 0; i < TABLE_MAX / TABLE_CHUNK; i++) {
                struct chunk *c = atomic_load_explicit(&t->chunk[i], memory_order_acquire);

                for (size_t j = 0; c != NULL && j < TABLE_CHUNK; j++)
                        fn(&c->slot[j]);
        }
}
