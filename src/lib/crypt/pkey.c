#include "crypt/pkey.h"

#include <errno.h>

#include <openssl/core_names.h>
#include <openssl/err.h>

EVP_PKEY *pkey_make(EVP_PKEY_CTX *ctx)
{
        EVP_PKEY *key = NULL;

        if (ctx == NULL || EVP_PKEY_keygen_init(ctx) != 1 || EVP_PKEY_keygen(ctx, &key) != 1)
                ERR_clear_error();
        EVP_PKEY_CTX_free(ctx);
        return key;
}

bool pkey_encode(EVP_PKEY *key, uint8_t *out, size_t len)
{
        size_t n = 0;
        bool   ok =
                EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, out, len, &n) == 1 &&
                n == len;

        if (!ok)
                ERR_clear_error();
        return ok;
}

int pkey_fault(void)
{
        int reason = ERR_GET_REASON(ERR_peek_last_error());

        ERR_clear_error();
        return reason == ERR_R_MALLOC_FAILURE ? -ENOMEM : -EBADMSG;
}
