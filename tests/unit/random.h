/* random.h - repeatable pseudo-random numbers for tests (SplitMix64). */
#ifndef UNIT_RANDOM_H
#define UNIT_RANDOM_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t random_next(uint64_t *state)
{
        uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        return z ^ z >> 31;
}

/* One of 0 to @n - 1. */
static inline uint64_t random_below(uint64_t *state, uint64_t n)
{
        return random_next(state) % n;
}

static inline void random_fill(uint64_t *state, void *buf, size_t len)
{
        uint8_t *p = buf;

        for (size_t i = 0; i < len; i++)
                p[i] = (uint8_t)random_next(state);
}

#endif
