#include "oap/certdir.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oap/file.h"

struct certfile {
        atomic_uint  refs;
        char        *name;
        struct stamp stamp;
        STACK_OF(X509) * certs;
        bool stale;    /* bad: @certs are those of before */
        char why[512]; /* what is wrong with it, or ""     */
};

/* -- one file ---------------------------------------------------------------------------------------------- */

static struct certfile *file_ref(struct certfile *f)
{
        atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
        return f;
}

static void file_unref(struct certfile *f)
{
        if (f == NULL || atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) > 1)
                return;
        sk_X509_pop_free(f->certs, X509_free);
        free(f->name);
        free(f);
}

/*
 * Version 1 has no word for what a certificate may do, so it cannot say that it is a CA's. Such a one, or a leaf, would as an
 * anchor vouch for itself.
 */
static bool all_cas(const STACK_OF(X509) * certs)
{
        for (int i = 0; i < sk_X509_num(certs); i++)
                if (X509_check_ca(sk_X509_value(certs, i)) != 1)
                        return false;
        return true;
}

/* What is in the file at @path. 0, -ENOMEM, or -EINVAL and *@why; @f->certs is then what counts in spite of it. */
static int file_load(struct certfile *f, const char *path, enum certdir_kind kind, const char **why)
{
        struct file file;

        if (file_read(path, &file, why) < 0)
                return -EINVAL;
        f->certs = pem_certs(file.data, file.len, why);
        file_clear(&file);
        if (f->certs == NULL)
                return -ENOMEM;
        if (kind == CERTDIR_ANCHORS && *why == NULL && !all_cas(f->certs))
                *why = "holds a certificate that is not a CA's";
        return *why == NULL ? 0 : -EINVAL;
}

/* A bad file of anchors counts for nothing, of revoked ones for what it holds; and for what it held before. */
static int file_keep_last(struct certfile *f, enum certdir_kind kind, const struct certfile *last)
{
        STACK_OF(X509) *own = f->certs;

        if (kind == CERTDIR_ANCHORS || own == NULL || sk_X509_num(own) == 0) {
                f->stale = last != NULL && last->certs != NULL;
                f->certs = f->stale ? X509_chain_up_ref(last->certs) : NULL;
                sk_X509_pop_free(own, X509_free);
                return f->stale && f->certs == NULL ? -ENOMEM : 0;
        }
        for (int i = 0; last != NULL && i < sk_X509_num(last->certs); i++)
                if (X509_add_cert(own, sk_X509_value(last->certs, i),
                                  X509_ADD_FLAG_UP_REF | X509_ADD_FLAG_NO_DUP) != 1)
                        return -ENOMEM;
        return 0;
}

static struct certfile *file_new(const char *name, const struct stamp *stamp)
{
        struct certfile *f = calloc(1, sizeof(*f));

        if (f == NULL)
                return NULL;
        atomic_init(&f->refs, 1);
        f->stamp = *stamp;
        f->name  = strdup(name);
        if (f->name == NULL) {
                file_unref(f);
                return NULL;
        }
        return f;
}

/* @last: the same file before, or NULL. It is itself returned when nothing has changed. */
static struct certfile *file_make(const char *path, const char *name, enum certdir_kind kind,
                                  struct certfile *last)
{
        struct stamp     stamp = file_stamp(path);
        struct certfile *f;
        const char      *why = "";
        int              r;

        if (last != NULL && last->why[0] == '\0' && stamp.settled && stamp_same(&stamp, &last->stamp))
                return file_ref(last);
        f = file_new(name, &stamp);
        if (f == NULL)
                return NULL;
        r = file_load(f, path, kind, &why);
        if (r == -EINVAL) {
                snprintf(f->why, sizeof(f->why), "%s %s", path, why);
                r = file_keep_last(f, kind, last);
        }
        if (r == 0)
                return f;
        file_unref(f);
        return NULL;
}

static bool certs_differ(const STACK_OF(X509) * a, const STACK_OF(X509) * b)
{
        int n = a == NULL ? 0 : sk_X509_num(a);

        if (n != (b == NULL ? 0 : sk_X509_num(b)))
                return true;
        for (int i = 0; i < n; i++)
                if (X509_cmp(sk_X509_value(a, i), sk_X509_value(b, i)) != 0)
                        return true;
        return false;
}

static bool file_differs(const struct certfile *a, const struct certfile *b)
{
        return a != b && (strcmp(a->name, b->name) != 0 || strcmp(a->why, b->why) != 0 ||
                          a->stale != b->stale || certs_differ(a->certs, b->certs));
}

static void tell_all(const struct teller *t, enum creds_note note, const char *what, const struct certfile *f)
{
        for (int i = 0; f->certs != NULL && i < sk_X509_num(f->certs); i++)
                tell_cert(t, note, what, sk_X509_value(f->certs, i));
}

/* A fault is told when it is new or the file is another, not each time that it is seen. */
static void tell_file(const struct teller *t, const char *folder, const struct certfile *f,
                      const struct certfile *last)
{
        char what[512];

        snprintf(what, sizeof(what), "%s/%s", folder, f->name);
        if (f->why[0] != '\0' &&
            (last == NULL || strcmp(f->why, last->why) != 0 || !stamp_same(&f->stamp, &last->stamp)))
                tell(t, CREDS_FAULT, what, f->why);
        if (f != last && (last == NULL || certs_differ(f->certs, last->certs)))
                tell_all(t, last == NULL ? CREDS_LOADED : CREDS_CHANGED, what, f);
}

/* -- the folder -------------------------------------------------------------------------------------------- */

static struct certfile *find(const struct certdir *d, const char *name)
{
        for (size_t i = 0; d != NULL && i < d->n; i++)
                if (strcmp(d->files[i]->name, name) == 0)
                        return d->files[i];
        return NULL;
}

static int add(struct certdir *d, const char *path, const char *what, const char *name,
               const struct certdir *last, const struct teller *t)
{
        char            *full;
        struct certfile *before = find(last, name), *f;

        if (asprintf(&full, "%s/%s", path, name) < 0)
                return -ENOMEM;
        f = file_make(full, name, d->kind, before);
        free(full);
        if (f == NULL)
                return -ENOMEM;
        tell_file(t, what, f, before);
        d->files[d->n++] = f;
        return 0;
}

static bool is_pem(const char *name)
{
        size_t len = strlen(name);

        return len > 4 && strcmp(name + len - 4, ".pem") == 0;
}

/* The names are freed. */
static int add_names(struct certdir *d, const char *path, const char *what, struct dirent **names, int n,
                     const struct certdir *last, const struct teller *t)
{
        int r = 0;

        d->files = calloc((size_t)n + 1, sizeof(struct certfile *));
        if (d->files == NULL)
                r = -ENOMEM;
        for (int i = 0; i < n; i++) {
                const char *name = names[i]->d_name;

                d->content = d->content || (strcmp(name, "server") != 0 && strcmp(name, "client") != 0);
                if (r == 0 && is_pem(name))
                        r = add(d, path, what, name, last, t);
                free(names[i]);
        }
        free(names);
        return r;
}

/* It is there, but what is in it is not known: what was there before counts. */
static int keep_last(struct certdir *d, const struct certdir *last)
{
        d->there = true;
        d->blind = last == NULL || !last->there || last->blind;
        if (d->blind)
                return 0;
        d->content = last->content;
        d->files   = calloc(last->n + 1, sizeof(struct certfile *));
        if (d->files == NULL)
                return -ENOMEM;
        for (size_t i = 0; i < last->n; i++)
                d->files[d->n++] = file_ref(last->files[i]);
        return 0;
}

static void tell_removed(const struct certdir *d, const char *folder, const struct certdir *last,
                         const struct teller *t)
{
        char what[512];

        for (size_t i = 0; last != NULL && i < last->n; i++) {
                if (find(d, last->files[i]->name) != NULL)
                        continue;
                snprintf(what, sizeof(what), "%s/%s", folder, last->files[i]->name);
                tell_all(t, CREDS_REMOVED, what, last->files[i]);
        }
}

static int read_folder(struct certdir *d, const char *path, const char *what, const struct certdir *last,
                       const struct teller *t)
{
        struct dirent **names;
        int             n = file_list(path, &names);

        if (n >= 0) {
                d->there = true;
                return add_names(d, path, what, names, n, last, t);
        }
        if (n == -ENOENT && !file_stamp(path).there)
                return 0;
        snprintf(d->why, sizeof(d->why), "%s cannot be listed: %s", path, strerrordesc_np(-n));
        if (last == NULL || strcmp(d->why, last->why) != 0)
                tell(t, CREDS_FAULT, what, d->why);
        return keep_last(d, last);
}

struct certdir *certdir_read(const char *path, const char *what, enum certdir_kind kind,
                             const struct certdir *last, const struct teller *t)
{
        struct certdir *d = calloc(1, sizeof(*d));

        if (d == NULL)
                return NULL;
        d->kind = kind;
        if (read_folder(d, path, what, last, t) < 0) {
                certdir_free(d);
                return NULL;
        }
        if (d->why[0] == '\0')
                tell_removed(d, what, last, t);
        return d;
}

void certdir_free(struct certdir *d)
{
        if (d == NULL)
                return;
        for (size_t i = 0; i < d->n; i++)
                file_unref(d->files[i]);
        free(d->files);
        free(d);
}

STACK_OF(X509) * certdir_certs(const struct certdir *d, size_t i)
{
        return d->files[i]->certs;
}

const char *certdir_why(const struct certdir *d, size_t i)
{
        return d->files[i]->why;
}

size_t certdir_count(const struct certdir *d)
{
        size_t n = 0;

        for (size_t i = 0; i < d->n; i++)
                n += d->files[i]->certs != NULL ? (size_t)sk_X509_num(d->files[i]->certs) : 0;
        return n;
}

bool certdir_differs(const struct certdir *a, const struct certdir *b)
{
        if (a->there != b->there || a->blind != b->blind || a->content != b->content || a->n != b->n ||
            strcmp(a->why, b->why) != 0)
                return true;
        for (size_t i = 0; i < a->n; i++)
                if (file_differs(a->files[i], b->files[i]))
                        return true;
        return false;
}
