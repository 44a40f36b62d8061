/*
 * frct.h - packets of FRCT (doc/protocols/frct.md): header of what an application sends over a flow that is
 * in order.
 */
#ifndef O7S_WIRE_FRCT_H
#define O7S_WIRE_FRCT_H

#include "wire/cursor.h"

enum {
        FRCT_DATA  = 0x01,
        FRCT_FIRST = 0x02, /* of a message */
        FRCT_LAST  = 0x04,
        FRCT_FIN   = 0x08,
        FRCT_RUN   = 0x10,
        FRCT_ACK   = 0x20,
        FRCT_PROBE = 0x40,
        FRCT_FLAGS = 0x7f
};

#define FRCT_RANGES_MAX   32u
#define FRCT_HDR_DATA     12u /* of a packet with DATA alone                    */
#define FRCT_HDR_DATA_MAX 32u /* with RUN and ACK, without ranges               */
#define FRCT_HDR_ACK      24u /* of an acknowledgement alone; with RUN, 28      */
#define FRCT_RANGE_LEN    8u
#define FRCT_HDR_MAX      (FRCT_HDR_DATA_MAX + FRCT_RANGES_MAX * FRCT_RANGE_LEN)

/* Numbers from .. to - 1. */
struct frct_range {
        uint32_t from, to;
};

struct frct_hdr {
        uint8_t           flags;
        uint8_t           n_ranges;
        uint16_t          marks;
        uint32_t          stamp;
        uint32_t          seq;   /* DATA */
        uint32_t          first; /* RUN  */
        uint32_t          ack;   /* ACK, and the rest */
        uint32_t          edge;
        uint32_t          echo;
        uint32_t          delay;
        struct frct_range ranges[FRCT_RANGES_MAX];
};

/* Bytes of a header with these flags and ranges. */
static inline size_t frct_hdr_len(uint8_t flags, size_t n_ranges)
{
        size_t len = 8;

        if (flags & FRCT_DATA)
                len += 4;
        if (flags & FRCT_RUN)
                len += 4;
        if (flags & FRCT_ACK)
                len += 16 + n_ranges * FRCT_RANGE_LEN;
        return len;
}

/*
 * | flags 8 | ranges 8 | marks 16 | stamp 32 | [seq 32] | [first 32] | [ack 32 | edge 32 | echo 32 | delay 32
 * | (from 32 | to 32)* ] |
 */
static inline void frct_hdr_put(struct wr *w, const struct frct_hdr *h)
{
        wr_be(w, h->flags, 1);
        wr_be(w, h->n_ranges, 1);
        wr_be(w, h->marks, 2);
        wr_be(w, h->stamp, 4);
        if (h->flags & FRCT_DATA)
                wr_be(w, h->seq, 4);
        if (h->flags & FRCT_RUN)
                wr_be(w, h->first, 4);
        if (!(h->flags & FRCT_ACK))
                return;
        wr_be(w, h->ack, 4);
        wr_be(w, h->edge, 4);
        wr_be(w, h->echo, 4);
        wr_be(w, h->delay, 4);
        for (size_t i = 0; i < h->n_ranges; i++) {
                wr_be(w, h->ranges[i].from, 4);
                wr_be(w, h->ranges[i].to, 4);
        }
}

/* Whether flags and lengths go together; @payload: bytes behind the header. */
static inline bool frct_hdr_ok(const struct frct_hdr *h, size_t payload)
{
        bool data = h->flags & FRCT_DATA;
        bool fin  = h->flags & FRCT_FIN;

        if ((h->flags & ~FRCT_FLAGS) != 0 || !(h->flags & (FRCT_DATA | FRCT_ACK | FRCT_PROBE)))
                return false;
        if (!data && (h->flags & (FRCT_FIRST | FRCT_LAST | FRCT_FIN)))
                return false;
        if (h->flags & FRCT_RUN && !data && !(h->flags & FRCT_PROBE))
                return false;
        if (fin && (h->flags & (FRCT_FIRST | FRCT_LAST)))
                return false;
        if (!(h->flags & FRCT_ACK) && (h->n_ranges != 0 || h->marks != 0))
                return false;
        return h->n_ranges <= FRCT_RANGES_MAX && (data && !fin ? payload > 0 : payload == 0);
}

/* False: it is none. Else the payload begins at @r->p. What the flags leave out is 0. */
static inline bool frct_hdr_get(struct rd *r, struct frct_hdr *h)
{
        h->flags    = (uint8_t)rd_be(r, 1);
        h->n_ranges = (uint8_t)rd_be(r, 1);
        h->marks    = (uint16_t)rd_be(r, 2);
        h->stamp    = (uint32_t)rd_be(r, 4);
        h->seq      = h->flags & FRCT_DATA ? (uint32_t)rd_be(r, 4) : 0;
        h->first    = h->flags & FRCT_RUN ? (uint32_t)rd_be(r, 4) : 0;
        h->ack = h->edge = h->echo = h->delay = 0;
        if (h->flags & FRCT_ACK) {
                h->ack   = (uint32_t)rd_be(r, 4);
                h->edge  = (uint32_t)rd_be(r, 4);
                h->echo  = (uint32_t)rd_be(r, 4);
                h->delay = (uint32_t)rd_be(r, 4);
        }
        if (r->bad || h->n_ranges > FRCT_RANGES_MAX)
                return false;
        for (size_t i = 0; i < h->n_ranges && h->flags & FRCT_ACK; i++) {
                h->ranges[i].from = (uint32_t)rd_be(r, 4);
                h->ranges[i].to   = (uint32_t)rd_be(r, 4);
        }
        return !r->bad && frct_hdr_ok(h, (size_t)(r->end - r->p));
}

#endif
