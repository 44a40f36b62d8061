/* input.h - taking small decisions from a fuzzer's input: zeros when it is used up. */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct input {
        const uint8_t *p, *end;
};

static inline bool input_left(const struct input *in)
{
        return in->p < in->end;
}

static inline uint8_t input_byte(struct input *in)
{
        return in->p < in->end ? *in->p++ : 0;
}

/* @n bytes, at most 8, little-endian. */
static inline uint64_t input_le(struct input *in, size_t n)
{
        uint64_t v = 0;

        for (size_t i = 0; i < n; i++)
                v |= (uint64_t)input_byte(in) << 8 * i;
        return v;
}

/* What must hold in every build. */
#define MUST(c)                  \
        do {                     \
                if (!(c))        \
                        abort(); \
        } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
