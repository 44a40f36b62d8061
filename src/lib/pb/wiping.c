#include "pb/wiping.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* free() is not told the size, so it stands in front. */
struct block {
        size_t size;
        _Alignas(max_align_t) uint8_t bytes[];
};

static void *wiping_alloc(void *unused, size_t size)
{
        struct block *b = size > SIZE_MAX - sizeof(*b) ? NULL : malloc(sizeof(*b) + size);

        (void)unused;
        if (b == NULL)
                return NULL;
        b->size = size;
        return b->bytes;
}

static void wiping_free(void *unused, void *p)
{
        struct block *b;

        (void)unused;
        if (p == NULL)
                return;
        b = (struct block *)((uint8_t *)p - offsetof(struct block, bytes));
        explicit_bzero(b->bytes, b->size);
        free(b);
}

ProtobufCAllocator pb_wiping = {.alloc = wiping_alloc, .free = wiping_free};
