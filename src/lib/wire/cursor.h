/*
 * cursor.h - reading and writing wire formats: big-endian integers and bytes at a cursor that remembers
 * failure. Check `bad` once, at the end; after a failure reads give zeros and writes do nothing.
 */
#ifndef O7S_WIRE_CURSOR_H
#define O7S_WIRE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rd {
        const uint8_t *p, *end;
        bool           bad;
};

struct wr {
        uint8_t *p, *end;
        bool     bad;
};

/* @n bytes, at most 8, as one integer. */
static inline uint64_t rd_be(struct rd *r, size_t n)
{
        uint64_t v = 0;

        if (r->bad || (size_t)(r->end - r->p) < n) {
                r->bad = true;
                return 0;
        }
        while (n-- > 0)
                v = v << 8 | *r->p++;
        return v;
}

static inline void wr_be(struct wr *w, uint64_t v, size_t n)
{
        if (w->bad || (size_t)(w->end - w->p) < n) {
                w->bad = true;
                return;
        }
        while (n-- > 0)
                *w->p++ = (uint8_t)(v >> (8 * n));
}

#endif
