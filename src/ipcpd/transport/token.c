#include "ipcpd/transport/token.h"

#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#define SHA256_LEN 32u

struct token {
        struct link_addr of;
        uint8_t          token[SHIM_TOKEN];
        UT_hash_handle   hh;
};

/* -- ours ------------------------------------------------------------------- */

static uint8_t epoch_of(int64_t now_ns)
{
        return (uint8_t)(now_ns / TOKEN_EPOCH_NS);
}

static bool make(const uint8_t secret[TOKEN_SECRET], uint8_t epoch, const struct link_addr *to,
                 uint8_t token[SHIM_TOKEN])
{
        uint8_t  text[1 + LINK_ADDR_MAX] = {epoch};
        uint8_t  mac[SHA256_LEN];
        unsigned n = 0;

        memcpy(text + 1, to->b, to->len);
        if (HMAC(EVP_sha256(), secret, TOKEN_SECRET, text, 1u + to->len, mac, &n) == NULL || n != SHA256_LEN)
                return false;
        token[0] = epoch;
        memcpy(token + 1, mac, SHIM_TOKEN - 1);
        return true;
}

void token_make(const uint8_t secret[TOKEN_SECRET], int64_t now_ns, const struct link_addr *to,
                uint8_t token[SHIM_TOKEN])
{
        if (!make(secret, epoch_of(now_ns), to, token))
                memset(token, 0, SHIM_TOKEN);
}

bool token_valid(const uint8_t secret[TOKEN_SECRET], int64_t now_ns, const struct link_addr *from,
                 const uint8_t token[SHIM_TOKEN])
{
        uint8_t age = (uint8_t)(epoch_of(now_ns) - token[0]);
        uint8_t right[SHIM_TOKEN];

        return age <= TOKEN_EPOCHS_OLD && make(secret, token[0], from, right) &&
               CRYPTO_memcmp(right, token, SHIM_TOKEN) == 0;
}

/* -- theirs ----------------------------------------------------------------- */

static void drop(struct tokens *ts, struct token *k)
{
        HASH_DEL(ts->table, k);
        free(k);
}

void tokens_fini(struct tokens *ts)
{
        while (ts->table != NULL)
                drop(ts, ts->table);
}

static struct token *find(const struct tokens *ts, const struct table_secret *s, const struct link_addr *of)
{
        struct token *k;

        TABLE_FIND(s, ts->table, of, sizeof(*of), k);
        return k;
}

void tokens_put(struct tokens *ts, const struct table_secret *s, const struct link_addr *of,
                const uint8_t token[SHIM_TOKEN])
{
        struct token *k = find(ts, s, of);

        if (k != NULL)
                drop(ts, k);
        else if (HASH_COUNT(ts->table) >= TOKENS_MAX)
                drop(ts, ts->table);
        k = calloc(1, sizeof(*k));
        if (k == NULL)
                return;
        k->of = *of;
        memcpy(k->token, token, SHIM_TOKEN);
        TABLE_ADD(s, ts->table, of, sizeof(k->of), k);
        if (k->hh.tbl == NULL)
                free(k);
}

const uint8_t *tokens_get(const struct tokens *ts, const struct table_secret *s, const struct link_addr *of)
{
        const struct token *k = find(ts, s, of);

        return k != NULL ? k->token : NULL;
}
