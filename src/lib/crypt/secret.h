/*
 * secret.h - memory for keys: locked as far as the limit RLIMIT_MEMLOCK allows, left out of core dumps,
 * zeros in a forked child, and wiped when it is given back. Thread safe.
 */
#ifndef O7S_CRYPT_SECRET_H
#define O7S_CRYPT_SECRET_H

#include <stddef.h>

/* @n zeroed bytes, at most a page, aligned for any object. NULL: out of memory. */
void *secret_alloc(size_t n);

/* Wipes it and gives it back. Takes NULL. */
void secret_free(void *p);

/* Overwrites @n bytes wherever they are; the compiler cannot leave it out. */
void secret_wipe(void *p, size_t n);

#endif
