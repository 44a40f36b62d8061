/*
 * number.h - numbers of packets: 64 bits in here, the lower 32 on the wire (doc/protocols/frct.md,
 * "Numbers"). They begin high enough that nothing is ever below zero.
 */
#ifndef O7S_FRCT_NUMBER_H
#define O7S_FRCT_NUMBER_H

#include <stdint.h>

#define NUMBER_BASE (UINT64_C(1) << 32)

/* The number nearest to @near whose lower half is @low. */
static inline uint64_t number_near(uint64_t near, uint32_t low)
{
        return near + (uint64_t)(int64_t)(int32_t)(low - (uint32_t)near);
}

/* Numbers from .. to - 1. */
struct range {
        uint64_t from, to;
};

#endif
