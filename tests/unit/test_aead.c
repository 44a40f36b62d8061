/* test_aead.c - AES-256-GCM as we call it: Wycheproof's vectors, wiping, and OpenSSL's queue of errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "crypt/aead.h"

#include "vectors.h"

#define TEXT_MAX 1024u

static const uint8_t key[AEAD_KEY]     = {1, 2, 3};
static const uint8_t nonce[AEAD_NONCE] = {4, 5, 6};
static const uint8_t zeros[TEXT_MAX];

/* Sealed text under the key and nonce above, with its tag. */
static void make_sealed(uint8_t *out, size_t n)
{
        struct aead a = {NULL};
        uint8_t     text[TEXT_MAX];

        memset(text, 'x', n);
        assert_int_equal(aead_set(&a, key, AEAD_SEAL), 0);
        assert_true(aead_seal(&a, nonce, "aad", 3, text, n, out));
        aead_end(&a);
}

static void test_wrong_tag_wipes_and_leaves_no_error(void **state)
{
        struct aead a = {NULL};
        uint8_t     sealed[100 + AEAD_TAG], out[100];

        (void)state;
        make_sealed(sealed, 100);
        assert_int_equal(aead_set(&a, key, AEAD_OPEN), 0);
        for (size_t i = 0; i < sizeof(sealed); i++) {
                sealed[i] ^= 0x10;
                memset(out, 0xaa, sizeof(out));
                assert_false(aead_open(&a, nonce, "aad", 3, sealed, 100, out));
                assert_memory_equal(out, zeros, sizeof(out));
                sealed[i] ^= 0x10;
        }
        assert_false(aead_open(&a, nonce, "aae", 3, sealed, 100, out));
        assert_int_equal(ERR_peek_error(), 0);
        assert_true(aead_open(&a, nonce, "aad", 3, sealed, 100, out));
        aead_end(&a);
}

static void test_a_key_can_be_replaced(void **state)
{
        static const uint8_t other[AEAD_KEY] = {9};
        struct aead          a               = {NULL};
        uint8_t              sealed[10 + AEAD_TAG], out[10];

        (void)state;
        make_sealed(sealed, 10);
        assert_int_equal(aead_set(&a, other, AEAD_OPEN), 0);
        assert_false(aead_open(&a, nonce, "aad", 3, sealed, 10, out));
        assert_int_equal(aead_set(&a, key, AEAD_OPEN), 0);
        assert_true(aead_open(&a, nonce, "aad", 3, sealed, 10, out));
        assert_memory_equal(out, "xxxxxxxxxx", 10);
        aead_end(&a);
        assert_null(a.ctx);
        aead_end(&a);
}

/* Nothing to seal need not even have an address. */
static void test_empty(void **state)
{
        struct aead a = {NULL}, b = {NULL};
        uint8_t     sealed[AEAD_TAG];

        (void)state;
        assert_int_equal(aead_set(&a, key, AEAD_SEAL), 0);
        assert_int_equal(aead_set(&b, key, AEAD_OPEN), 0);
        assert_true(aead_seal(&a, nonce, NULL, 0, NULL, 0, sealed));
        assert_true(aead_open(&b, nonce, NULL, 0, sealed, 0, NULL));
        sealed[3] ^= 1;
        assert_false(aead_open(&b, nonce, NULL, 0, sealed, 0, NULL));
        aead_end(&a);
        aead_end(&b);
}

/* -- Wycheproof ------------------------------------------------------------- */

struct vector {
        uint8_t key[AEAD_KEY], iv[AEAD_NONCE];
        uint8_t aad[TEXT_MAX], msg[TEXT_MAX], sealed[TEXT_MAX + AEAD_TAG];
        size_t  aad_len, msg_len, ct_len;
        bool    valid;
};

static void read_vector(struct vector *v, const json_t *t)
{
        vectors_bytes(t, "key", v->key, sizeof(v->key));
        vectors_bytes(t, "iv", v->iv, sizeof(v->iv));
        v->aad_len = vectors_bytes(t, "aad", v->aad, sizeof(v->aad));
        v->msg_len = vectors_bytes(t, "msg", v->msg, sizeof(v->msg));
        v->ct_len  = vectors_bytes(t, "ct", v->sealed, TEXT_MAX);
        assert_int_equal(vectors_bytes(t, "tag", v->sealed + v->ct_len, AEAD_TAG), AEAD_TAG);
        v->valid = strcmp(vectors_text(t, "result"), "valid") == 0;
}

static void try_open(const struct vector *v)
{
        struct aead a = {NULL};
        uint8_t     out[TEXT_MAX];

        assert_int_equal(aead_set(&a, v->key, AEAD_OPEN), 0);
        assert_int_equal(aead_open(&a, v->iv, v->aad, v->aad_len, v->sealed, v->ct_len, out), v->valid);
        assert_memory_equal(out, v->valid ? v->msg : zeros, v->ct_len);
        aead_end(&a);
}

static void try_seal(const struct vector *v)
{
        struct aead a = {NULL};
        uint8_t     out[TEXT_MAX + AEAD_TAG];

        assert_int_equal(aead_set(&a, v->key, AEAD_SEAL), 0);
        assert_true(aead_seal(&a, v->iv, v->aad, v->aad_len, v->msg, v->msg_len, out));
        assert_int_equal(memcmp(out, v->sealed, v->ct_len + AEAD_TAG) == 0, v->valid);
        aead_end(&a);
}

static bool ours(const json_t *group)
{
        return vectors_number(group, "keySize") == 256 && vectors_number(group, "ivSize") == 96 &&
               vectors_number(group, "tagSize") == 128;
}

static void test_wycheproof(void **state)
{
        json_t       *root = vectors_wycheproof("aes_gcm_test.json");
        json_t       *group, *t;
        struct vector v;
        size_t        i, j, n = 0;

        (void)state;
        json_array_foreach(json_object_get(root, "testGroups"), i, group)
        {
                if (!ours(group))
                        continue;
                json_array_foreach(json_object_get(group, "tests"), j, t)
                {
                        read_vector(&v, t);
                        try_open(&v);
                        try_seal(&v);
                        n++;
                }
        }
        assert_true(n >= 60);
        json_decref(root);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_wrong_tag_wipes_and_leaves_no_error),
                cmocka_unit_test(test_a_key_can_be_replaced),
                cmocka_unit_test(test_empty),
                cmocka_unit_test(test_wycheproof),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
