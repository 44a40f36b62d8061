/*
 * fuzz_frame.c - the header of control messages: what is accepted is written back as the same bytes, and a
 * prefix of it is not accepted.
 */
#include <string.h>

#include "wire/frame.h"

#include "input.h"

static bool get(const uint8_t *data, size_t size, struct frame *f, size_t *used)
{
        struct rd r  = {data, data + size, false};
        bool      ok = frame_get(&r, f);

        *used = (size_t)(r.p - data);
        MUST(*used <= size);
        MUST(!ok || !r.bad);
        return ok;
}

static void check_accepted(const uint8_t *data, const struct frame *f)
{
        uint8_t      again[FRAME_HDR];
        struct wr    w = {again, again + sizeof(again), false};
        struct frame prefix;
        size_t       used;

        MUST((f->flags & ~FRAME_MORE) == 0);
        frame_put(&w, f);
        MUST(!w.bad && w.p == w.end);
        MUST(memcmp(again, data, FRAME_HDR) == 0);
        for (size_t len = 0; len < FRAME_HDR; len++)
                MUST(!get(data, len, &prefix, &used));
}

/* Reads and writes of any width, one byte of input each. */
static void check_cursor(const uint8_t *data, size_t size)
{
        uint8_t        out[64];
        struct input   in = {data, data + size};
        struct rd      r  = {data, data + size, false};
        struct wr      w  = {out, out + sizeof(out), false};
        const uint8_t *rp;
        uint8_t       *wp;

        while (input_left(&in)) {
                size_t n = input_byte(&in) % 9;

                rp = r.p;
                wp = w.p;
                wr_be(&w, rd_be(&r, n), n);
                MUST(r.p == (r.bad ? rp : rp + n) && r.p <= r.end);
                MUST(w.p == (w.bad ? wp : wp + n) && w.p <= w.end);
        }
        if (!r.bad && !w.bad)
                MUST(memcmp(out, data, (size_t)(w.p - out)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct frame f;
        size_t       used;

        if (get(data, size, &f, &used)) {
                MUST(used == FRAME_HDR);
                check_accepted(data, &f);
        }
        check_cursor(data, size);
        return 0;
}
