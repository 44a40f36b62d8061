/*
 * table.h - hash tables whose keys others choose: the hash is keyed, so that nobody can make them
 * collide.
 *
 * Multilinear hashing (Lemire and Kaser, "Strongly universal string hashing is fast", 2014): of 32-bit words
 * with random 64-bit factors.
 */
#ifndef O7S_IPCPD_TRANSPORT_TABLE_H
#define O7S_IPCPD_TRANSPORT_TABLE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1 /* an element that could not be added has no table */
#include <uthash.h>

#define TABLE_KEY_WORDS 7u

struct table_secret {
        uint64_t factors[TABLE_KEY_WORDS + 1];
};

/* @len: a multiple of 4, at most 28. */
static inline unsigned table_hash(const struct table_secret *s, const void *key, size_t len)
{
        uint64_t h = s->factors[TABLE_KEY_WORDS];
        uint32_t words[TABLE_KEY_WORDS];

        memcpy(words, key, len);
        for (size_t i = 0; i < len / 4; i++)
                h += s->factors[i] * words[i];
        return (unsigned)(h >> 32);
}

#define TABLE_FIND(s, head, key, len, out) \
        HASH_FIND_BYHASHVALUE(hh, head, key, len, table_hash(s, key, len), out)

/* Then @add->hh.tbl is NULL if there was no memory. */
#define TABLE_ADD(s, head, field, len, add) \
        HASH_ADD_BYHASHVALUE(hh, head, field, len, table_hash(s, &(add)->field, len), add)

#endif
