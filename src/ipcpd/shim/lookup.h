/*
 * lookup.h - names that are being looked for. Who asks for a name that is looked for already waits with
 * the others. Up to two sources, the wire and a directory, answer; the first that found something counts.
 * Pure.
 */
#ifndef O7S_IPCPD_SHIM_LOOKUP_H
#define O7S_IPCPD_SHIM_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct shim_lookups; /* both private to lookup.c */
struct shim_lookup;

/* Who wants to know: a flow, or with @flow_id 0 the question @ask. It may be gone when the answer comes. */
struct shim_waiter {
        uint64_t flow_id;
        uint32_t ask;
};

/* NULL: out of memory. */
struct shim_lookups *shim_lookups_create(size_t hash_len);
void                 shim_lookups_destroy(struct shim_lookups *ls); /* with all that wait. Takes NULL */

/*
 * @who waits for @hash. The number of the look-up, which is not 0; *@begun: it is new, and the sources are to
 * be asked under it. Or 0: out of memory.
 */
uint32_t shim_lookup_join(struct shim_lookups *ls, const uint8_t *hash, struct shim_waiter who, bool *begun);

/* A source is asked. */
void shim_lookup_expect(struct shim_lookups *ls, uint32_t number);

/*
 * A source has answered, or none could be asked. The look-up if it is over now: one of them @found it, or
 * none is left to answer. It is the caller's to end. NULL: it goes on, or was over before.
 */
struct shim_lookup *shim_lookup_answer(struct shim_lookups *ls, uint32_t number, bool found);

const uint8_t *shim_lookup_hash(const struct shim_lookup *l);

/* Takes the next one who waited, first come first. False: there is none, and @l is gone. */
bool shim_lookup_end(struct shim_lookup *l, struct shim_waiter *who);

#endif
