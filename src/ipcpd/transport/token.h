/*
 * token.h - tokens, which prove that a packet's source is not forged: those we give, and those we
 * were given.
 *
 *     token = epoch 8 | HMAC-SHA-256(secret, epoch 8 | address)[0..14]
 */
#ifndef O7S_IPCPD_TRANSPORT_TOKEN_H
#define O7S_IPCPD_TRANSPORT_TOKEN_H

#include "ipcpd/common/link_addr.h"
#include "ipcpd/transport/table.h"
#include "wire/shim.h"

#define TOKEN_SECRET     32u
#define TOKENS_MAX       1024u
#define TOKEN_EPOCH_NS   (INT64_C(600) * 1000000000)
#define TOKEN_EPOCHS_OLD 5u /* before the current one that are valid */

/* Zeros, which are never valid, if there is no memory. */
void token_make(const uint8_t secret[TOKEN_SECRET], int64_t now_ns, const struct link_addr *to,
                uint8_t token[SHIM_TOKEN]);

bool token_valid(const uint8_t secret[TOKEN_SECRET], int64_t now_ns, const struct link_addr *from,
                 const uint8_t token[SHIM_TOKEN]);

struct token;

/* The last that each of TOKENS_MAX addresses gave us; the oldest give way. Zero-initialised is empty. */
struct tokens {
        struct token *table; /* in the order of coming */
};

void tokens_fini(struct tokens *ts);
void tokens_put(struct tokens *ts, const struct table_secret *s, const struct link_addr *of,
                const uint8_t token[SHIM_TOKEN]);

/* NULL: there is none. Borrowed until the next change. */
const uint8_t *tokens_get(const struct tokens *ts, const struct table_secret *s, const struct link_addr *of);

#endif
