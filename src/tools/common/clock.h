/* clock.h - the monotonic clock for programs that use nothing but the public headers. */
#ifndef O7S_TOOLS_CLOCK_H
#define O7S_TOOLS_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)

static inline int64_t clock_now_ns(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* A length of time, 0 when it is negative. */
static inline struct timespec clock_timespec(int64_t ns)
{
        struct timespec ts = {0, 0};

        if (ns > 0) {
                ts.tv_sec  = ns / NS_PER_S;
                ts.tv_nsec = ns % NS_PER_S;
        }
        return ts;
}

#endif
