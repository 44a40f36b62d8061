/*
 * puppet.h - an application that does what it is told, one line at a time.
 *
 *     stdin   ID VERB ARGUMENT...
 *     stdout  {"id": ID, "r": result of the call, "errno": errno after it, ...}
 *
 * Every line is carried out by a thread of its own, so a call that blocks holds nothing up, replies come in
 * the order in which calls end, and flows are used by changing threads, as the library allows.
 * tests/system/puppet.py is the other side.
 */
#ifndef TESTS_PUPPET_H
#define TESTS_PUPPET_H

#include <stdio.h>
#include <time.h>

#define ARGS_MAX 16

struct call {
        char *argv[ARGS_MAX + 1]; /* the verb's arguments, then NULL */
        int   argc;
        FILE *more; /* further members of the reply: `, "name": value` */
};

struct verb {
        const char *name;
        int         argc_min;
        long (*fn)(struct call *c);
};

/* Each ends with an entry without a name. */
extern const struct verb flow_verbs[];
extern const struct verb set_verbs[];
extern const struct verb bulk_verbs[];
extern const struct verb fault_verbs[];

/* Carries out "VERB ARGUMENT..." (which is cut up) and leaves `"r": …, "errno": …, …` in a string that the
 * caller frees. */
char *call_run(char *line);

long call_long(const struct call *c, int i);

/* Argument @i as a timeout: "none" is NULL, "bad" no valid time, else milliseconds. */
const struct timespec *call_time(const struct call *c, int i, struct timespec *ts);

void call_put_hex(struct call *c, const void *buf, size_t len);

#endif
