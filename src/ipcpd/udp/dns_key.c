#include "ipcpd/udp/dns_key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ldns/ldns.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "base/fd.h"
#include "crypt/secret.h"

#define SECRET_MAX 256u
#define FILE_MAX   1024u

/* Those of RFC 8945, 6 that are still to be used; none is cut short. */
static const struct algorithm {
        const char *name;
        const char *digest; /* as OpenSSL calls it */
} algorithms[] = {
        {"hmac-sha224", "SHA2-224"},
        {"hmac-sha256", "SHA2-256"},
        {"hmac-sha384", "SHA2-384"},
        {"hmac-sha512", "SHA2-512"},
};

struct dns_key {
        const struct algorithm *algorithm;
        struct dns_key_name     name, algorithm_name;
        size_t                  len;
        uint8_t                 secret[SECRET_MAX];
};

void dns_key_free(struct dns_key *k)
{
        secret_free(k);
}

const struct dns_key_name *dns_key_name(const struct dns_key *k)
{
        return &k->name;
}

const struct dns_key_name *dns_key_algorithm(const struct dns_key *k)
{
        return &k->algorithm_name;
}

/* -- what the line says ---------------------------------------------------- */

static bool set_name(struct dns_key_name *n, const char *s)
{
        ldns_rdf *rd = ldns_dname_new_frm_str(s);

        if (rd == NULL)
                return false;
        ldns_dname2canonical(rd);
        n->len = ldns_rdf_size(rd);
        memcpy(n->b, ldns_rdf_data(rd), n->len);
        ldns_rdf_deep_free(rd);
        return n->len > 1; /* else it is the root */
}

static bool set_algorithm(struct dns_key *k, const char *s)
{
        for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++)
                if (strcasecmp(algorithms[i].name, s) == 0)
                        k->algorithm = &algorithms[i];
        return k->algorithm != NULL && set_name(&k->algorithm_name, k->algorithm->name);
}

/* EVP_DecodeBlock() forgives much, so the form is looked at first. */
static bool set_secret(struct dns_key *k, const char *s)
{
        size_t len = strlen(s);
        size_t n   = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
        size_t pad = strspn(s + n, "=");

        if (n == 0 || n + pad != len || len % 4 != 0 || pad > 2 || len / 4 * 3 > sizeof(k->secret))
                return false;
        if (EVP_DecodeBlock(k->secret, (const uint8_t *)s, (int)len) < 0)
                return false;
        k->len = len / 4 * 3 - pad;
        return true;
}

static int parse(struct dns_key *k, char *line, const char **why)
{
        char *end    = line + strcspn(line, "\r\n");
        char *name   = memchr(line, ':', (size_t)(end - line));
        char *secret = name == NULL ? NULL : memchr(name + 1, ':', (size_t)(end - name - 1));

        *why = "is not one line \"algorithm:name:base64\"";
        if (secret == NULL || end[strspn(end, "\r\n")] != 0)
                return -EINVAL;
        *end = *name = *secret = 0;
        *why = "names an algorithm that is none of hmac-sha224, -sha256, -sha384 and -sha512";
        if (!set_algorithm(k, line))
                return -EINVAL;
        *why = "has no usable name of a key";
        if (!set_name(&k->name, name + 1))
                return -EINVAL;
        *why = "has a secret that is not base64, or longer than 256 bytes";
        return set_secret(k, secret + 1) ? 0 : -EINVAL;
}

/* -- the file -------------------------------------------------------------- */

/* As for the private keys of certificates: a group may read where it is root's or this daemon's own. */
static int check(const struct stat *st, const char **why)
{
        *why = "is not a regular file";
        if (!S_ISREG(st->st_mode))
                return -EINVAL;
        *why = "belongs neither to root nor to the user of this daemon";
        if (st->st_uid != 0 && st->st_uid != geteuid())
                return -EPERM;
        *why = "can be read or written by others";
        if ((st->st_mode & 07) != 0)
                return -EPERM;
        *why = "can be written by a group";
        if ((st->st_mode & 020) != 0)
                return -EPERM;
        *why = "can be read by a group that is neither root's nor that of this daemon";
        return (st->st_mode & 050) != 0 && st->st_gid != 0 && st->st_gid != getegid() ? -EPERM : 0;
}

/* @buf has FILE_MAX bytes, and is terminated. */
static int read_line(const char *path, char *buf, const char **why)
{
        int         fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        ssize_t     n  = -1;
        struct stat st;
        int         r = 0;

        if (fd < 0 || fstat(fd, &st) < 0) {
                r    = -errno;
                *why = strerrordesc_np(-r);
        } else {
                r = check(&st, why);
        }
        if (r == 0 && (n = read(fd, buf, FILE_MAX)) < 0) {
                r    = -errno;
                *why = strerrordesc_np(-r);
        }
        fd_close(&fd);
        if (r < 0)
                return r;
        *why = "is larger than 1023 bytes, or not text";
        if (n == FILE_MAX || memchr(buf, 0, (size_t)n) != NULL)
                return -EINVAL;
        buf[n] = 0;
        return 0;
}

int dns_key_read(struct dns_key **out, const char *path, const char **why)
{
        char           *line = secret_alloc(FILE_MAX);
        struct dns_key *k    = secret_alloc(sizeof(*k));
        int             r;

        *why = "finds no memory";
        r    = line == NULL || k == NULL ? -ENOMEM : read_line(path, line, why);
        if (r == 0)
                r = parse(k, line, why);
        secret_free(line);
        if (r < 0)
                dns_key_free(k);
        else
                *out = k;
        return r;
}

/* -- signing --------------------------------------------------------------- */

static bool begin(EVP_MAC_CTX *ctx, const struct dns_key *k)
{
        OSSL_PARAM params[] = {
                OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)k->algorithm->digest, 0),
                OSSL_PARAM_construct_end()};

        return EVP_MAC_init(ctx, k->secret, k->len, params) == 1;
}

int dns_key_sign(const struct dns_key *k, const struct dns_key_piece *pieces, size_t n, struct dns_mac *mac)
{
        EVP_MAC     *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
        EVP_MAC_CTX *ctx  = hmac == NULL ? NULL : EVP_MAC_CTX_new(hmac);
        bool         ok   = ctx != NULL && begin(ctx, k);

        for (size_t i = 0; ok && i < n; i++)
                ok = EVP_MAC_update(ctx, pieces[i].p, pieces[i].len) == 1;
        ok = ok && EVP_MAC_final(ctx, mac->b, &mac->len, sizeof(mac->b)) == 1;
        EVP_MAC_CTX_free(ctx);
        EVP_MAC_free(hmac);
        return ok ? 0 : -ENOMEM;
}
