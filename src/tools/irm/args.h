/*
 * args.h - what a verb takes, as a table, and what the user gave it.
 *
 *     OPERAND KEYWORD VALUE KEYWORD ... [-- REST]
 *
 * Keywords may be shortened while they stay unambiguous. All that can be said about the words without the
 * daemon is said here, so that a verb sees only arguments that fit its form.
 */
#ifndef O7S_TOOLS_IRM_ARGS_H
#define O7S_TOOLS_IRM_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum {
        KEY_NEEDED = 1 << 0,
        KEY_ANY    = 1 << 1, /* one at least of all that have this is needed */
        KEY_REPEAT = 1 << 2,
        KEY_PID    = 1 << 3 /* the value is a process id                    */
};

/* A keyword, or the operand in front of them. */
struct key {
        const char  *name;  /* NULL: none; ends a table                                   */
        const char  *value; /* what follows: "N", or a choice "this|that"; NULL: nothing  */
        const char  *help;
        unsigned int opts;
};

struct form {
        struct key        operand;
        const struct key *keys; /* NULL: none */
        struct key        rest; /* what may come after "--"; its value: the keyword that this needs */
};

struct arg {
        const struct key *key;
        const char       *value; /* "" where none is taken */
};

struct args {
        const char *operand; /* or NULL */
        struct arg *given;
        size_t      n;
        char      **rest;
        size_t      n_rest;
        bool        json;
        char       *fault; /* what is wrong with the words, or NULL */
};

/*
 * Sorts @n @words, which must outlive @a, by @form. 0, -EINVAL with a fault, -ENOMEM. args_fini() is due in
 * any case.
 */
int args_parse(struct args *a, const struct form *form, char **words, size_t n);

void args_fini(struct args *a);

/* The value of a keyword, or NULL where it was not given. */
const char *args_get(const struct args *a, const char *key);

/* Each value of one that may be repeated: *@at is 0 at first. NULL: no more. */
const char *args_next(const struct args *a, const char *key, size_t *at);

/* The operand or the value of a keyword that is a process id. */
pid_t args_pid(const char *value);

#endif
