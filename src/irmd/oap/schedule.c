#include "oap/schedule.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "crypt/secret.h"

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

/* Adds the hash of both, which stands for them. */
static int text_add_hash(struct signed_text *t, struct span a, struct span b)
{
        uint8_t hash[SHA384_LEN];

        if (sha384(hash, (struct piece[]){{a.p, a.len}, {b.p, b.len}}, 2) < 0)
                return -ENOMEM;
        text_add(t, hash, sizeof(hash));
        return 0;
}

int schedule_client_text(struct signed_text *t, const uint8_t ctx[SHA384_LEN], struct span request)
{
        t->len = 0;
        text_add(t, client_label, sizeof(client_label));
        text_add(t, ctx, SHA384_LEN);
        return text_add_hash(t, request, (struct span){NULL, 0});
}

int schedule_server_text(struct signed_text *t, const uint8_t ctx[SHA384_LEN],
                         const uint8_t request[SHA384_LEN], struct span head, struct span body)
{
        t->len = 0;
        text_add(t, server_label, sizeof(server_label));
        text_add(t, ctx, SHA384_LEN);
        text_add(t, request, SHA384_LEN);
        return text_add_hash(t, head, body);
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

int schedule_seal(const struct schedule *s, struct span head, struct span body, uint8_t *out)
{
        struct aead a  = {NULL};
        bool        ok = aead_set(&a, s->reply, AEAD_SEAL) == 0 &&
                  aead_seal(&a, s->reply + AEAD_KEY, head.p, head.len, body.p, body.len, out);

        aead_end(&a);
        return ok ? 0 : -ENOMEM;
}

int schedule_open(const struct schedule *s, struct span head, struct span sealed, uint8_t *out)
{
        struct aead a = {NULL};
        int         r = -ENOMEM;

        assert(sealed.len >= SCHEDULE_TAG);
        if (aead_set(&a, s->reply, AEAD_OPEN) == 0)
                r = aead_open(&a, s->reply + AEAD_KEY, head.p, head.len, sealed.p, sealed.len - SCHEDULE_TAG,
                              out)
                            ? 0
                            : -EBADMSG;
        aead_end(&a);
        return r;
}
