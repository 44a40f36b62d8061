/*
 * vectors.h - known answers in JSON: our own in tests/vectors, and Wycheproof's, which are not in this tree:
 * they are looked for in $O7S_WYCHEPROOF, else beside the tree.
 */
#ifndef UNIT_VECTORS_H
#define UNIT_VECTORS_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

/* tests/vectors/@name; the test fails without it. To be given back with json_decref(). */
json_t *vectors_own(const char *name);

/* A file of Wycheproof's; without it the test says so and is skipped. Likewise. */
json_t *vectors_wycheproof(const char *name);

/* The string of @object under @key, and the bytes that it is in hexadecimal, at most @max; their number. */
const char *vectors_text(const json_t *object, const char *key);
size_t      vectors_bytes(const json_t *object, const char *key, uint8_t *out, size_t max);
int64_t     vectors_number(const json_t *object, const char *key);

#endif
