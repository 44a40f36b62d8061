/*
 * The snapshot: what the parts of the tree (certdir.h, idents.h, revoked.h) read, put together. Whatever goes wrong with
 * one of them is that one's fault and nobody else's, and always shows as a refusal, never as its absence.
 */
#include "oap/creds.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oap/certdir.h"
#include "oap/ident.h"
#include "oap/idents.h"
#include "oap/revoked.h"

enum folder { UNTRUSTED, CACERT, CACERT_SERVER, CACERT_CLIENT, N_FOLDERS };

static const struct {
        const char       *path;
        enum certdir_kind kind;
} folders[N_FOLDERS] = {
        [UNTRUSTED]     = {"untrusted", CERTDIR_REVOKED},
        [CACERT]        = {"cacert", CERTDIR_ANCHORS},
        [CACERT_SERVER] = {"cacert/server", CERTDIR_ANCHORS},
        [CACERT_CLIENT] = {"cacert/client", CERTDIR_ANCHORS},
};

#define N_ROLES 2

static const struct {
        const char *path;
        enum folder anchors;
} roles[N_ROLES] = {
        [ROLE_SERVER] = {"server", CACERT_SERVER},
        [ROLE_CLIENT] = {"client", CACERT_CLIENT},
};

struct anchors {
        X509_STORE     *store;
        enum oap_reason fault;
};

struct creds {
        atomic_uint     refs;
        uint64_t        serial;
        struct certdir *dirs[N_FOLDERS];
        struct revoked *revoked;
        struct anchors  anchors[N_ROLES];
        struct idents   idents[N_ROLES];
        struct ident   *root;
        const char    **faults; /* of the parts */
        size_t          n_faults;
};

/* What one reading works with. */
struct reading {
        const char         *dir;
        struct creds       *c;
        const struct creds *last;
        struct teller       tell;
};

/* -- trust anchors and revoked certificates ------------------------------------------------------------------- */

static int read_folder(struct reading *r, enum folder f)
{
        const struct certdir *last = r->last != NULL ? r->last->dirs[f] : NULL;
        char                 *path;

        if (asprintf(&path, "%s/%s", r->dir, folders[f].path) < 0)
                return -ENOMEM;
        r->c->dirs[f] = certdir_read(path, folders[f].path, folders[f].kind, last, &r->tell);
        free(path);
        return r->c->dirs[f] != NULL ? 0 : -ENOMEM;
}

static int fill_store(X509_STORE *store, const struct certdir *d)
{
        for (size_t i = 0; i < d->n; i++) {
                const STACK_OF(X509) *certs = certdir_certs(d, i);

                for (int k = 0; certs != NULL && k < sk_X509_num(certs); k++)
                        if (X509_STORE_add_cert(store, sk_X509_value(certs, k)) != 1)
                                return -ENOMEM;
        }
        return 0;
}

/* Whose anchors count. When cacert/ itself is out of sight and stays as it was, so does what was not in it. */
static const struct certdir *anchors_dir(const struct creds *c, enum role role)
{
        const struct certdir *own = c->dirs[roles[role].anchors], *both = c->dirs[CACERT];
        bool                  hidden = own->blind && both->why[0] != '\0' && !both->blind;

        return own->there && !hidden ? own : both;
}

static int make_anchors(struct creds *c, enum role role)
{
        const struct certdir *d = anchors_dir(c, role);
        struct anchors       *a = &c->anchors[role];

        if (d->blind || c->dirs[UNTRUSTED]->blind || (d->content && certdir_count(d) == 0)) {
                a->fault = OAP_BAD_CREDENTIALS;
                return 0;
        }
        if (certdir_count(d) == 0)
                return 0;
        a->store = X509_STORE_new();
        return a->store != NULL ? fill_store(a->store, d) : -ENOMEM;
}

/* A store is an index that takes time to make: where nothing has changed it is the one of before. */
static int take_anchors(struct reading *r, enum role role)
{
        const struct anchors *last = r->last != NULL ? &r->last->anchors[role] : NULL;
        bool                  same = last != NULL && last->store != NULL;

        for (int f = 0; same && f < N_FOLDERS; f++)
                same = !certdir_differs(r->c->dirs[f], r->last->dirs[f]);
        if (!same)
                return make_anchors(r->c, role);
        r->c->anchors[role] = *last;
        return X509_STORE_up_ref(last->store) == 1 ? 0 : -ENOMEM;
}

static int read_anchors(struct reading *r)
{
        for (int f = CACERT; f < N_FOLDERS; f++)
                if (read_folder(r, (enum folder)f) < 0)
                        return -ENOMEM;
        return take_anchors(r, ROLE_SERVER) == 0 ? take_anchors(r, ROLE_CLIENT) : -ENOMEM;
}

static int read_revoked(struct reading *r)
{
        if (read_folder(r, UNTRUSTED) < 0)
                return -ENOMEM;
        r->c->revoked = revoked_create(r->c->dirs[UNTRUSTED]);
        return r->c->revoked != NULL ? 0 : -ENOMEM;
}

/* -- identities -------------------------------------------------------------------------------------------- */

static int read_role(struct reading *r, enum role role)
{
        const struct idents *last = r->last != NULL ? &r->last->idents[role] : NULL;
        char                *path;
        int                  rc;

        if (asprintf(&path, "%s/%s", r->dir, roles[role].path) < 0)
                return -ENOMEM;
        rc = idents_read(&r->c->idents[role], path, role, last, &r->tell);
        free(path);
        return rc;
}

static int read_root(struct reading *r)
{
        struct ident *last = r->last != NULL ? r->last->root : NULL;

        r->c->root = ident_read(r->dir, "enc.cfg", "enc.cfg", IDENT_ROOT, last, &r->tell);
        return r->c->root != NULL ? 0 : -ENOMEM;
}

/* -- the whole --------------------------------------------------------------------------------------------- */

static bool creds_differ(const struct creds *a, const struct creds *b)
{
        bool differ = ident_differs(a->root, b->root);

        for (int f = 0; !differ && f < N_FOLDERS; f++)
                differ = certdir_differs(a->dirs[f], b->dirs[f]);
        for (int role = 0; !differ && role < N_ROLES; role++)
                differ = idents_differ(&a->idents[role], &b->idents[role]);
        return differ;
}

static void add_fault(struct creds *c, const char *why)
{
        if (why[0] != '\0')
                c->faults[c->n_faults++] = why;
}

static int list_faults(struct creds *c)
{
        size_t max = 1 + N_ROLES + N_FOLDERS + c->idents[0].n + c->idents[1].n;

        for (int f = 0; f < N_FOLDERS; f++)
                max += c->dirs[f]->n;
        c->faults = calloc(max, sizeof(*c->faults));
        if (c->faults == NULL)
                return -ENOMEM;
        add_fault(c, ident_view(c->root)->why);
        for (int f = 0; f < N_FOLDERS; f++) {
                add_fault(c, c->dirs[f]->why);
                for (size_t i = 0; i < c->dirs[f]->n; i++)
                        add_fault(c, certdir_why(c->dirs[f], i));
        }
        for (int role = 0; role < N_ROLES; role++) {
                if (c->idents[role].blind != NULL)
                        add_fault(c, ident_view(c->idents[role].blind)->why);
                for (size_t i = 0; i < c->idents[role].n; i++)
                        add_fault(c, ident_view(c->idents[role].at[i])->why);
        }
        return 0;
}

static int read_all(struct reading *r)
{
        if (read_revoked(r) < 0 || read_anchors(r) < 0 || read_root(r) < 0 || read_role(r, ROLE_SERVER) < 0 ||
            read_role(r, ROLE_CLIENT) < 0)
                return -ENOMEM;
        r->c->serial = 1;
        if (r->last != NULL)
                r->c->serial = r->last->serial + creds_differ(r->c, r->last);
        return list_faults(r->c);
}

struct creds *creds_read(const char *dir, const struct creds *last, creds_tell_fn *tell_fn, void *ctx)
{
        struct creds  *c = calloc(1, sizeof(*c));
        struct reading r = {dir, c, last, {tell_fn, ctx}};

        if (c == NULL)
                return NULL;
        atomic_init(&c->refs, 1);
        if (read_all(&r) == 0)
                return c;
        creds_unref(c);
        return NULL;
}

/* Snapshots are only read by those who hold them; the count alone changes. */
struct creds *creds_ref(const struct creds *c)
{
        struct creds *own = (struct creds *)c;

        atomic_fetch_add_explicit(&own->refs, 1, memory_order_relaxed);
        return own;
}

void creds_unref(const struct creds *c)
{
        struct creds *own = (struct creds *)c;

        if (c == NULL || atomic_fetch_sub_explicit(&own->refs, 1, memory_order_acq_rel) > 1)
                return;
        for (int f = 0; f < N_FOLDERS; f++)
                certdir_free(own->dirs[f]);
        for (int role = 0; role < N_ROLES; role++) {
                X509_STORE_free(own->anchors[role].store);
                idents_clear(&own->idents[role]);
        }
        revoked_free(own->revoked);
        ident_unref(own->root);
        free(own->faults);
        free(own);
}

/* -- asking ------------------------------------------------------------------------------------------------ */

uint64_t creds_serial(const struct creds *c)
{
        return c->serial;
}

static const struct identity *view(const struct ident *id)
{
        return id != NULL ? ident_view(id) : NULL;
}

const struct identity *creds_server(const struct creds *c, const char *name)
{
        const struct ident *id = idents_find(&c->idents[ROLE_SERVER], name);

        return view(id != NULL ? id : c->idents[ROLE_SERVER].blind);
}

const struct identity *creds_client(const struct creds *c, const char *principal)
{
        const struct idents *ids = &c->idents[ROLE_CLIENT];
        const struct ident  *id  = idents_find(ids, principal);

        if (id == NULL)
                id = ids->blind != NULL ? ids->blind : idents_find(ids, "default");
        return view(id);
}

const struct identity *creds_at(const struct creds *c, size_t i)
{
        const struct idents *servers = &c->idents[ROLE_SERVER], *clients = &c->idents[ROLE_CLIENT];

        if (i < servers->n)
                return view(servers->at[i]);
        i -= servers->n;
        return i < clients->n ? view(clients->at[i]) : NULL;
}

const struct rule *creds_root_rule(const struct creds *c, enum oap_reason *fault)
{
        *fault = ident_view(c->root)->fault;
        return ident_view(c->root)->rule;
}

X509_STORE *creds_anchors(const struct creds *c, enum role peer, enum oap_reason *fault)
{
        *fault = c->anchors[peer].fault;
        return c->anchors[peer].store;
}

bool creds_revoked(const struct creds *c, X509 *x)
{
        return revoked_has(c->revoked, x);
}

const char *creds_fault(const struct creds *c, size_t i)
{
        return i < c->n_faults ? c->faults[i] : NULL;
}
