/* be.h - big-endian numbers of @n bytes, for the messages of tools. */
#ifndef O7S_TOOLS_BE_H
#define O7S_TOOLS_BE_H

#include <stddef.h>
#include <stdint.h>

/* Returns what follows. */
static inline uint8_t *be_put(uint8_t *p, uint64_t v, size_t n)
{
        while (n-- > 0)
                *p++ = (uint8_t)(v >> (8 * n));
        return p;
}

static inline uint64_t be_get(const uint8_t *p, size_t n)
{
        uint64_t v = 0;

        while (n-- > 0)
                v = v << 8 | *p++;
        return v;
}

#endif
