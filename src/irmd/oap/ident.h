/*
 * ident.h - one identity as it is read: its pair of certificate and key, and its policy, taken over together or
 * not at all. Counted; unchanged ones are shared by snapshots. The root of the tree is one without a pair.
 */
#ifndef O7S_IRMD_OAP_IDENT_H
#define O7S_IRMD_OAP_IDENT_H

#include <stdbool.h>

#include "oap/creds.h"
#include "oap/teller.h"

struct ident;

enum ident_kind { IDENT_SERVER, IDENT_CLIENT, IDENT_ROOT };

/*
 * Reads folder @dir of the identity @name, called @what when something is told; @last is the same one before, or NULL.
 * NULL: out of memory.
 */
struct ident *ident_read(const char *dir, const char *name, const char *what, enum ident_kind kind,
                         struct ident *last, const struct teller *t);

/* One that may not be used, because of @why. */
struct ident *ident_faulty(const char *dir, const char *name, enum ident_kind kind, const char *why);

struct ident *ident_ref(struct ident *id);
void          ident_unref(struct ident *id); /* takes NULL */

/* Valid as long as the reference. */
const struct identity *ident_view(const struct ident *id);

/* Whether anything that creds.h shows of them is not the same. */
bool ident_differs(const struct ident *a, const struct ident *b);

/* Its certificate and policy in words, for the log. */
void ident_describe(const struct ident *id, char *out, size_t cap);

#endif
