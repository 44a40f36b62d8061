/*
 * frame.h - the header in front of every message of the control plane.
 *
 *     off size field
 *      0   4  id     drawn by the asker, repeated in every reply; 0: no reply is wanted, or none asked for
 *      4   1  flags  bit 0 MORE: another reply with this id follows
 *      5   3  0
 *      8   n  body   protobuf: a request or a reply (src/lib/pb)
 *
 * One packet of the SEQPACKET socket is one frame. doc/protocols/control.md is the specification.
 */
#ifndef O7S_WIRE_FRAME_H
#define O7S_WIRE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/cursor.h"

#define FRAME_HDR  8u
#define FRAME_MAX  65536u /* header and body */
#define FRAME_MORE 0x01u

struct frame {
        uint32_t id;
        uint8_t  flags;
};

/* False: too short, unknown flags or reserved bits set. */
static inline bool frame_get(struct rd *r, struct frame *f)
{
        f->id    = (uint32_t)rd_be(r, 4);
        f->flags = (uint8_t)rd_be(r, 1);
        if (rd_be(r, 3) != 0)
                r->bad = true;
        return !r->bad && (f->flags & ~FRAME_MORE) == 0;
}

static inline void frame_put(struct wr *w, const struct frame *f)
{
        wr_be(w, f->id, 4);
        wr_be(w, f->flags, 1);
        wr_be(w, 0, 3);
}

#endif
