/* str.h - strings that come from outside. */
#ifndef O7S_BASE_STR_H
#define O7S_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>

/* Copies @src to @dst of @cap bytes, always terminated. False, and an empty @dst, when it does not fit. */
bool str_copy(char *dst, size_t cap, const char *src);

/*
 * Why @s cannot be the name of a service, layer or IPCP ("is empty", "holds a '/'", …), or NULL when it can:
 * 1 to 255 bytes of UTF-8 without control characters, '/', or "..", and no '.' in front (names become names
 * of files).
 */
const char *str_name_fault(const char *s);

/*
 * Bytes of the character at @s, which is not the terminator: 0 when it is a control character (C0, DEL, C1)
 * or not well-formed UTF-8 (RFC 3629).
 */
size_t str_char(const char *s);

/* Whether @s is well-formed UTF-8 (RFC 3629) without control characters. */
bool str_text_ok(const char *s);

/* Whether the decimal number @s, all of it, lies in [0, @max]; then *@value is it. */
bool str_number(const char *s, unsigned long long max, unsigned long long *value);

#endif
