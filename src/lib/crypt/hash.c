#include "crypt/hash.h"

#include <gcrypt.h>

static const struct {
        int    gcry;
        size_t len;
} algos[] = {
        [DIR_HASH_SHA3_224] = {GCRY_MD_SHA3_224, 28},
        [DIR_HASH_SHA3_256] = {GCRY_MD_SHA3_256, 32},
        [DIR_HASH_SHA3_384] = {GCRY_MD_SHA3_384, 48},
        [DIR_HASH_SHA3_512] = {GCRY_MD_SHA3_512, 64},
};

size_t hash_len(enum hash_algo algo)
{
        return (size_t)algo < sizeof(algos) / sizeof(algos[0]) ? algos[algo].len : 0;
}

void hash_sum(enum hash_algo algo, const void *data, size_t len, uint8_t out[HASH_MAX])
{
        gcry_md_hash_buffer(algos[algo].gcry, out, data, len);
}
