#include "pki.h"

#include <fcntl.h>
#include <ftw.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void must(bool ok, const char *what)
{
        if (ok)
                return;
        fprintf(stderr, "pki: %s\n", what);
        abort();
}

/* -- keys ------------------------------------------------------------------ */

static EVP_PKEY *generate(enum pki_key type)
{
        switch (type) {
        case PKI_P256: return EVP_EC_gen("P-256");
        case PKI_P384: return EVP_EC_gen("P-384");
        case PKI_P521: return EVP_EC_gen("P-521");
        case PKI_P224: return EVP_EC_gen("P-224");
        case PKI_ED25519: return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
        case PKI_ED448: return EVP_PKEY_Q_keygen(NULL, NULL, "ED448");
        case PKI_RSA_2048: return EVP_RSA_gen(2048);
        case PKI_RSA_1024: return EVP_RSA_gen(1024);
        default: return NULL;
        }
}

static EVP_PKEY *generate_pss(void)
{
        EVP_PKEY_CTX *c   = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
        EVP_PKEY     *key = NULL;

        must(c != NULL && EVP_PKEY_keygen_init(c) == 1 && EVP_PKEY_CTX_set_rsa_keygen_bits(c, 2048) == 1 &&
                     EVP_PKEY_generate(c, &key) == 1,
             "RSA-PSS key");
        EVP_PKEY_CTX_free(c);
        return key;
}

EVP_PKEY *pki_key(enum pki_key type)
{
        EVP_PKEY *key = type == PKI_RSA_PSS_2048 ? generate_pss() : generate(type);

        must(key != NULL, "key");
        return key;
}

/* -- certificates ---------------------------------------------------------- */

static void add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
        X509V3_CTX      c;
        X509_EXTENSION *e;

        if (value == NULL)
                return;
        X509V3_set_ctx(&c, issuer, x, NULL, NULL, 0);
        e = X509V3_EXT_conf_nid(NULL, &c, nid, value);
        must(e != NULL && X509_add_ext(x, e, -1) == 1, value);
        X509_EXTENSION_free(e);
}

static void set_name(X509 *x, const char *cn)
{
        X509_NAME *name = X509_get_subject_name(x);

        if (cn != NULL)
                must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)cn, -1, -1, 0) ==
                             1,
                     "name");
}

static void set_validity(X509 *x, const struct pki_spec *spec)
{
        bool    usual = spec->from_s == 0 && spec->to_s == 0;
        int64_t from  = PKI_NOW_S + (usual ? -PKI_DAY_S : spec->from_s);
        int64_t to    = PKI_NOW_S + (usual ? 30 * PKI_DAY_S : spec->to_s);

        must(ASN1_TIME_set(X509_getm_notBefore(x), (time_t)from) != NULL, "notBefore");
        must(ASN1_TIME_set(X509_getm_notAfter(x), (time_t)to) != NULL, "notAfter");
}

static const EVP_MD *digest_for(const struct pki_spec *spec, EVP_PKEY *key)
{
        if (EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448"))
                return NULL;
        return EVP_get_digestbyname(spec->digest != NULL ? spec->digest : "SHA256");
}

static void extend(X509 *x, X509 *issuer, const struct pki_spec *spec)
{
        if (spec->basic != NULL)
                add_extension(x, issuer, NID_basic_constraints, spec->basic);
        else if (spec->ca)
                add_extension(x, issuer, NID_basic_constraints, "critical,CA:TRUE");
        add_extension(x, issuer, NID_key_usage,
                      spec->usage == NULL && spec->ca ? "critical,keyCertSign,cRLSign" : spec->usage);
        add_extension(x, issuer, NID_ext_key_usage, spec->purpose);
        add_extension(x, issuer, NID_subject_alt_name, spec->san);
        add_extension(x, issuer, NID_subject_key_identifier, "hash");
        if (issuer != x && X509_get_ext_by_NID(issuer, NID_subject_key_identifier, -1) >= 0)
                add_extension(x, issuer, NID_authority_key_identifier, "keyid:always");
}

struct pki_cert pki_cert(const struct pki_spec *spec, const struct pki_cert *issuer)
{
        static long     serial = 1000;
        struct pki_cert c      = {X509_new(), spec->reuse != NULL ? spec->reuse : pki_key(spec->key)};
        EVP_PKEY       *by     = issuer == NULL ? c.key : issuer->key;

        must(c.x != NULL && X509_set_version(c.x, X509_VERSION_3) == 1, "certificate");
        must(ASN1_INTEGER_set(X509_get_serialNumber(c.x), ++serial) == 1, "serial");
        must(X509_set_pubkey(c.x, c.key) == 1, "public key");
        set_name(c.x, spec->cn);
        set_validity(c.x, spec);
        must(X509_set_issuer_name(c.x, X509_get_subject_name(issuer == NULL ? c.x : issuer->x)) == 1,
             "issuer");
        extend(c.x, issuer == NULL ? c.x : issuer->x, spec);
        if (spec->reuse != NULL)
                EVP_PKEY_up_ref(spec->reuse);
        if (spec->alter != NULL)
                spec->alter(c.x, issuer == NULL ? c.x : issuer->x);
        must(X509_sign(c.x, by, digest_for(spec, by)) > 0, "signature");
        return c;
}

void pki_free(struct pki_cert *c)
{
        X509_free(c->x);
        EVP_PKEY_free(c->key);
        *c = (struct pki_cert){NULL, NULL};
}

size_t pki_der(const struct pki_cert *c, uint8_t *out, size_t room)
{
        int n = i2d_X509(c->x, NULL);

        must(n > 0 && (size_t)n <= room, "DER");
        return (size_t)i2d_X509(c->x, &out);
}

/* -- files ----------------------------------------------------------------- */

char *pki_dir(void)
{
        const char *tmp = getenv("TMPDIR");
        char       *dir = NULL;

        must(asprintf(&dir, "%s/o7s-pki-XXXXXX", tmp != NULL ? tmp : "/tmp") > 0 && mkdtemp(dir) != NULL,
             "folder");
        return dir;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
        (void)st;
        (void)flag;
        (void)ftw;
        return remove(path);
}

void pki_dir_remove(char *dir)
{
        nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        free(dir);
}

/* Opens @path in @dir; its folders are made. */
static FILE *create(const char *dir, const char *path, mode_t mode)
{
        char *whole = NULL;
        FILE *f;
        int   fd;

        must(asprintf(&whole, "%s/%s", dir, path) > 0, "path");
        for (char *slash = strchr(whole + strlen(dir) + 1, '/'); slash != NULL;
             slash       = strchr(slash + 1, '/')) {
                *slash = '\0';
                mkdir(whole, 0755);
                *slash = '/';
        }
        fd = open(whole, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
        f  = fd < 0 ? NULL : fdopen(fd, "w");
        must(f != NULL, whole);
        free(whole);
        return f;
}

void pki_write(const char *dir, const char *path, const char *text)
{
        FILE *f = create(dir, path, 0644);

        must(fputs(text, f) >= 0 && fclose(f) == 0, path);
}

void pki_write_certs(const char *dir, const char *path, const struct pki_cert *const *certs, size_t n)
{
        FILE *f = create(dir, path, 0644);

        for (size_t i = 0; i < n; i++)
                must(PEM_write_X509(f, certs[i]->x) == 1, path);
        must(fclose(f) == 0, path);
}

void pki_write_key(const char *dir, const char *path, EVP_PKEY *key)
{
        FILE *f = create(dir, path, 0600);

        must(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1 && fclose(f) == 0, path);
}

void pki_write_identity(const char *dir, const char *path, const struct pki_cert *leaf,
                        const struct pki_cert *const *others, size_t n)
{
        const struct pki_cert *all[8] = {leaf};
        char                   file[512];

        must(n < 8, "too many certificates");
        for (size_t i = 0; i < n; i++)
                all[i + 1] = others[i];
        snprintf(file, sizeof(file), "%s/cert", path);
        pki_write_certs(dir, file, all, n + 1);
        snprintf(file, sizeof(file), "%s/key", path);
        pki_write_key(dir, file, leaf->key);
}
