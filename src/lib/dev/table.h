/*
 * table.h - from descriptor to slot, by two loads and without a lock: chunks of slots that appear when a
 * number is first used and then stay.
 */
#ifndef O7S_DEV_TABLE_H
#define O7S_DEV_TABLE_H

#include <stdatomic.h>
#include <stddef.h>

#include "dev/slot.h"

#define TABLE_MAX   (1 << 20) /* descriptors */
#define TABLE_CHUNK 128

struct chunk {
        struct slot slot[TABLE_CHUNK];
};

/* All zeros: empty. */
struct table {
        _Atomic(struct chunk *) chunk[TABLE_MAX / TABLE_CHUNK];
};

/* The slot of @fd, which may be free, or NULL: no flow has had that number, or it is none. */
static inline struct slot *table_find(struct table *t, int fd)
{
        struct chunk *c;

        if (fd < 0 || fd >= TABLE_MAX)
                return NULL;
        /* Acquire pairs with the release in table_get(): the slots are initialised. */
        c = atomic_load_explicit(&t->chunk[fd / TABLE_CHUNK], memory_order_acquire);
        return c == NULL ? NULL : &c->slot[fd % TABLE_CHUNK];
}

/* The same, made if there is none. NULL: out of memory. @fd is at least 0 and less than TABLE_MAX. */
struct slot *table_get(struct table *t, int fd);

void table_each(struct table *t, void (*fn)(struct slot *s));

#endif
