/* test_hkdf.c - SHA-384 in pieces, HKDF against RFC 5869's construction and Wycheproof's vectors. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "crypt/hkdf.h"

#include "vectors.h"

#define OUT_MAX (255u * SHA384_LEN)

/* FIPS 180-4: the digests of "abc" and of nothing. */
static const uint8_t abc[SHA384_LEN] = {
        0xcb, 0x00, 0x75, 0x3f, 0x45, 0xa3, 0x5e, 0x8b, 0xb5, 0xa0, 0x3d, 0x69, 0x9a, 0xc6, 0x50, 0x07,
        0x27, 0x2c, 0x32, 0xab, 0x0e, 0xde, 0xd1, 0x63, 0x1a, 0x8b, 0x60, 0x5a, 0x43, 0xff, 0x5b, 0xed,
        0x80, 0x86, 0x07, 0x2b, 0xa1, 0xe7, 0xcc, 0x23, 0x58, 0xba, 0xec, 0xa1, 0x34, 0xc8, 0x25, 0xa7};

static const uint8_t nothing[SHA384_LEN] = {
        0x38, 0xb0, 0x60, 0xa7, 0x51, 0xac, 0x96, 0x38, 0x4c, 0xd9, 0x32, 0x7e, 0xb1, 0xb1, 0xe3, 0x6a,
        0x21, 0xfd, 0xb7, 0x11, 0x14, 0xbe, 0x07, 0x43, 0x4c, 0x0c, 0xc7, 0xbf, 0x63, 0xf6, 0xe1, 0xda,
        0x27, 0x4e, 0xde, 0xbf, 0xe7, 0x6f, 0x65, 0xfb, 0xd5, 0x1a, 0xd2, 0xf1, 0x48, 0x98, 0xb9, 0x5b};

static void test_sha384_of_pieces(void **state)
{
        static const struct piece whole[]  = {{"abc", 3}};
        static const struct piece pieces[] = {{"", 0}, {"a", 1}, {NULL, 0}, {"bc", 2}, {"", 0}};
        uint8_t                   sum[SHA384_LEN];

        (void)state;
        assert_int_equal(sha384(sum, whole, 1), 0);
        assert_memory_equal(sum, abc, sizeof(sum));
        assert_int_equal(sha384(sum, pieces, 5), 0);
        assert_memory_equal(sum, abc, sizeof(sum));
        assert_int_equal(sha384(sum, NULL, 0), 0);
        assert_memory_equal(sum, nothing, sizeof(sum));
}

static void test_info_in_pieces_is_info(void **state)
{
        static const struct piece whole[]  = {{"o7s v1 master", 13}};
        static const struct piece pieces[] = {{"o7s", 3}, {NULL, 0}, {" v1 ", 4}, {"master", 6}};
        uint8_t                   prk[SHA384_LEN];
        uint8_t                   a[100], b[100];

        (void)state;
        memset(prk, 7, sizeof(prk));
        assert_int_equal(hkdf_expand(a, sizeof(a), prk, whole, 1), 0);
        assert_int_equal(hkdf_expand(b, sizeof(b), prk, pieces, 4), 0);
        assert_memory_equal(a, b, sizeof(a));
}

static void test_failure_wipes(void **state)
{
        static uint8_t out[OUT_MAX + 1];
        static uint8_t zeros[OUT_MAX + 1];
        uint8_t        prk[SHA384_LEN] = {1};

        (void)state;
        memset(out, 0xaa, sizeof(out));
        assert_int_equal(hkdf_expand(out, sizeof(out), prk, NULL, 0), -ENOMEM);
        assert_memory_equal(out, zeros, sizeof(out));
        ERR_clear_error();
}

/* -- Wycheproof ------------------------------------------------------------- */

static void try_vector(const json_t *t)
{
        static uint8_t okm[OUT_MAX + 1], out[OUT_MAX + 1];
        uint8_t        ikm[256], salt[256], info[256], prk[SHA384_LEN];
        size_t         ikm_len  = vectors_bytes(t, "ikm", ikm, sizeof(ikm));
        size_t         salt_len = vectors_bytes(t, "salt", salt, sizeof(salt));
        struct piece   piece    = {info, vectors_bytes(t, "info", info, sizeof(info))};
        size_t         size     = (size_t)vectors_number(t, "size");
        bool           valid    = strcmp(vectors_text(t, "result"), "valid") == 0;

        assert_in_range(size, 1, sizeof(out));
        assert_int_equal(hkdf_extract(prk, salt, salt_len, ikm, ikm_len), 0);
        assert_int_equal(hkdf_expand(out, size, prk, &piece, 1), valid ? 0 : -ENOMEM);
        if (!valid)
                return;
        assert_int_equal(vectors_bytes(t, "okm", okm, sizeof(okm)), size);
        assert_memory_equal(out, okm, size);
}

static void test_wycheproof(void **state)
{
        json_t *root = vectors_wycheproof("hkdf_sha384_test.json");
        json_t *group, *t;
        size_t  i, j, n = 0;

        (void)state;
        json_array_foreach(json_object_get(root, "testGroups"), i, group)
        {
                json_array_foreach(json_object_get(group, "tests"), j, t)
                {
                        try_vector(t);
                        n++;
                }
        }
        assert_int_equal(n, vectors_number(root, "numberOfTests"));
        ERR_clear_error();
        json_decref(root);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sha384_of_pieces),
                cmocka_unit_test(test_info_in_pieces_is_info),
                cmocka_unit_test(test_failure_wipes),
                cmocka_unit_test(test_wycheproof),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
