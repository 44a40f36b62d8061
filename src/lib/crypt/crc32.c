#include "crypt/crc32.h"

#include <string.h>

#include <gcrypt.h>

/*
 * A program may use libgcrypt itself, and has then set it up in its own way; else it wants to be asked for its version
 * before it is used (which is safe to repeat).
 */
__attribute__((constructor)) static void prepare(void)
{
        if (!gcry_control(GCRYCTL_ANY_INITIALIZATION_P))
                gcry_check_version(NULL);
}

void crc32_put(const void *data, size_t len, uint8_t out[CRC32_LEN])
{
        gcry_md_hash_buffer(GCRY_MD_CRC32, out, data, len);
}

bool crc32_ok(const uint8_t *data, size_t len)
{
        uint8_t sum[CRC32_LEN];

        if (len <= CRC32_LEN)
                return false;
        crc32_put(data, len - CRC32_LEN, sum);
        return memcmp(sum, data + len - CRC32_LEN, CRC32_LEN) == 0;
}
