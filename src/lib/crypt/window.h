/*
 * window.h - which of the newest 4096 records have been seen (RFC 6479). A ring of words of one bit each per
 * record; there is a word more than the window is wide, since the word of the newest counter is partly in the
 * future. A window of zeros has seen nothing.
 */
#ifndef O7S_CRYPT_WINDOW_H
#define O7S_CRYPT_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#define WINDOW       4096u
#define WINDOW_WORDS (WINDOW / 64 + 1)

struct window {
        uint64_t end; /* one past the highest counter seen */
        uint64_t seen[WINDOW_WORDS];
};

/* Neither seen nor too old to tell. */
static inline bool window_fresh(const struct window *w, uint32_t counter)
{
        if (counter >= w->end)
                return true;
        return (uint64_t)counter + WINDOW >= w->end &&
               !(w->seen[counter / 64 % WINDOW_WORDS] >> counter % 64 & 1);
}

/* Moves the end past @counter and clears the words that become new. */
static inline void window_advance(struct window *w, uint32_t counter)
{
        uint64_t first = w->end == 0 ? 0 : (w->end - 1) / 64 + 1;
        uint64_t last  = counter / 64;

        if (last + 1 - first > WINDOW_WORDS)
                first = last + 1 - WINDOW_WORDS;
        for (uint64_t word = first; word <= last; word++)
                w->seen[word % WINDOW_WORDS] = 0;
        w->end = (uint64_t)counter + 1;
}

/* @counter is fresh, and now has been seen. */
static inline void window_accept(struct window *w, uint32_t counter)
{
        if (counter >= w->end)
                window_advance(w, counter);
        w->seen[counter / 64 % WINDOW_WORDS] |= UINT64_C(1) << counter % 64;
}

#endif
