#include "crypt/pkey.h"

#include <errno.h>
#include <stdbool.h>

#include <openssl/core_names.h>
#include <openssl/err.h>

static bool encode(EVP_PKEY *key, uint8_t *out, size_t len)
{
        size_t n = 0;

        return EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, out, len, &n) == 1 &&
               n == len;
}

EVP_PKEY *pkey_make(EVP_PKEY_CTX *ctx, uint8_t *out, size_t len)
{
        EVP_PKEY *key = NULL;

        if (ctx == NULL || EVP_PKEY_keygen_init(ctx) != 1 || EVP_PKEY_keygen(ctx, &key) != 1 ||
            !encode(key, out, len)) {
                EVP_PKEY_free(key);
                key = NULL;
                ERR_clear_error();
        }
        EVP_PKEY_CTX_free(ctx);
        return key;
}

int pkey_fault(void)
{
        int reason = ERR_GET_REASON(ERR_peek_last_error());

        ERR_clear_error();
        return reason == ERR_R_MALLOC_FAILURE ? -ENOMEM : -EBADMSG;
}
