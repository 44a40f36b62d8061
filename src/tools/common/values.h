/* values.h - values as they stand on command lines. False: it is none, and the result is as before. */
#ifndef O7S_TOOLS_VALUES_H
#define O7S_TOOLS_VALUES_H

#include <stdbool.h>
#include <stdint.h>

/* A decimal number from @min to @max. */
bool value_number(const char *s, uint64_t min, uint64_t max, uint64_t *value);

/* A length of time: "250" and "250ms", "1.5s", "20us", "100ns", "2m", "1h". At most ten years. */
bool value_time(const char *s, int64_t *ns);

#endif
