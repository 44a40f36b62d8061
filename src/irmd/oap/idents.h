/* idents.h - the identities of one role: the folders in server/ or in client/, in the order of their names. */
#ifndef O7S_IRMD_OAP_IDENTS_H
#define O7S_IRMD_OAP_IDENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "oap/creds.h"
#include "oap/ident.h"
#include "oap/teller.h"

struct idents {
        struct ident **at;
        size_t         n;
        struct ident  *blind; /* stands for all that are not in the list, when it cannot be made; else NULL */
};

/*
 * Reads folder @path of @role into @ids, which is zeros; @last: the same before, or NULL. 0 or -ENOMEM; idents_clear()
 * is due either way.
 */
int  idents_read(struct idents *ids, const char *path, enum role role, const struct idents *last,
                 const struct teller *t);
void idents_clear(struct idents *ids);

/* The one with this name, or NULL. */
struct ident *idents_find(const struct idents *ids, const char *name);

/* Whether anything that is shown of them is not the same. */
bool idents_differ(const struct idents *a, const struct idents *b);

#endif
