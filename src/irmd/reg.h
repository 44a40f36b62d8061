/*
 * reg.h - in which layers a name is reachable.
 *
 * Names travel to an IPCP as hashes; a registration remembers which name a hash stands for there.
 */
#ifndef O7S_IRMD_REG_H
#define O7S_IRMD_REG_H

#include <uthash.h>

#include "crypt/hash.h"
#include "ipcp.h"
#include "name.h"

struct mgmt;

struct reg {
        LIST_ENTRY(reg) by_name;
        struct ipcp   *ipcp;
        struct name   *name;
        size_t         len;
        uint8_t        digest[HASH_MAX];
        UT_hash_handle hh; /* of the IPCP, by digest */
};

/* The registration of @n in @i, or NULL. */
struct reg *reg_find(const struct ipcp *i, const struct name *n);

/* Registers, and answers @who. */
void reg_create(struct ipcp *i, struct name *n, struct mgmt *who);

/* Unregisters, without waiting for the IPCP. */
void reg_drop(struct reg *r);

/* The IPCP has gone. */
void reg_free(struct reg *r);

#endif
