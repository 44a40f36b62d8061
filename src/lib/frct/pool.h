/*
 * pool.h - chunks of one size, made in slabs and kept on a list while they are free: a stream allocates
 * nothing. Slabs double up to POOL_SLAB_MAX bytes. Chunks are not wiped here: whoever had one does that. Not
 * thread safe.
 */
#ifndef O7S_FRCT_POOL_H
#define O7S_FRCT_POOL_H

#include <stddef.h>
#include <stdint.h>

#define POOL_SLAB_MAX (256u << 10)

struct pool_slab;

struct pool {
        size_t            chunk; /* bytes, a multiple of 16     */
        size_t            max;   /* chunks                      */
        size_t            made, used;
        void             *free;
        struct pool_slab *slabs;
};

/* At most @max chunks of @chunk bytes (rounded up). */
void pool_init(struct pool *p, size_t chunk, size_t max);

/* All chunks are gone with it, given back or not. */
void pool_fini(struct pool *p);

/* NULL: there are @max, or no memory. */
void *pool_take(struct pool *p);
void  pool_give(struct pool *p, void *chunk);

/* Gives all memory back if no chunk is used. */
void pool_trim(struct pool *p);

#endif
