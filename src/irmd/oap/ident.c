#include "oap/ident.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "oap/chain.h"
#include "oap/file.h"
#include "oap/pem.h"
#include "oap/sign.h"

enum part { CERT, KEY, POLICY, N_PARTS };

static const char *const part_names[N_PARTS][2] = {
        {"cert", "crt.pem"}, {"key", "key.pem"}, {"enc.cfg", NULL}};

struct ident {
        atomic_uint     refs;
        enum ident_kind kind;
        struct identity view;
        struct stamp    stamps[N_PARTS];
        char           *paths[N_PARTS]; /* of the files that were looked at */
        char           *name, *dir;
        uint8_t        *wire;
        struct rule    *rule;
        uint8_t         digest[32]; /* of enc.cfg */
        char            why[512];
        struct ident   *good; /* stale: the one whose pair and policy are shown */
};

struct ident *ident_ref(struct ident *id)
{
        atomic_fetch_add_explicit(&id->refs, 1, memory_order_relaxed);
        return id;
}

void ident_unref(struct ident *id)
{
        if (id == NULL || atomic_fetch_sub_explicit(&id->refs, 1, memory_order_acq_rel) > 1)
                return;
        if (id->good == NULL) {
                EVP_PKEY_free(id->view.key);
                X509_free(id->view.leaf);
        }
        ident_unref(id->good);
        for (int i = 0; i < N_PARTS; i++)
                free(id->paths[i]);
        free(id->name);
        free(id->dir);
        free(id->wire);
        rule_free(id->rule);
        free(id);
}

const struct identity *ident_view(const struct ident *id)
{
        return &id->view;
}

static bool is_good(const struct ident *id)
{
        return id != NULL && id->view.fault == OAP_OK;
}

/* To have had neither credentials nor policy is no state to fall back to when they come and are bad. */
static bool is_kept(const struct ident *id)
{
        return is_good(id) && (id->view.leaf != NULL || id->view.rule != NULL);
}

static struct ident *ident_new(const char *dir, const char *name, enum ident_kind kind)
{
        struct ident *id = calloc(1, sizeof(*id));

        if (id == NULL)
                return NULL;
        atomic_init(&id->refs, 1);
        id->kind = kind;
        id->name = strdup(name);
        id->dir  = strdup(dir);
        if (id->name == NULL || id->dir == NULL) {
                ident_unref(id);
                return NULL;
        }
        id->view.name = id->name;
        id->view.dir  = id->dir;
        id->view.role = kind == IDENT_CLIENT ? ROLE_CLIENT : ROLE_SERVER;
        id->view.why  = id->why;
        return id;
}

/* Notes the fault. Returns -EINVAL. */
__attribute__((format(printf, 3, 4))) static int refuse(struct ident *id, enum oap_reason fault,
                                                        const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(id->why, sizeof(id->why), fmt, ap);
        va_end(ap);
        id->view.fault = fault;
        return -EINVAL;
}

struct ident *ident_faulty(const char *dir, const char *name, enum ident_kind kind, const char *why)
{
        struct ident *id = ident_new(dir, name, kind);

        if (id != NULL)
                refuse(id, kind == IDENT_ROOT ? OAP_BAD_POLICY : OAP_BAD_CREDENTIALS, "%s", why);
        return id;
}

/* -- looking ----------------------------------------------------------------------------------------------- */

/* The first of the names of @part that is there, else the first name. */
static int look(struct ident *id, enum part part)
{
        for (int i = 0; i < 2 && part_names[part][i] != NULL; i++) {
                char        *path;
                struct stamp stamp;

                if (asprintf(&path, "%s/%s", id->dir, part_names[part][i]) < 0)
                        return -ENOMEM;
                stamp = file_stamp(path);
                if (i > 0 && !stamp.there) {
                        free(path);
                        break;
                }
                free(id->paths[part]);
                id->paths[part]  = path;
                id->stamps[part] = stamp;
                if (stamp.there)
                        break;
        }
        return 0;
}

static int look_all(struct ident *id)
{
        for (int i = id->kind == IDENT_ROOT ? POLICY : CERT; i < N_PARTS; i++)
                if (look(id, (enum part)i) < 0)
                        return -ENOMEM;
        return 0;
}

static bool same_files(const struct ident *a, const struct ident *b)
{
        for (int i = 0; i < N_PARTS; i++)
                if (!stamp_same(&a->stamps[i], &b->stamps[i]) ||
                    (a->paths[i] != NULL && strcmp(a->paths[i], b->paths[i]) != 0))
                        return false;
        return true;
}

static bool settled(const struct ident *id)
{
        for (int i = 0; i < N_PARTS; i++)
                if (id->paths[i] != NULL && !id->stamps[i].settled)
                        return false;
        return true;
}

/* -- reading ----------------------------------------------------------------------------------------------- */

static int read_certs(struct ident *id, const struct file *file)
{
        const char *why;
        STACK_OF(X509) *certs = pem_certs(file->data, file->len, &why);
        size_t len            = 0;
        int    r;

        if (certs == NULL)
                return -ENOMEM;
        r = why != NULL ? -EINVAL : pem_wire(certs, &id->wire, &len, &why);
        if (r == 0) {
                id->view.leaf  = sk_X509_shift(certs);
                id->view.certs = (struct span){id->wire, len};
        }
        sk_X509_pop_free(certs, X509_free);
        return r == -EINVAL ? refuse(id, OAP_BAD_CREDENTIALS, "%s %s", id->paths[CERT], why) : r;
}

static int load_certs(struct ident *id)
{
        struct file file;
        const char *why;
        int         r;

        if (file_read(id->paths[CERT], &file, &why) < 0)
                return refuse(id, OAP_BAD_CREDENTIALS, "%s %s", id->paths[CERT], why);
        r = read_certs(id, &file);
        file_clear(&file);
        return r;
}

static int load_key(struct ident *id)
{
        struct file file;
        const char *why;

        if (file_read(id->paths[KEY], &file, &why) < 0)
                return refuse(id, OAP_BAD_CREDENTIALS, "%s %s", id->paths[KEY], why);
        why = file_secret_fault(&file.st);
        if (why == NULL)
                id->view.key = pem_key(file.data, file.len, &why);
        file_clear(&file);
        return id->view.key != NULL ? 0 : refuse(id, OAP_BAD_CREDENTIALS, "%s %s", id->paths[KEY], why);
}

/*
 * Whether the two belong together, and can do what a handshake will ask of them: a signature shows what comparing public
 * keys does not (a key in a token that is not what it says, RSA-PSS parameters that forbid SHA-384).
 */
static int check_pair(struct ident *id)
{
        static const uint8_t text[] = "Ouroboros: does this key fit its certificate?";
        uint8_t              sig[SIGN_MAX];
        int                  n;

        if (chain_key_ok(X509_get0_pubkey(id->view.leaf)) != OAP_OK)
                return refuse(id, OAP_BAD_CREDENTIALS, "%s has a key of a type or size that is not allowed",
                              id->paths[CERT]);
        if (X509_check_private_key(id->view.leaf, id->view.key) != 1) {
                ERR_clear_error();
                return refuse(id, OAP_BAD_CREDENTIALS, "%s does not fit the certificate %s", id->paths[KEY],
                              id->paths[CERT]);
        }
        n = sign_make(id->view.key, text, sizeof(text), sig);
        if (n > 0 && sign_verify(X509_get0_pubkey(id->view.leaf), text, sizeof(text), sig, (size_t)n))
                return 0;
        return refuse(id, OAP_BAD_CREDENTIALS, "%s cannot sign for %s", id->paths[KEY], id->paths[CERT]);
}

static int load_pair(struct ident *id)
{
        bool cert = id->stamps[CERT].there, key = id->stamps[KEY].there;
        int  r;

        if (!cert && !key)
                return 0;
        if (!cert || !key)
                return refuse(id, OAP_BAD_CREDENTIALS, "%s is there without %s", id->paths[cert ? CERT : KEY],
                              id->paths[cert ? KEY : CERT]);
        r = load_certs(id);
        if (r == 0)
                r = load_key(id);
        return r == 0 ? check_pair(id) : r;
}

static int load_policy(struct ident *id)
{
        const char       *path = id->paths[POLICY], *why;
        struct rule_fault fault;
        struct file       file;
        int               r;

        if (!id->stamps[POLICY].there)
                return 0;
        if (file_read(path, &file, &why) < 0)
                return refuse(id, OAP_BAD_POLICY, "%s %s", path, why);
        r = rule_parse(&id->rule, (const char *)file.data, file.len, path, id->kind == IDENT_ROOT,
                       id->kind == IDENT_CLIENT, &fault);
        if (EVP_Digest(file.data, file.len, id->digest, NULL, EVP_sha256(), NULL) != 1)
                r = -ENOMEM;
        file_clear(&file);
        id->view.rule = id->rule;
        return r == -EINVAL ? refuse(id, OAP_BAD_POLICY, "%s", fault.text) : r;
}

/* A folder that leads nowhere has no files either, which is not the same as an identity without credentials. */
static int check_folder(struct ident *id)
{
        struct stamp folder = file_stamp(id->dir);
        const char  *fault  = str_name_fault(id->name);

        if (fault == NULL && folder.error != 0)
                fault = strerrordesc_np(folder.error);
        return fault == NULL ? 0 : refuse(id, OAP_BAD_CREDENTIALS, "%s %s", id->dir, fault);
}

static int load(struct ident *id)
{
        int r = id->kind != IDENT_ROOT ? check_folder(id) : 0;

        if (r == 0)
                r = load_policy(id);
        return r == 0 && id->kind != IDENT_ROOT ? load_pair(id) : r;
}

/* Drops what was read of a bad identity: half of it is nothing. */
static void forget(struct ident *id)
{
        EVP_PKEY_free(id->view.key);
        X509_free(id->view.leaf);
        free(id->wire);
        rule_free(id->rule);
        id->wire       = NULL;
        id->rule       = NULL;
        id->view.key   = NULL;
        id->view.leaf  = NULL;
        id->view.rule  = NULL;
        id->view.certs = (struct span){NULL, 0};
}

static void adopt(struct ident *id, struct ident *last)
{
        struct ident *good = last->good != NULL ? last->good : last;

        id->good       = ident_ref(good);
        id->view.key   = good->view.key;
        id->view.leaf  = good->view.leaf;
        id->view.certs = good->view.certs;
        id->view.rule  = good->view.rule;
        id->view.fault = OAP_OK;
        id->view.stale = true;
        memcpy(id->digest, good->digest, sizeof(id->digest));
}

/* -- telling ----------------------------------------------------------------------------------------------- */

void ident_describe(const struct ident *id, char *out, size_t cap)
{
        size_t n;

        if (id->view.leaf != NULL)
                pem_describe(id->view.leaf, out, cap);
        else
                snprintf(out, cap, "%s", id->kind == IDENT_ROOT ? "" : "no credentials");
        n = strlen(out);
        if (id->view.rule != NULL)
                snprintf(out + n, cap - n, "%spolicy %s", n > 0 ? ", " : "", id->view.rule->file);
}

static bool material_differs(const struct ident *a, const struct ident *b)
{
        return a->view.certs.len != b->view.certs.len || (a->view.leaf == NULL) != (b->view.leaf == NULL) ||
               (a->view.certs.len > 0 && memcmp(a->view.certs.p, b->view.certs.p, a->view.certs.len) != 0) ||
               (a->view.rule == NULL) != (b->view.rule == NULL) ||
               memcmp(a->digest, b->digest, sizeof(a->digest)) != 0;
}

/* The key needs no look: it fits the certificate. */
bool ident_differs(const struct ident *a, const struct ident *b)
{
        return a != b && (material_differs(a, b) || a->view.fault != b->view.fault ||
                          a->view.stale != b->view.stale || strcmp(a->why, b->why) != 0);
}

/* What is told of a good one, or -1: nothing. That it is in force again counts, for that it was not was told. */
static int news(const struct ident *id, const struct ident *last)
{
        bool none = id->kind == IDENT_ROOT && id->view.rule == NULL; /* a root without policy is no root */

        if (!is_good(id) || (none && last == NULL))
                return -1;
        if (none)
                return CREDS_REMOVED;
        if (!is_good(last))
                return CREDS_LOADED;
        return material_differs(id, last) || (last->view.stale && !id->view.stale) ? CREDS_CHANGED : -1;
}

/* A fault is told when it is new or the files are others, not each time that it is seen. */
static void tell_ident(const struct teller *t, const char *what, const struct ident *id,
                       const struct ident *last)
{
        char text[1024];
        int  note = news(id, last);

        if (id->why[0] != '\0' && (last == NULL || strcmp(id->why, last->why) != 0 || !same_files(id, last)))
                tell(t, CREDS_FAULT, what, id->why);
        if (note < 0)
                return;
        ident_describe(note == CREDS_REMOVED ? last : id, text, sizeof(text));
        tell(t, (enum creds_note)note, what, text);
}

struct ident *ident_read(const char *dir, const char *name, const char *what, enum ident_kind kind,
                         struct ident *last, const struct teller *t)
{
        struct ident *id = ident_new(dir, name, kind);
        int           r;

        if (id == NULL || look_all(id) < 0) {
                ident_unref(id);
                return NULL;
        }
        if (is_good(last) && !last->view.stale && settled(id) && same_files(id, last)) {
                ident_unref(id);
                return ident_ref(last);
        }
        r = load(id);
        if (r < 0)
                forget(id);
        if (r == -EINVAL && is_kept(last))
                adopt(id, last);
        if (r != 0 && r != -EINVAL) {
                ident_unref(id);
                return NULL;
        }
        tell_ident(t, what, id, last);
        return id;
}
