/*
 * names.h - the names that a shim knows: those that are registered here, and where others were found,
 * for a minute. Pure: no packet, no clock. A name is a hash of the length that all of one layer have.
 */
#ifndef O7S_IPCPD_SHIM_NAMES_H
#define O7S_IPCPD_SHIM_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "ipcpd/common/link_addr.h"

#define SHIM_PLACES   8u              /* addresses that one name is looked for at */
#define SHIM_KNOWN_NS (60 * NS_PER_S) /* how long a place is good for             */
#define SHIM_KNOWN    4096u           /* names whose places are kept              */

/* Who has a name, best first. */
struct shim_places {
        size_t           n;
        struct link_addr at[SHIM_PLACES];
};

struct shim_names; /* private to names.c */

/* NULL: out of memory. */
struct shim_names *shim_names_create(size_t hash_len);
void               shim_names_destroy(struct shim_names *ns); /* takes NULL */

/* -- here ------------------------------------------------------------------ */

int  shim_names_add(struct shim_names *ns, const uint8_t *hash);    /* 0, -EEXIST, -ENOMEM */
int  shim_names_remove(struct shim_names *ns, const uint8_t *hash); /* 0, -ENAME           */
bool shim_names_has(const struct shim_names *ns, const uint8_t *hash, size_t len);

/*
 * The directory has been asked, as @ask, to take @hash in, which was added; it answers later. If it refuses,
 * the name goes, unless it was removed meanwhile: who added it again has asked anew.
 */
void shim_names_expect(struct shim_names *ns, const uint8_t *hash, uint32_t ask);
void shim_names_published(struct shim_names *ns, uint32_t ask, int result);

/* -- elsewhere ------------------------------------------------------------- */

/* Replaces what was known of @hash. The oldest name gives way. */
void shim_names_learn(struct shim_names *ns, int64_t now_ns, const uint8_t *hash,
                      const struct shim_places *at);

/* Whether places are known; then they are in *@at. */
bool shim_names_recall(struct shim_names *ns, int64_t now_ns, const uint8_t *hash, struct shim_places *at);

/* It is not there any more. */
void shim_names_forget(struct shim_names *ns, const uint8_t *hash, const struct link_addr *addr);

#endif
