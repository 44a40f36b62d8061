#include "oap/idents.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oap/file.h"

static const struct {
        const char     *what; /* when something is told of them */
        enum ident_kind kind;
} roles[] = {
        [ROLE_SERVER] = {"server", IDENT_SERVER},
        [ROLE_CLIENT] = {"client", IDENT_CLIENT},
};

/* What one reading works with. */
struct reading {
        struct idents       *ids;
        const struct idents *last; /* or NULL */
        enum role            role;
        const char          *path;
        const struct teller *tell;
};

struct ident *idents_find(const struct idents *ids, const char *name)
{
        size_t low = 0, high = ids->n;

        while (low < high) {
                size_t mid = low + (high - low) / 2;
                int    cmp = strcmp(name, ident_view(ids->at[mid])->name);

                if (cmp == 0)
                        return ids->at[mid];
                if (cmp < 0)
                        high = mid;
                else
                        low = mid + 1;
        }
        return NULL;
}

/* Whether @path is, or by a symbolic link that leads nowhere would be, the folder of an identity. */
static bool is_folder(const char *path)
{
        struct stat st;

        return stat(path, &st) < 0 || S_ISDIR(st.st_mode);
}

static int read_ident(const struct reading *r, const char *path, const char *name)
{
        struct ident *last = r->last != NULL ? idents_find(r->last, name) : NULL, *id;
        char          what[512];

        if (!is_folder(path))
                return 0;
        snprintf(what, sizeof(what), "%s/%s", roles[r->role].what, name);
        id = ident_read(path, name, what, roles[r->role].kind, last, r->tell);
        if (id == NULL)
                return -ENOMEM;
        r->ids->at[r->ids->n++] = id;
        return 0;
}

static int read_name(const struct reading *r, const char *name)
{
        char *path;
        int   rc;

        if (asprintf(&path, "%s/%s", r->path, name) < 0)
                return -ENOMEM;
        rc = read_ident(r, path, name);
        free(path);
        return rc;
}

/* The names are freed. */
static int read_names(const struct reading *r, struct dirent **names, int n)
{
        int rc = 0;

        r->ids->at = calloc((size_t)n + 1, sizeof(struct ident *));
        if (r->ids->at == NULL)
                rc = -ENOMEM;
        for (int i = 0; i < n; i++) {
                if (rc == 0)
                        rc = read_name(r, names[i]->d_name);
                free(names[i]);
        }
        free(names);
        return rc;
}

/* The folder is there, but who is in it is not known: those of before stay, and all others are refused. */
static int keep_last(const struct reading *r, int error)
{
        struct idents *ids = r->ids;
        size_t         n   = r->last != NULL ? r->last->n : 0;
        char           why[512];

        snprintf(why, sizeof(why), "%s cannot be listed: %s", r->path, strerrordesc_np(error));
        if (r->last == NULL || r->last->blind == NULL || strcmp(ident_view(r->last->blind)->why, why) != 0)
                tell(r->tell, CREDS_FAULT, roles[r->role].what, why);
        ids->blind = ident_faulty(r->path, roles[r->role].what, roles[r->role].kind, why);
        ids->at    = calloc(n + 1, sizeof(struct ident *));
        if (ids->blind == NULL || ids->at == NULL)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                ids->at[ids->n++] = ident_ref(r->last->at[i]);
        return 0;
}

static void tell_removed(const struct reading *r)
{
        char what[512], text[1024];

        for (size_t i = 0; r->last != NULL && i < r->last->n; i++) {
                const struct identity *id = ident_view(r->last->at[i]);

                if (idents_find(r->ids, id->name) != NULL)
                        continue;
                snprintf(what, sizeof(what), "%s/%s", roles[r->role].what, id->name);
                ident_describe(r->last->at[i], text, sizeof(text));
                tell(r->tell, CREDS_REMOVED, what, text);
        }
}

int idents_read(struct idents *ids, const char *path, enum role role, const struct idents *last,
                const struct teller *t)
{
        const struct reading r = {ids, last, role, path, t};
        struct dirent      **names;
        int                  n = file_list(path, &names), rc = 0;

        if (n >= 0)
                rc = read_names(&r, names, n);
        else if (n != -ENOENT || file_stamp(path).there)
                rc = keep_last(&r, -n);
        if (rc == 0)
                tell_removed(&r);
        return rc;
}

void idents_clear(struct idents *ids)
{
        for (size_t i = 0; i < ids->n; i++)
                ident_unref(ids->at[i]);
        ident_unref(ids->blind);
        free(ids->at);
        *ids = (struct idents){0};
}

bool idents_differ(const struct idents *a, const struct idents *b)
{
        bool differ = a->n != b->n || (a->blind == NULL) != (b->blind == NULL);

        for (size_t i = 0; !differ && i < a->n; i++)
                differ = strcmp(ident_view(a->at[i])->name, ident_view(b->at[i])->name) != 0 ||
                         ident_differs(a->at[i], b->at[i]);
        return differ;
}
