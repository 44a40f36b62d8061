/*
 * secret.h - memory for keys: locked as far as the limit RLIMIT_MEMLOCK allows, left out of core dumps,
 * zeros in a forked child, and wiped when it is given back. Thread safe.
 */
#ifndef O7S_CRYPT_SECRET_H
#define O7S_CRYPT_SECRET_H

#include <stddef.h>

/*
 * For who gives secrets back in a handler of pthread_atfork(): to be called before that is registered, since in
 * a child the handlers run in this order. Otherwise the first secret_alloc() does it.
 */
void secret_prepare(void);

/* @n zeroed bytes, at most a page, aligned for any object. NULL: out of memory. */
void *secret_alloc(size_t n);

/* Wipes it and gives it back. Takes NULL. */
void secret_free(void *p);

/* Overwrites @n bytes wherever they are; the compiler cannot leave it out. */
void secret_wipe(void *p, size_t n);

#endif
