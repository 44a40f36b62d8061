/* test_oap_tool.c - scripts/make-credentials.sh: what it makes is what the credential store reads and the other side accepts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "oap/chain.h"

#include "pki.h"

static char *dir;

/* Runs the script on @dir. Its exit status. */
static int make(const char *args)
{
        char command[1024];
        int  status;

        snprintf(command, sizeof(command), "sh '%s/scripts/make-credentials.sh' '%s/etc' %s >'%s/out' 2>&1",
                 O7S_SOURCE_DIR, dir, args, dir);
        status = system(command); // NOLINT(cert-env33-c): it is a shell script
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

static bool there(const char *path, mode_t *mode)
{
        char        full[512];
        struct stat st;

        snprintf(full, sizeof(full), "%s/etc/%s", dir, path);
        if (lstat(full, &st) < 0)
                return false;
        *mode = st.st_mode & 07777;
        return true;
}

static void assert_mode(const char *path, mode_t mode)
{
        mode_t is = 0;

        assert_true(there(path, &is));
        assert_int_equal(is, mode);
}

static struct creds *store(void)
{
        char          path[512];
        struct creds *c;

        snprintf(path, sizeof(path), "%s/etc/security", dir);
        c = creds_read(path, NULL, NULL, NULL);
        assert_non_null(c);
        if (creds_fault(c, 0) != NULL)
                fail_msg("%s", creds_fault(c, 0));
        return c;
}

/* Whether a peer with the same anchors accepts @id. */
static enum oap_reason verdict(const struct creds *c, const struct identity *id, const char *name,
                               char who[256])
{
        struct oap_body body = {.certs = id->certs, .n_certs = 1};
        struct leaf     leaf;
        enum oap_reason r;

        body.cert[0] = (struct span){id->certs.p + 2, id->certs.len - 2};
        r = chain_verify(c, NULL, id->role, &body, name, (int64_t)time(NULL) * INT64_C(1000000000), &leaf,
                         NULL, 0);
        snprintf(who, 256, "%s", leaf.identity);
        leaf_clear(&leaf);
        return r;
}

static int set_up(void **state)
{
        (void)state;
        dir = pki_dir();
        return 0;
}

static int tear_down(void **state)
{
        (void)state;
        pki_dir_remove(dir);
        return 0;
}

static void test_accepted(void **state)
{
        struct creds *c;
        char          who[256];

        (void)state;
        assert_int_equal(make("ca 'My CA'"), 0);
        assert_int_equal(make("server a.example"), 0);
        assert_int_equal(make("client alice --san email:Alice@Example"), 0);
        assert_int_equal(make("client default"), 0);
        c = store();
        assert_int_equal(verdict(c, creds_server(c, "a.example"), "a.example", who), OAP_OK);
        assert_int_equal(verdict(c, creds_server(c, "a.example"), "b.example", who), OAP_WRONG_NAME);
        assert_int_equal(verdict(c, creds_client(c, "alice"), NULL, who), OAP_OK);
        assert_string_equal(who, "email:Alice@example");
        assert_int_equal(verdict(c, creds_client(c, "bob"), NULL, who), OAP_OK);
        assert_string_equal(who, "dns:default");
        creds_unref(c);
        assert_mode("ca", 0700);
        assert_mode("ca/key", 0600);
        assert_mode("security/server/a.example/key", 0600);
        assert_mode("security/client/alice/key", 0600);
        assert_mode("security/cacert/ca.pem", 0644);
}

static void test_key_types(void **state)
{
        static const char *const types[] = {"p256", "ed25519", "rsa2048"};
        struct creds            *c;
        char                     args[64], who[256];

        (void)state;
        assert_int_equal(make("-k ed25519 ca"), 0);
        for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
                snprintf(args, sizeof(args), "server %s --key %s --days 1", types[i], types[i]);
                assert_int_equal(make(args), 0);
        }
        c = store();
        for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
                assert_int_equal(verdict(c, creds_server(c, types[i]), types[i], who), OAP_OK);
        creds_unref(c);
}

/* A pair of before stays whole, or is replaced as a whole. */
static void test_overwriting(void **state)
{
        struct creds *first, *second;

        (void)state;
        assert_int_equal(make("ca"), 0);
        assert_int_equal(make("server a"), 0);
        first = store();
        assert_int_equal(make("ca"), 1);
        assert_int_equal(make("server a"), 1);
        second = store();
        assert_int_equal(X509_cmp(creds_server(first, "a")->leaf, creds_server(second, "a")->leaf), 0);
        creds_unref(second);
        assert_int_equal(make("--force server a"), 0);
        second = store();
        assert_int_not_equal(X509_cmp(creds_server(first, "a")->leaf, creds_server(second, "a")->leaf), 0);
        creds_unref(second);
        creds_unref(first);
}

static void test_refused(void **state)
{
        static const char *const args[] = {
                "server ../a",      "server .a",     "server ''",   "server 'a b'",        "server 'a$b'",
                "server 'a,DNS:b'", "server",        "server a b",  "-k rsa1024 server a", "-k md5 server a",
                "-d 0 server a",    "-d x server a", "server a -d", "server a --unknown",  "peer a"};
        mode_t mode;

        (void)state;
        assert_int_equal(make("server a"), 1); /* without a CA */
        assert_int_equal(make("ca"), 0);
        for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++)
                if (make(args[i]) == 0)
                        fail_msg("accepted: %s", args[i]);
        assert_false(there("security/server", &mode));
        assert_false(there("a", &mode));
        assert_int_equal(make("--help"), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_accepted),
                TEST(test_key_types),
                TEST(test_overwriting),
                TEST(test_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
