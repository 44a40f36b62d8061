#include "oap/schedule.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>

#include "crypt/secret.h"

#define KEY   32u
#define NONCE 12u

static const char client_label[] = "Ouroboros OAP v1 client";
static const char server_label[] = "Ouroboros OAP v1 server";

_Static_assert(sizeof(client_label) == 24 && sizeof(server_label) == 24, "labels are signed with their zero");

/* -- what is signed ---------------------------------------------------------- */

int schedule_context(uint8_t out[SHA384_LEN], const struct oap_context *ctx)
{
        size_t  n   = strlen(ctx->dst);
        uint8_t len = (uint8_t)n;

        if (n == 0 || n > UINT8_MAX)
                return -EINVAL;
        return sha384(out, (struct piece[]){{&len, 1}, {ctx->dst, n}, {ctx->qos, sizeof(ctx->qos)}}, 3);
}

static void text_add(struct signed_text *t, const void *data, size_t len)
{
        assert(len <= sizeof(t->bytes) - t->len);
        memcpy(t->bytes + t->len, data, len);
        t->len += len;
}

/* Adds the hash of @s, which stands for it. */
static int text_add_hash(struct signed_text *t, struct span s)
{
        uint8_t hash[SHA384_LEN];

        if (sha384(hash, (struct piece[]){{s.p, s.len}}, 1) < 0)
                return -ENOMEM;
        text_add(t, hash, sizeof(hash));
        return 0;
}

int schedule_client_text(struct signed_text *t, const uint8_t ctx[SHA384_LEN], struct span request)
{
        t->len = 0;
        text_add(t, client_label, sizeof(client_label));
        text_add(t, ctx, SHA384_LEN);
        return text_add_hash(t, request);
}

int schedule_server_text(struct signed_text *t, const uint8_t ctx[SHA384_LEN],
                         const uint8_t request[SHA384_LEN], struct span response)
{
        t->len = 0;
        text_add(t, server_label, sizeof(server_label));
        text_add(t, ctx, SHA384_LEN);
        text_add(t, request, SHA384_LEN);
        return text_add_hash(t, response);
}

int schedule_replay_key(const struct signed_text *t, uint8_t key[REPLAY_KEY])
{
        uint8_t hash[SHA384_LEN];

        if (sha384(hash, (struct piece[]){{t->bytes, t->len}}, 1) < 0)
                return -ENOMEM;
        memcpy(key, hash, REPLAY_KEY);
        return 0;
}

/* -- keys ---------------------------------------------------------------------- */

static int expand(uint8_t *out, size_t len, const uint8_t prk[SHA384_LEN], const char *label)
{
        return hkdf_expand(out, len, prk, (struct piece[]){{label, strlen(label)}}, 1);
}

int schedule_begin(struct schedule *s, const uint8_t ctx[SHA384_LEN], const uint8_t request[SHA384_LEN],
                   struct span head, const uint8_t *z, size_t z_len)
{
        const struct piece first[] = {{ctx, SHA384_LEN}, {request, SHA384_LEN}, {head.p, head.len}};

        if (sha384(s->th1, first, 3) < 0 || hkdf_extract(s->prk, s->th1, sizeof(s->th1), z, z_len) < 0)
                return -ENOMEM;
        return expand(s->reply, sizeof(s->reply), s->prk, "o7s v1 reply");
}

int schedule_finish(const struct schedule *s, struct span body, struct oap_keys *keys)
{
        uint8_t th2[SHA384_LEN], master[SHA384_LEN];
        int     r = sha384(th2, (struct piece[]){{s->th1, sizeof(s->th1)}, {body.p, body.len}}, 2);

        if (r == 0)
                r = hkdf_expand(master, sizeof(master), s->prk,
                                (struct piece[]){{"o7s v1 master", 13}, {th2, sizeof(th2)}}, 2);
        if (r == 0)
                r = expand(keys->c2s, sizeof(keys->c2s), master, "o7s v1 c2s");
        if (r == 0)
                r = expand(keys->s2c, sizeof(keys->s2c), master, "o7s v1 s2c");
        secret_wipe(th2, sizeof(th2));
        secret_wipe(master, sizeof(master));
        return r;
}

/* -- the response's body --------------------------------------------------------- */

static EVP_CIPHER *gcm; /* NULL: OpenSSL has none, or no memory */

static void fetch_gcm(void)
{
        gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
}

/* Key, nonce and additional data are set. NULL: out of memory. */
static EVP_CIPHER_CTX *gcm_begin(const struct schedule *s, struct span head, int encrypt)
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;
        EVP_CIPHER_CTX       *c;
        int                   n;

        pthread_once(&once, fetch_gcm);
        c = gcm == NULL ? NULL : EVP_CIPHER_CTX_new();
        if (c != NULL && EVP_CipherInit_ex2(c, gcm, s->reply, s->reply + KEY, encrypt, NULL) == 1 &&
            EVP_CipherUpdate(c, NULL, &n, head.p, (int)head.len) == 1)
                return c;
        EVP_CIPHER_CTX_free(c);
        return NULL;
}

int schedule_seal(const struct schedule *s, struct span head, uint8_t *body, size_t len)
{
        EVP_CIPHER_CTX *c = gcm_begin(s, head, 1);
        int             n;
        bool            ok = c != NULL && EVP_CipherUpdate(c, body, &n, body, (int)len) == 1 &&
                  EVP_CipherFinal_ex(c, body + len, &n) == 1 &&
                  EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, SCHEDULE_TAG, body + len) == 1;

        EVP_CIPHER_CTX_free(c);
        return ok ? 0 : -ENOMEM;
}

int schedule_open(const struct schedule *s, struct span head, struct span sealed, uint8_t *out)
{
        EVP_CIPHER_CTX *c   = gcm_begin(s, head, 0);
        size_t          len = sealed.len - SCHEDULE_TAG;
        uint8_t         tag[SCHEDULE_TAG];
        int             n, r = -ENOMEM;

        assert(sealed.len >= SCHEDULE_TAG);
        memcpy(tag, sealed.p + len, sizeof(tag));
        if (c != NULL && EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, sizeof(tag), tag) == 1 &&
            EVP_CipherUpdate(c, out, &n, sealed.p, (int)len) == 1)
                r = EVP_CipherFinal_ex(c, out + len, &n) == 1 ? 0 : -EBADMSG;
        if (r < 0) {
                secret_wipe(out, len);
                ERR_clear_error();
        }
        EVP_CIPHER_CTX_free(c);
        return r;
}
