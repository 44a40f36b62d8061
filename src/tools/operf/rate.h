/*
 * rate.h - how many messages a second: as people write it, and when each of them is due.
 *
 * A rate is a number of messages in 1000 s, so that slow ones are whole numbers too; 0 is "as fast as
 * possible".
 */
#ifndef O7S_TOOLS_OPERF_RATE_H
#define O7S_TOOLS_OPERF_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RATE_UNIT 1000
#define RATE_TOP  (UINT64_C(1000000000) * RATE_UNIT)

/* What stands on a command line: "5000", "2.5k", "1M" are messages a second; "10Mbit" is bits a second. */
struct rate {
        double per_s;
        bool   bits;
};

/* False: @s is no rate, and @r as before. */
bool rate_parse(const char *s, struct rate *r);

/* In messages of @size bytes, at least 1 and at most RATE_TOP. */
uint64_t rate_of(const struct rate *r, size_t size);

/* When message @i, from 0, is due, in ns after the first. @rate is not 0. */
int64_t rate_due_ns(uint64_t rate, uint64_t i);

#endif
