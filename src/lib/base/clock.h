/*
 * clock.h - time as this project keeps it: int64_t nanoseconds of the monotonic clock. Engines get it as an
 * argument; only what waits reads it here.
 */
#ifndef O7S_BASE_CLOCK_H
#define O7S_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)

/* A deadline that never comes. */
#define CLOCK_NEVER INT64_MAX

static inline int64_t clock_now_ns(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* The same, some milliseconds behind, for half the price. */
static inline int64_t clock_coarse_ns(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
        return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* Wall clock, since 1970 UTC: for what leaves this host. It may go back. */
static inline int64_t clock_wall_ns(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_REALTIME, &ts);
        return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static inline struct timespec clock_timespec(int64_t ns)
{
        struct timespec ts = {.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};

        return ts;
}

/* False for negative or unnormalised values. */
static inline bool clock_timespec_ok(const struct timespec *ts)
{
        return ts->tv_sec >= 0 && ts->tv_nsec >= 0 && ts->tv_nsec < NS_PER_S;
}

/* Length of @ts in ns, clipped to a hundred years; @ts must be ok. */
static inline int64_t clock_length_ns(const struct timespec *ts)
{
        const int64_t century = INT64_C(3155760000);

        return (ts->tv_sec > century ? century : ts->tv_sec) * NS_PER_S + ts->tv_nsec;
}

/* When @len_ns from @now_ns is over. */
static inline int64_t clock_after(int64_t now_ns, int64_t len_ns)
{
        return len_ns >= CLOCK_NEVER - now_ns ? CLOCK_NEVER : now_ns + len_ns;
}

#endif
