/*
 * test_oap_creds.c - the credential store: trees of files, good and bad, and what a second reading makes of changes. What
 * is told is collected as text, a line a call.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/bio.h>
#include <openssl/pem.h>

#include "oap/creds.h"

#include "pki.h"

static struct pki_cert ca, other_ca, leaf, leaf2, inter;

/* -- a tree and its readings ---------------------------------------------------------------------------- */

static char         *dir;
static struct creds *creds;       /* the last reading                */
static char          told[65536]; /* during it: "note what: text\n"  */

static void collect(void *ctx, enum creds_note note, const char *what, const char *text)
{
        static const char *const notes[] = {"loaded", "changed", "removed", "fault"};
        size_t                   n       = strlen(told);

        assert_ptr_equal(ctx, &creds);
        snprintf(told + n, sizeof(told) - n, "%s %s: %s\n", notes[note], what, text);
}

/* Reads again, with the last reading at hand. */
static void reread(void)
{
        struct creds *last = creds;

        told[0] = '\0';
        creds   = creds_read(dir, last, collect, &creds);
        assert_non_null(creds);
        creds_unref(last);
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
        creds_unref(creds);
        creds = NULL;
        pki_dir_remove(dir);
        return 0;
}

static bool was_told(const char *words)
{
        return strstr(told, words) != NULL;
}

static const char *path_of(const char *name)
{
        static char path[2][512];
        static int  i;

        i ^= 1;
        snprintf(path[i], sizeof(path[i]), "%s/%s", dir, name);
        return path[i];
}

static void write_one(const char *path, const struct pki_cert *c)
{
        pki_write_certs(dir, path, &c, 1);
}

static void move(const char *from, const char *to)
{
        assert_int_equal(rename(path_of(from), path_of(to)), 0);
}

static void put_off(const char *path)
{
        assert_int_equal(unlink(path_of(path)), 0);
}

static void write_server(const char *name, const struct pki_cert *c)
{
        char path[300];

        snprintf(path, sizeof(path), "server/%s", name);
        pki_write_identity(dir, path, c, NULL, 0);
}

static const struct identity *server(const char *name)
{
        return creds_server(creds, name);
}

static bool has_leaf(const struct identity *id, const struct pki_cert *c)
{
        return id != NULL && id->fault == OAP_OK && id->leaf != NULL && id->key != NULL &&
               X509_cmp(id->leaf, c->x) == 0 && X509_check_private_key(id->leaf, id->key) == 1;
}

static void assert_faulty(const struct identity *id, enum oap_reason fault, const char *why)
{
        assert_non_null(id);
        assert_int_equal(id->fault, fault);
        assert_null(id->key);
        assert_null(id->leaf);
        assert_int_equal(id->certs.len, 0);
        assert_null(id->rule);
        assert_false(id->stale);
        if (strstr(id->why, why) == NULL)
                fail_msg("'%s' is not in '%s'", why, id->why);
}

/* The number of faults listed. */
static size_t n_faults(void)
{
        size_t n = 0;

        while (creds_fault(creds, n) != NULL)
                n++;
        return n;
}

/* -- nothing and all ------------------------------------------------------------------------------------- */

static void assert_empty(void)
{
        enum oap_reason fault;

        assert_null(server("a.example"));
        assert_null(creds_client(creds, "alice"));
        assert_null(creds_at(creds, 0));
        assert_null(creds_root_rule(creds, &fault));
        assert_int_equal(fault, OAP_OK);
        assert_null(creds_anchors(creds, ROLE_SERVER, &fault));
        assert_int_equal(fault, OAP_OK);
        assert_false(creds_revoked(creds, leaf.x));
        assert_int_equal(n_faults(), 0);
        assert_string_equal(told, "");
}

static void test_nothing(void **state)
{
        (void)state;
        reread();
        assert_empty();
        assert_int_equal(creds_serial(creds), 1);
        rmdir(dir);
        reread();
        assert_empty();
        assert_int_equal(creds_serial(creds), 1);
        creds_unref(NULL);
}

static void test_tree(void **state)
{
        const struct pki_cert *others[] = {&inter};
        enum oap_reason        fault;
        uint8_t                der[4096];
        size_t                 n;

        (void)state;
        write_one("cacert/ca.pem", &ca);
        pki_write_identity(dir, "server/a.example", &leaf, others, 1);
        pki_write(dir, "server/a.example/enc.cfg", "suite = x25519\n");
        pki_write_identity(dir, "client/default", &leaf2, NULL, 0);
        mkdir(path_of("client/alice"), 0755);
        pki_write(dir, "enc.cfg", "clock-skew = 7\n");
        reread();
        assert_true(has_leaf(server("a.example"), &leaf));
        assert_string_equal(server("a.example")->name, "a.example");
        assert_int_equal(server("a.example")->role, ROLE_SERVER);
        assert_int_equal(server("a.example")->rule->first, SUITE_X25519);
        n = pki_der(&leaf, der, sizeof(der));
        assert_int_equal(server("a.example")->certs.p[0] << 8 | server("a.example")->certs.p[1], n);
        assert_memory_equal(server("a.example")->certs.p + 2, der, n);
        assert_int_equal(server("a.example")->certs.len, 4 + n + pki_der(&inter, der, sizeof(der)));
        assert_null(server("A.example"));
        assert_true(has_leaf(creds_client(creds, "bob"), &leaf2));
        assert_null(creds_client(creds, "alice")->leaf); /* her own folder, though it has nothing */
        assert_int_equal(creds_client(creds, "alice")->fault, OAP_OK);
        assert_int_equal(creds_root_rule(creds, &fault)->clock_skew_s, 7);
        assert_non_null(creds_anchors(creds, ROLE_SERVER, &fault));
        assert_non_null(creds_anchors(creds, ROLE_CLIENT, &fault));
        assert_string_equal(creds_at(creds, 0)->name, "a.example");
        assert_string_equal(creds_at(creds, 1)->name, "alice");
        assert_string_equal(creds_at(creds, 2)->name, "default");
        assert_null(creds_at(creds, 3));
        assert_true(was_told("loaded server/a.example: subject CN=leaf, serial "));
        assert_true(was_told(", expires 2027-02-14T08:00:00Z, policy "));
        assert_true(was_told("loaded cacert/ca.pem: subject CN=ca"));
        assert_true(was_told("loaded enc.cfg: policy "));
        assert_int_equal(n_faults(), 0);
        reread();
        assert_string_equal(told, "");
        assert_int_equal(creds_serial(creds), 1);
}

/* crt.pem and key.pem are taken where cert and key are absent, each for itself. */
static void test_other_names(void **state)
{
        (void)state;
        write_server("a", &leaf);
        move("server/a/cert", "server/a/crt.pem");
        reread();
        assert_true(has_leaf(server("a"), &leaf));
        move("server/a/key", "server/a/key.pem");
        reread();
        assert_true(has_leaf(server("a"), &leaf));
        write_server("a", &leaf2);
        reread();
        assert_true(has_leaf(server("a"), &leaf2));
        assert_true(was_told("changed server/a: subject CN=leaf2"));
}

static void test_key_types(void **state)
{
        static const enum pki_key types[] = {PKI_P256,  PKI_P384,     PKI_P521,        PKI_ED25519,
                                             PKI_ED448, PKI_RSA_2048, PKI_RSA_PSS_2048};
        char                      name[8];
        struct pki_cert           c;

        (void)state;
        for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
                c = pki_cert(&(struct pki_spec){.key = types[i], .cn = "x"}, &ca);
                snprintf(name, sizeof(name), "s%u", i);
                write_server(name, &c);
                reread();
                assert_true(has_leaf(server(name), &c));
                pki_free(&c);
        }
}

static void test_weak_keys(void **state)
{
        static const enum pki_key types[] = {PKI_RSA_1024, PKI_P224};

        (void)state;
        for (unsigned i = 0; i < 2; i++) {
                struct pki_cert c = pki_cert(&(struct pki_spec){.key = types[i], .cn = "x"}, &ca);

                write_server("weak", &c);
                reread();
                assert_faulty(server("weak"), OAP_BAD_CREDENTIALS, "not allowed");
                pki_free(&c);
        }
}

/* -- identities that cannot be used ---------------------------------------------------------------------- */

static void assert_key_faulty(const char *why)
{
        reread();
        assert_faulty(server("a"), OAP_BAD_CREDENTIALS, why);
        assert_non_null(strstr(server("a")->why, path_of("server/a/key")));
        assert_true(has_leaf(server("b"), &leaf2)); /* never the other one's trouble */
        assert_int_equal(n_faults(), 1);
}

static void test_bad_keys(void **state)
{
        EVP_PKEY *key = pki_key(PKI_P256);

        (void)state;
        write_server("a", &leaf);
        write_server("b", &leaf2);
        pki_write_key(dir, "server/a/key", key);
        assert_key_faulty("does not fit the certificate");
        pki_write_key(dir, "server/a/key", leaf.key);
        pki_write(dir, "server/a/key", "");
        assert_key_faulty("no private key");
        pki_write(dir, "server/a/key", "-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----\n");
        assert_key_faulty("no private key");
        pki_write(dir, "server/a/key", "pkcs11:token=none;object=none\n");
        assert_key_faulty("no provider");
        pki_write(dir, "server/a/key", "file:/etc/ssl/private/x.pem");
        assert_key_faulty("no private key");
        put_off("server/a/key");
        reread();
        assert_faulty(server("a"), OAP_BAD_CREDENTIALS, "is there without");
        EVP_PKEY_free(key);
}

static void test_encrypted_key(void **state)
{
        FILE *f;

        (void)state;
        write_server("a", &leaf);
        write_server("b", &leaf2);
        f = fopen(path_of("server/a/key"), "w");
        assert_non_null(f);
        assert_int_equal(PEM_write_PKCS8PrivateKey(f, leaf.key, EVP_aes_128_cbc(), "pass", 4, NULL, NULL), 1);
        fclose(f);
        assert_key_faulty("without passphrase");
}

static void assert_mode(mode_t mode, gid_t gid, const char *why)
{
        chmod(path_of("server/a/key"), mode);
        assert_true(chown(path_of("server/a/key"), (uid_t)-1, gid) == 0 || geteuid() != 0);
        if (why != NULL) {
                assert_key_faulty(why);
                return;
        }
        reread();
        assert_true(has_leaf(server("a"), &leaf));
        creds_unref(creds); /* the next one begins without a last good state */
        creds = NULL;
}

static void test_key_rights(void **state)
{
        (void)state;
        write_server("a", &leaf);
        write_server("b", &leaf2);
        assert_mode(0600, getegid(), NULL);
        assert_mode(0400, getegid(), NULL);
        assert_mode(0640, getegid(), NULL);
        assert_mode(0604, getegid(), "others");
        assert_mode(0601, getegid(), "others");
        assert_mode(0602, getegid(), "others");
        assert_mode(0660, getegid(), "written by a group");
        if (geteuid() != 0)
                return;
        assert_mode(0640, 12345, "read by a group");
        assert_mode(0600, 12345, NULL);
        assert_int_equal(chown(path_of("server/a/key"), 12345, 0), 0);
        assert_key_faulty("belongs neither");
}

static void test_files_that_are_none(void **state)
{
        (void)state;
        write_server("b", &leaf2);
        write_server("a", &leaf);
        put_off("server/a/key");
        assert_int_equal(mkfifo(path_of("server/a/key"), 0600), 0);
        assert_key_faulty("not a regular file");
        put_off("server/a/key");
        mkdir(path_of("server/a/key"), 0700);
        assert_key_faulty("not a regular file");
        rmdir(path_of("server/a/key"));
        assert_int_equal(symlink("/dev/zero", path_of("server/a/key")), 0);
        assert_key_faulty("not a regular file");
        put_off("server/a/key");
        assert_int_equal(symlink("nowhere", path_of("server/a/key")), 0);
        assert_key_faulty("No such file");
        put_off("server/a/key");
        assert_int_equal(symlink("key", path_of("server/a/key")), 0);
        assert_key_faulty("symbolic links");
        put_off("server/a/key");
        pki_write_key(dir, "server/a/key", leaf.key);
        assert_int_equal(truncate(path_of("server/a/key"), 1024 * 1024 + 1), 0);
        assert_key_faulty("larger");
}

static void test_bad_certs(void **state)
{
        const struct pki_cert *many[9];

        (void)state;
        write_server("a", &leaf);
        for (size_t i = 0; i < 9; i++)
                many[i] = &leaf;
        pki_write_certs(dir, "server/a/cert", many, 8);
        reread();
        assert_true(has_leaf(server("a"), &leaf));
        creds_unref(creds);
        creds = NULL;
        pki_write_certs(dir, "server/a/cert", many, 9);
        reread();
        assert_faulty(server("a"), OAP_BAD_CREDENTIALS, "more than 8");
        pki_write(dir, "server/a/cert", "no certificate here\n");
        reread();
        assert_faulty(server("a"), OAP_BAD_CREDENTIALS, "holds no certificate");
        write_one("server/a/cert", &leaf);
        assert_int_equal(truncate(path_of("server/a/cert"), 300), 0);
        reread();
        assert_faulty(server("a"), OAP_BAD_CREDENTIALS, "cannot be read");
        pki_write(dir, "server/a/cert", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n");
        reread();
        assert_faulty(server("a"), OAP_BAD_CREDENTIALS, "cannot be read");
        put_off("server/a/cert");
        reread();
        assert_faulty(server("a"), OAP_BAD_CREDENTIALS, "is there without");
}

/* One with room for trailing bytes in a block is not a certificate. */
static void test_trailing_bytes(void **state)
{
        uint8_t der[4096];
        size_t  n = pki_der(&leaf, der, sizeof(der) - 1);
        FILE   *f;

        (void)state;
        write_server("a", &leaf);
        der[n] = 0;
        f      = fopen(path_of("server/a/cert"), "w");
        assert_non_null(f);
        assert_true(PEM_write(f, "CERTIFICATE", "", der, (long)n + 1) > 0);
        fclose(f);
        reread();
        assert_faulty(server("a"), OAP_BAD_CREDENTIALS, "cannot be read");
}

static void test_bad_policy(void **state)
{
        (void)state;
        write_server("a", &leaf);
        write_server("b", &leaf2);
        pki_write(dir, "server/a/enc.cfg", "suite = p384\nenkryption = required\n");
        reread();
        assert_faulty(server("a"), OAP_BAD_POLICY, "server/a/enc.cfg:2: unknown key");
        assert_true(has_leaf(server("b"), &leaf2));
        assert_true(was_told("fault server/a: "));
        put_off("server/a/enc.cfg");
        assert_int_equal(symlink("nowhere", path_of("server/a/enc.cfg")), 0);
        reread();
        assert_faulty(server("a"), OAP_BAD_POLICY, "No such file");
        put_off("server/a/enc.cfg");
        reread();
        assert_true(has_leaf(server("a"), &leaf));
        pki_write(dir, "client/x/enc.cfg", "suite = p384, x25519\n");
        reread();
        assert_faulty(creds_client(creds, "x"), OAP_BAD_POLICY, "one suite");
}

static void test_bad_root_policy(void **state)
{
        enum oap_reason fault;

        (void)state;
        write_server("a", &leaf);
        pki_write(dir, "enc.cfg", "nonsense");
        reread();
        assert_null(creds_root_rule(creds, &fault));
        assert_int_equal(fault, OAP_BAD_POLICY);
        assert_true(has_leaf(server("a"), &leaf));
        assert_non_null(strstr(creds_fault(creds, 0), "enc.cfg:1: unknown key 'nonsense'"));
        pki_write(dir, "enc.cfg", "clock-skew = 9");
        reread();
        assert_int_equal(creds_root_rule(creds, &fault)->clock_skew_s, 9);
        assert_int_equal(fault, OAP_OK);
        pki_write(dir, "enc.cfg", "nonsense again");
        reread();
        assert_int_equal(creds_root_rule(creds, &fault)->clock_skew_s, 9); /* the last good one */
        assert_int_equal(fault, OAP_OK);
        assert_true(was_told("fault enc.cfg: "));
        put_off("enc.cfg");
        reread();
        assert_null(creds_root_rule(creds, &fault));
        assert_int_equal(fault, OAP_OK);
        assert_true(was_told("removed enc.cfg: "));
        assert_int_equal(n_faults(), 0);
}

static void test_names(void **state)
{
        (void)state;
        write_server("a", &leaf);
        write_server("..data", &leaf2);
        write_server(".hidden", &leaf2);
        pki_write(dir, "server/README", "not an identity\n");
        assert_int_equal(mkfifo(path_of("server/fifo"), 0600), 0);
        mkdir(path_of("server/c\xff"), 0755);
        reread();
        assert_null(server(".hidden"));
        assert_null(server("..data"));
        assert_null(server("README"));
        assert_null(server("fifo"));
        assert_null(server("../server/a"));
        assert_null(server(""));
        assert_true(has_leaf(server("a"), &leaf));
        assert_int_equal(server("c\xff")->fault, OAP_BAD_CREDENTIALS);
        assert_int_equal(n_faults(), 1);
}

/* A folder that is announced and cannot be looked into is not one without credentials. */
static void test_folders_that_lead_nowhere(void **state)
{
        (void)state;
        mkdir(path_of("server"), 0755);
        assert_int_equal(symlink("nowhere", path_of("server/a")), 0);
        reread();
        assert_faulty(server("a"), OAP_BAD_CREDENTIALS, "No such file");
        assert_null(server("b"));
        assert_int_equal(rename(path_of("server"), path_of("was")), 0);
        pki_write(dir, "server", "a file\n");
        creds_unref(creds);
        creds = NULL;
        reread();
        assert_faulty(server("anything"), OAP_BAD_CREDENTIALS, "cannot be listed");
        assert_true(was_told("fault server: "));
        assert_null(creds_client(creds, "alice"));
        assert_int_equal(n_faults(), 1);
        reread();
        assert_string_equal(told, "");
        assert_faulty(server("anything"), OAP_BAD_CREDENTIALS, "cannot be listed");
}

/* -- reloading --------------------------------------------------------------------------------------------- */

static void assert_stale(const struct pki_cert *c, uint64_t serial)
{
        assert_true(has_leaf(server("a"), c));
        assert_true(server("a")->stale);
        assert_int_equal(creds_serial(creds), serial);
}

static void test_torn_pair(void **state)
{
        (void)state;
        write_server("a", &leaf);
        reread();
        write_one("server/a/cert", &leaf2);
        reread();
        assert_stale(&leaf, 2);
        assert_true(was_told("fault server/a: "));
        assert_true(was_told("does not fit"));
        assert_int_equal(n_faults(), 1);
        reread();
        assert_stale(&leaf, 2);
        assert_string_equal(told, ""); /* once for each change */
        assert_int_equal(n_faults(), 1);
        pki_write_key(dir, "server/a/key", leaf2.key);
        reread();
        assert_true(has_leaf(server("a"), &leaf2));
        assert_false(server("a")->stale);
        assert_true(was_told("changed server/a: subject CN=leaf2, serial "));
        assert_int_equal(creds_serial(creds), 3);
        assert_int_equal(n_faults(), 0);
}

/* The old pair comes back after a mistake: that it is in force again is told, for the fault was. */
static void test_mended(void **state)
{
        (void)state;
        write_server("a", &leaf);
        reread();
        pki_write(dir, "server/a/cert", "oops\n");
        reread();
        assert_stale(&leaf, 2);
        pki_write(dir, "server/a/cert", "still\n");
        reread();
        assert_stale(&leaf, 2);
        assert_true(was_told("fault server/a: "));
        write_one("server/a/cert", &leaf);
        reread();
        assert_true(has_leaf(server("a"), &leaf));
        assert_false(server("a")->stale);
        assert_true(was_told("changed server/a: subject CN=leaf,"));
        assert_int_equal(creds_serial(creds), 3);
}

/* Pair and policy are taken over together or not at all. */
static void test_stale_as_a_whole(void **state)
{
        (void)state;
        write_server("a", &leaf);
        pki_write(dir, "server/a/enc.cfg", "authentication = server\n");
        reread();
        write_server("a", &leaf2);
        pki_write(dir, "server/a/enc.cfg", "authentication = serfer\n");
        reread();
        assert_stale(&leaf, 2);
        assert_int_equal(server("a")->rule->auth, AUTH_SERVER);
        creds_unref(creds);
        creds = NULL;
        reread(); /* a start knows of no last good state */
        assert_faulty(server("a"), OAP_BAD_POLICY, "cannot be 'serfer'");
}

/* Where there was nothing, nothing is no state to stay in: what comes and is bad was meant to protect. */
static void test_bad_from_the_first(void **state)
{
        enum oap_reason fault;

        (void)state;
        mkdir(path_of("server"), 0755);
        mkdir(path_of("server/a"), 0755);
        reread();
        assert_int_equal(server("a")->fault, OAP_OK);
        write_one("server/a/cert", &leaf); /* the key is on its way */
        pki_write(dir, "enc.cfg", "nonsense");
        reread();
        assert_faulty(server("a"), OAP_BAD_CREDENTIALS, "is there without");
        assert_null(creds_root_rule(creds, &fault));
        assert_int_equal(fault, OAP_BAD_POLICY);
        reread();
        assert_string_equal(told, "");
        pki_write_key(dir, "server/a/key", leaf.key);
        reread();
        assert_true(has_leaf(server("a"), &leaf));
        assert_true(was_told("loaded server/a: "));
}

static void test_removed(void **state)
{
        (void)state;
        write_server("a", &leaf);
        write_one("cacert/ca.pem", &ca);
        write_one("cacert/two.pem", &other_ca);
        reread();
        put_off("server/a/cert");
        put_off("server/a/key");
        put_off("cacert/two.pem");
        reread();
        assert_non_null(server("a"));
        assert_null(server("a")->leaf);
        assert_true(was_told("changed server/a: no credentials"));
        assert_true(was_told("removed cacert/two.pem: subject CN=other ca"));
        rmdir(path_of("server/a"));
        reread();
        assert_null(server("a"));
        assert_true(was_told("removed server/a: "));
        assert_int_equal(creds_serial(creds), 3);
}

/* The way that mounted secrets change: a link to a folder is replaced by another one. */
static void test_symlink_swap(void **state)
{
        (void)state;
        pki_write_identity(dir, "store/1", &leaf, NULL, 0);
        pki_write_identity(dir, "store/2", &leaf2, NULL, 0);
        mkdir(path_of("server"), 0755);
        mkdir(path_of("server/a"), 0755);
        assert_int_equal(symlink("../../store/1", path_of("server/a/..data")), 0);
        assert_int_equal(symlink("..data/cert", path_of("server/a/cert")), 0);
        assert_int_equal(symlink("..data/key", path_of("server/a/key")), 0);
        assert_int_equal(symlink("../store/2", path_of("server/b")), 0);
        reread();
        assert_true(has_leaf(server("a"), &leaf));
        assert_true(has_leaf(server("b"), &leaf2));
        assert_int_equal(symlink("../../store/2", path_of("server/a/..new")), 0);
        move("server/a/..new", "server/a/..data");
        reread();
        assert_true(has_leaf(server("a"), &leaf2));
        assert_int_equal(creds_serial(creds), 2);
}

static void test_folder_swap(void **state)
{
        (void)state;
        write_server("a", &leaf);
        pki_write_identity(dir, "new", &leaf2, NULL, 0);
        reread();
        move("server/a", "old");
        move("new", "server/a");
        reread();
        assert_true(has_leaf(server("a"), &leaf2));
        assert_int_equal(creds_serial(creds), 2);
}

/* A file that is written again with the same size within one tick of the clock shows no other stamp. */
static void test_quick_rewrite(void **state)
{
        struct timespec times[2] = {{1000, 0}, {1000, 0}};
        enum oap_reason fault;

        (void)state;
        for (unsigned skew = 1; skew < 10; skew++) {
                char text[32];

                snprintf(text, sizeof(text), "clock-skew = %u", skew);
                pki_write(dir, "enc.cfg", text);
                assert_int_equal(utimensat(AT_FDCWD, path_of("enc.cfg"), times, 0), 0);
                reread();
                assert_int_equal(creds_root_rule(creds, &fault)->clock_skew_s, skew);
                assert_int_equal(creds_serial(creds), skew);
        }
}

/* A snapshot lives as long as somebody holds it, whatever becomes of the files. */
static void test_references(void **state)
{
        struct creds          *held;
        const struct identity *id;

        (void)state;
        write_server("a", &leaf);
        reread();
        held = creds_ref(creds);
        write_server("a", &leaf2);
        reread();
        id = creds_server(held, "a");
        assert_true(has_leaf(id, &leaf));
        assert_true(creds_serial(creds) > creds_serial(held));
        creds_unref(held);
        pki_write(dir, "server/a/cert", "");
        reread();
        reread();
        reread();
        assert_true(has_leaf(server("a"), &leaf2)); /* stale, of two readings ago */
}

/* -- anchors ----------------------------------------------------------------------------------------------- */

/* How many certificates the role's anchors hold; -1: they are at fault. */
static int n_anchors(enum role peer)
{
        enum oap_reason fault;
        X509_STORE     *store = creds_anchors(creds, peer, &fault);
        STACK_OF(X509_OBJECT) * objects;

        if (store == NULL) {
                assert_true(fault == OAP_OK || fault == OAP_BAD_CREDENTIALS);
                return fault == OAP_OK ? 0 : -1;
        }
        objects = X509_STORE_get0_objects(store);
        return sk_X509_OBJECT_num(objects);
}

static void assert_anchors(int of_servers, int of_clients)
{
        reread();
        assert_int_equal(n_anchors(ROLE_SERVER), of_servers);
        assert_int_equal(n_anchors(ROLE_CLIENT), of_clients);
}

static void test_anchors(void **state)
{
        const struct pki_cert *both[] = {&ca, &other_ca};

        (void)state;
        mkdir(path_of("cacert"), 0755);
        assert_anchors(0, 0);
        write_one("cacert/ca.pem", &ca);
        assert_anchors(1, 1);
        pki_write(dir, "cacert/README", "not counted\n");
        write_one("cacert/other.crt", &other_ca);
        assert_anchors(1, 1);
        mkdir(path_of("cacert/server"), 0755); /* takes the place, also when it is empty */
        assert_anchors(0, 1);
        pki_write_certs(dir, "cacert/server/both.pem", both, 2);
        assert_anchors(2, 1);
        write_one("cacert/client/ca.pem", &ca);
        write_one("cacert/client/other.pem", &other_ca);
        assert_anchors(2, 2);
        put_off("cacert/ca.pem"); /* nobody looks there any more */
        assert_anchors(2, 2);
}

/* Where something is there, "no anchors" must not come out of it. */
static void test_no_valid_anchor(void **state)
{
        (void)state;
        pki_write(dir, "cacert/README", "put certificates here\n");
        assert_anchors(-1, -1);
        write_one("cacert/server/ca.pem", &ca);
        assert_anchors(1, -1);
        put_off("cacert/README"); /* server/ alone says nothing about clients */
        assert_anchors(1, 0);
        pki_write(dir, "cacert/client/x.pem", "no certificate\n");
        assert_anchors(1, -1);
        assert_true(was_told("fault cacert/client/x.pem: "));
        write_one("cacert/client/leaf.pem", &leaf);
        assert_anchors(1, -1);
        assert_true(was_told("not a CA's"));
        assert_int_equal(n_faults(), 2);
        write_one("cacert/client/ok.pem", &ca);
        assert_anchors(1, 1);
        assert_int_equal(n_faults(), 2);
}

static void test_unreadable_anchors(void **state)
{
        (void)state;
        pki_write(dir, "cacert", "a file\n");
        assert_anchors(-1, -1);
        put_off("cacert");
        write_one("cacert/ca.pem", &ca);
        assert_anchors(1, 1);
        move("cacert", "gone");
        assert_int_equal(symlink("cacert", path_of("cacert")), 0);
        assert_anchors(1, 1);            /* what was there before counts */
        assert_int_equal(n_faults(), 3); /* and so cannot its two folders be looked for */
        put_off("cacert");
        assert_anchors(0, 0);
}

static void test_bad_anchor_keeps_its_last_state(void **state)
{
        (void)state;
        write_one("cacert/ca.pem", &ca);
        write_one("cacert/other.pem", &other_ca);
        assert_anchors(2, 2);
        pki_write(dir, "cacert/ca.pem", "half writ");
        assert_anchors(2, 2);
        assert_true(was_told("fault cacert/ca.pem: "));
        reread();
        assert_string_equal(told, "");
        assert_int_equal(n_faults(), 1);
        put_off("cacert/ca.pem");
        assert_anchors(1, 1);
        assert_true(was_told("removed cacert/ca.pem: subject CN=ca,"));
}

static void test_anchors_that_are_no_cas(void **state)
{
        const struct pki_spec specs[] = {
                {.cn = "self"},
                {.cn = "self", .basic = "critical,CA:FALSE"},
                {.cn = "self", .ca = true, .usage = "digitalSignature"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
                struct pki_cert c = pki_cert(&specs[i], NULL);

                write_one("cacert/self.pem", &c);
                assert_anchors(-1, -1);
                pki_free(&c);
        }
}

/* -- revoked ----------------------------------------------------------------------------------------------- */

static void test_revoked(void **state)
{
        struct pki_cert renewed = pki_cert(&(struct pki_spec){.cn = "new", .reuse = leaf.key}, &other_ca);

        (void)state;
        write_one("untrusted/leaf.pem", &leaf);
        reread();
        assert_true(creds_revoked(creds, leaf.x));
        assert_true(creds_revoked(creds, renewed.x)); /* the same key */
        assert_false(creds_revoked(creds, leaf2.x));
        assert_false(creds_revoked(creds, ca.x));
        assert_true(was_told("loaded untrusted/leaf.pem: subject CN=leaf"));
        write_one("untrusted/ca.pem", &ca);
        reread();
        assert_true(creds_revoked(creds, ca.x));
        assert_int_equal(creds_serial(creds), 2);
        put_off("untrusted/leaf.pem");
        reread();
        assert_false(creds_revoked(creds, leaf.x));
        pki_free(&renewed);
}

static X509 *as_serial_of; /* for with_serial() */

static void with_serial(X509 *x, X509 *issuer)
{
        (void)issuer;
        assert_int_equal(X509_set_serialNumber(x, X509_get_serialNumber(as_serial_of)), 1);
}

static void test_revoked_by_serial(void **state)
{
        struct pki_cert same, other;

        (void)state;
        as_serial_of = leaf.x;
        same         = pki_cert(&(struct pki_spec){.cn = "x", .alter = with_serial}, &ca);
        other        = pki_cert(&(struct pki_spec){.cn = "x", .alter = with_serial}, &other_ca);
        write_one("untrusted/leaf.pem", &leaf);
        reread();
        assert_true(creds_revoked(creds, same.x));
        assert_false(creds_revoked(creds, other.x)); /* of another issuer */
        pki_free(&same);
        pki_free(&other);
}

/* An RSA key is the same under both names, and a point in both forms. */
static void test_revoked_keys_in_other_clothes(void **state)
{
        struct pki_cert plain = pki_cert(&(struct pki_spec){.key = PKI_P384, .cn = "x"}, &ca);
        struct pki_cert packed;
        EVP_PKEY       *key = EVP_PKEY_dup(plain.key);

        (void)state;
        assert_int_equal(EVP_PKEY_set_utf8_string_param(key, "point-format", "compressed"), 1);
        packed = pki_cert(&(struct pki_spec){.cn = "y", .reuse = key}, &ca);
        assert_int_equal(ASN1_STRING_length(X509_get0_pubkey_bitstr(packed.x)), 49);
        write_one("untrusted/x.pem", &plain);
        reread();
        assert_true(creds_revoked(creds, packed.x));
        pki_free(&plain);
        pki_free(&packed);
        EVP_PKEY_free(key);
}

/* Of a bad file counts what can be read, and what counted before: a mistake takes no revocation back. */
static void test_bad_revoked_files(void **state)
{
        FILE           *f;
        enum oap_reason fault;

        (void)state;
        write_one("cacert/ca.pem", &ca);
        write_one("untrusted/x.pem", &leaf);
        reread();
        write_one("untrusted/x.pem", &leaf2);
        f = fopen(path_of("untrusted/x.pem"), "a");
        fputs("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", f);
        fclose(f);
        reread();
        assert_true(was_told("fault untrusted/x.pem: "));
        assert_true(creds_revoked(creds, leaf.x));
        assert_true(creds_revoked(creds, leaf2.x));
        assert_non_null(creds_anchors(creds, ROLE_SERVER, &fault));
        pki_write(dir, "untrusted/x.pem", "");
        reread();
        assert_true(creds_revoked(creds, leaf.x));
        assert_true(creds_revoked(creds, leaf2.x));
        pki_write(dir, "untrusted/y.pem", "nothing");
        reread();
        assert_int_equal(n_faults(), 2);
        put_off("untrusted/x.pem");
        reread();
        assert_false(creds_revoked(creds, leaf.x));
}

/* Not to know what is revoked is no reason to trust. */
static void test_unreadable_revoked(void **state)
{
        enum oap_reason fault;

        (void)state;
        write_one("cacert/ca.pem", &ca);
        pki_write(dir, "untrusted", "a file\n");
        assert_anchors(-1, -1);
        put_off("untrusted");
        write_one("untrusted/x.pem", &leaf);
        assert_anchors(1, 1);
        move("untrusted", "gone");
        assert_int_equal(symlink("untrusted", path_of("untrusted")), 0);
        assert_anchors(1, 1);
        assert_true(creds_revoked(creds, leaf.x));
        assert_non_null(creds_anchors(creds, ROLE_SERVER, &fault));
}

static int make_certs(void **state)
{
        (void)state;
        ca       = pki_cert(&(struct pki_spec){.cn = "ca", .ca = true}, NULL);
        other_ca = pki_cert(&(struct pki_spec){.cn = "other ca", .ca = true}, NULL);
        inter    = pki_cert(&(struct pki_spec){.cn = "inter", .ca = true}, &ca);
        leaf     = pki_cert(&(struct pki_spec){.cn = "leaf", .san = "DNS:a.example"}, &ca);
        leaf2    = pki_cert(&(struct pki_spec){.cn = "leaf2", .key = PKI_ED25519}, &ca);
        return 0;
}

static int free_certs(void **state)
{
        (void)state;
        pki_free(&ca);
        pki_free(&other_ca);
        pki_free(&inter);
        pki_free(&leaf);
        pki_free(&leaf2);
        return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_nothing),
                TEST(test_tree),
                TEST(test_other_names),
                TEST(test_key_types),
                TEST(test_weak_keys),
                TEST(test_bad_keys),
                TEST(test_encrypted_key),
                TEST(test_key_rights),
                TEST(test_files_that_are_none),
                TEST(test_bad_certs),
                TEST(test_trailing_bytes),
                TEST(test_bad_policy),
                TEST(test_bad_root_policy),
                TEST(test_names),
                TEST(test_folders_that_lead_nowhere),
                TEST(test_torn_pair),
                TEST(test_mended),
                TEST(test_stale_as_a_whole),
                TEST(test_bad_from_the_first),
                TEST(test_removed),
                TEST(test_symlink_swap),
                TEST(test_folder_swap),
                TEST(test_quick_rewrite),
                TEST(test_references),
                TEST(test_anchors),
                TEST(test_no_valid_anchor),
                TEST(test_unreadable_anchors),
                TEST(test_bad_anchor_keeps_its_last_state),
                TEST(test_anchors_that_are_no_cas),
                TEST(test_revoked),
                TEST(test_revoked_by_serial),
                TEST(test_revoked_keys_in_other_clothes),
                TEST(test_bad_revoked_files),
                TEST(test_unreadable_revoked),
        };

        return cmocka_run_group_tests(tests, make_certs, free_certs);
}
