/*
 * out.h - what irm prints: tables for people, JSON for programs, and why something was refused.
 *
 * A result is built once, as JSON; a table shows the same values.
 */
#ifndef O7S_TOOLS_IRM_OUT_H
#define O7S_TOOLS_IRM_OUT_H

#include <jansson.h>
#include <stdint.h>

#include "irm/args.h"

struct column {
        const char *head;                   /* NULL ends a table */
        const char *key;                    /* of the row's object */
        char *(*show)(const json_t *value); /* a string to free(); NULL: as it is */
};

/* For columns: how many a list has; milliseconds as "12.345s", "3m07s", "2h05m" or "9d04h". */
char *out_count(const json_t *list);
char *out_duration(const json_t *ms);

/* For columns: the members of a list with ", " between them. */
char *out_list(const json_t *list);

/* For columns: true and false as "yes" and "no"; seconds since 1970 as "2026-11-24 09:52Z", 0 as "-". */
char *out_yes(const json_t *flag);
char *out_date(const json_t *s);

/* Text that may come from another user, fit for JSON and for terminals. A new reference; NULL: out of memory.
 */
json_t *out_text(const char *s);

/* A list of strings of that kind. */
json_t *out_texts(char *const *s, size_t n);

/* Bytes as hexadecimal digits. */
json_t *out_hex(const uint8_t *bytes, size_t n);

/*
 * Print and consume an array of objects, one object, or what a command has done (only as JSON: people see
 * that nothing is wrong). They return how irm ends. NULL: it could not be built for lack of memory.
 */
int out_rows(const struct args *a, json_t *rows, const struct column *cols);
int out_object(const struct args *a, json_t *object, const struct column *cols);
int out_done(const struct args *a, json_t *what);

/*
 * Says on stderr that irm cannot do @what (a printf format: "create the name \"%s\""), and why: irmd's
 * reason, or the text of @code. Returns how irm ends.
 */
int out_refused(int code, const char *what, ...) __attribute__((format(printf, 2, 3)));

#endif
