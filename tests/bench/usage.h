/* usage.h - what work costs a process: processor time, and how often it went to sleep. */
#ifndef BENCH_USAGE_H
#define BENCH_USAGE_H

#include <stdint.h>
#include <sys/types.h>

struct usage {
        int64_t  cpu_ns;
        uint64_t sleeps; /* voluntary context switches */
};

/* Of the caller, with threads that have ended. */
struct usage usage_self(void);

/* Of the living threads of another process, by the scheduler's nanosecond account; zeros where it cannot be
 * read. */
struct usage usage_of(pid_t pid);

/* Adds @b to @a, or takes it away. */
void usage_add(struct usage *a, struct usage b);
void usage_sub(struct usage *a, struct usage b);

/* A number of /proc/PID/status ("VmRSS"), or -1. */
int64_t usage_status(pid_t pid, const char *field);

/* How many descriptors it has open, or -1. */
int64_t usage_descriptors(pid_t pid);

/* Calls @fn for every thread of @pid. */
void usage_each_thread(pid_t pid, void (*fn)(pid_t pid, pid_t tid, void *arg), void *arg);

#endif
