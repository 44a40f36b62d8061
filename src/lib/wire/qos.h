/*
 * qos.h - a QoS specification as bytes, where both ends must have the same ones (OAP signs over them).
 *
 *     off size field                    off size field
 *       0   4  delay                     17   4  ber
 *       4   8  bandwidth                 21   1  in_order
 *      12   1  availability              22   4  max_gap
 *      13   4  loss                      26   4  timeout
 */
#ifndef O7S_WIRE_QOS_H
#define O7S_WIRE_QOS_H

#include <ouroboros/qos.h>

#include "wire/cursor.h"

#define QOS_WIRE 30u

static inline void qos_wire_put(const qosspec_t *qs, uint8_t out[QOS_WIRE])
{
        struct wr w = {.p = out, .end = out + QOS_WIRE};

        wr_be(&w, qs->delay, 4);
        wr_be(&w, qs->bandwidth, 8);
        wr_be(&w, qs->availability, 1);
        wr_be(&w, qs->loss, 4);
        wr_be(&w, qs->ber, 4);
        wr_be(&w, qs->in_order, 1);
        wr_be(&w, qs->max_gap, 4);
        wr_be(&w, qs->timeout, 4);
}

#endif
