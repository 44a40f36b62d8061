/*
 * fuzz_creds.c - f08: the credential store, over files that change under it. Certificates and keys are made at the start.
 *
 *     a list of  | file 8 | kind 8 | ... |     file: of the table below; then the tree is read again
 *       kind: 0 gone; 1 good; 2 the other good one; 3 | length 16 | bytes | of the input; 4 | length 16 | good one, cut off; 5 a FIFO; 6 a link
 *       to nowhere
 *
 * Invariants: whatever the files are, an identity that may be used has a pair that fits and a faulty one nothing; a second reading
 * finds nothing to tell; the serial number grows by at most one.
 */
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oap/creds.h"

#include "input.h"
#include "pki.h"

static const struct {
        const char *path;
        int         good; /* a text of the table @good */
} files[] = {
        {"server/a/cert", 0},   {"server/a/key", 2},     {"server/a/crt.pem", 0}, {"server/a/enc.cfg", 4},
        {"client/u/cert", 0},   {"client/u/key.pem", 2}, {"cacert/x.pem", 6},     {"cacert/server/y.pem", 6},
        {"untrusted/z.pem", 0}, {"enc.cfg", 4},          {"cacert/README", 4},
};

#define N_FILES (sizeof(files) / sizeof(files[0]))

static char *dir;
static char *good[8]; /* certificates, keys, policies, CAs: two of each */

static char *text_of(X509 *x, EVP_PKEY *key)
{
        BIO  *bio = BIO_new(BIO_s_mem());
        char *p, *text;
        long  n;

        MUST((x != NULL ? PEM_write_bio_X509(bio, x)
                        : PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL)) == 1);
        n    = BIO_get_mem_data(bio, &p);
        text = strndup(p, (size_t)n);
        MUST(text != NULL);
        BIO_free(bio);
        return text;
}

int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
        (void)argc;
        (void)argv;
        for (int i = 0; i < 2; i++) {
                struct pki_cert ca   = pki_cert(&(struct pki_spec){.cn = "ca", .ca = true}, NULL);
                struct pki_cert leaf = pki_cert(&(struct pki_spec){.cn = "leaf"}, &ca);

                good[i]     = text_of(leaf.x, NULL);
                good[2 + i] = text_of(NULL, leaf.key);
                good[6 + i] = text_of(ca.x, NULL);
                pki_free(&ca);
                pki_free(&leaf);
        }
        good[4] = strdup("authentication = mutual\n");
        good[5] = strdup("suite = x25519\n");
        return 0;
}

static void write_bytes(const char *path, const void *bytes, size_t len)
{
        FILE *f;

        pki_write(dir, path + strlen(dir) + 1, ""); /* makes the folders */
        f = fopen(path, "w");
        MUST(f != NULL && fwrite(bytes, 1, len, f) == len && fclose(f) == 0);
        chmod(path, 0600);
}

static void write_input(const char *path, struct input *in)
{
        uint8_t bytes[1024];
        size_t  len = (size_t)input_le(in, 2) % sizeof(bytes);

        for (size_t i = 0; i < len; i++)
                bytes[i] = input_byte(in);
        write_bytes(path, bytes, len);
}

static void change(struct input *in)
{
        size_t      file = input_byte(in) % N_FILES;
        const char *text = good[files[file].good];
        char        path[256];

        snprintf(path, sizeof(path), "%s/%s", dir, files[file].path);
        unlink(path);
        switch (input_byte(in) % 7) {
        case 0: break;
        case 1: write_bytes(path, text, strlen(text)); break;
        case 2: write_bytes(path, good[files[file].good + 1], strlen(good[files[file].good + 1])); break;
        case 3: write_input(path, in); break;
        case 4: write_bytes(path, text, (size_t)input_le(in, 2) % strlen(text)); break;
        case 5:
                write_bytes(path, "", 0);
                MUST(unlink(path) == 0 && mkfifo(path, 0600) == 0);
                break;
        default:
                write_bytes(path, "", 0);
                MUST(unlink(path) == 0 && symlink("nowhere", path) == 0);
                break;
        }
}

static void count(void *ctx, enum creds_note note, const char *what, const char *text)
{
        (void)note;
        MUST(what != NULL && text != NULL);
        ++*(unsigned *)ctx;
}

static void check_identity(const struct identity *id)
{
        if (id->fault != OAP_OK) {
                MUST(id->key == NULL && id->leaf == NULL && id->rule == NULL && id->certs.len == 0);
                MUST(id->why[0] != '\0' && !id->stale);
        }
        MUST((id->key == NULL) == (id->leaf == NULL) && (id->key == NULL) == (id->certs.len == 0));
        MUST(id->key == NULL || X509_check_private_key(id->leaf, id->key) == 1);
        MUST(!id->stale || id->why[0] != '\0');
}

static void check(const struct creds *c)
{
        const struct identity *id;
        enum oap_reason        fault;

        for (size_t i = 0; (id = creds_at(c, i)) != NULL; i++)
                check_identity(id);
        MUST(creds_root_rule(c, &fault) == NULL || fault == OAP_OK);
        for (int role = 0; role < 2; role++)
                MUST(creds_anchors(c, (enum role)role, &fault) == NULL || fault == OAP_OK);
        for (size_t i = 0; creds_fault(c, i) != NULL; i++)
                MUST(creds_fault(c, i)[0] != '\0');
}

/* Reads twice. The reference of @last is taken. */
static struct creds *reread(struct creds *last)
{
        unsigned      told = 0, again = 0;
        struct creds *c = creds_read(dir, last, count, &told), *d;

        MUST(c != NULL);
        check(c);
        MUST(last == NULL || creds_serial(c) - creds_serial(last) <= 1);
        d = creds_read(dir, c, count, &again);
        MUST(d != NULL && again == 0 && creds_serial(d) == creds_serial(c));
        check(d);
        creds_unref(last);
        creds_unref(c);
        return d;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct input  in = {data, data + size};
        struct creds *c  = NULL;

        dir = pki_dir();
        for (int i = 0; i < 12 && input_left(&in); i++) {
                change(&in);
                c = reread(c);
        }
        creds_unref(c);
        pki_dir_remove(dir);
        return 0;
}
