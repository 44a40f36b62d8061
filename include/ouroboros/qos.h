/* qos.h - what an application asks of a flow. */
#ifndef OUROBOROS_QOS_H
#define OUROBOROS_QOS_H

#include <stdint.h>
#include <ouroboros/cdefs.h>

#define DEFAULT_PEER_TIMEOUT 120000 /* ms */

/*
 * A wish, granted or refused as a whole. in_order selects FRCT, loss == 0 with it retransmission; ber == 0
 * that damaged packets are dropped.
 */
typedef struct qos_spec {
        uint32_t delay;        /* ms, one way; UINT32_MAX: any             */
        uint64_t bandwidth;    /* bit/s, at least; 0: any                  */
        uint8_t  availability; /* class of 9s; 0: any                      */
        uint32_t loss;         /* packets lost, at most; 0: none, 1: any   */
        uint32_t ber;          /* bit errors: 0 none are delivered, 1 any  */
        uint8_t  in_order;     /* 1: in order, without duplicates          */
        uint32_t max_gap;      /* ms between packets; UINT32_MAX: any      */
        uint32_t timeout;      /* ms until a silent peer counts as gone; 0: never */
} qosspec_t;

static const qosspec_t qos_raw           = {UINT32_MAX, 0, 0, 1, 1, 0, UINT32_MAX, DEFAULT_PEER_TIMEOUT};
static const qosspec_t qos_raw_no_errors = {UINT32_MAX, 0, 0, 1, 0, 0, UINT32_MAX, DEFAULT_PEER_TIMEOUT};
static const qosspec_t qos_best_effort   = {UINT32_MAX, 0, 0, 1, 0, 1, UINT32_MAX, DEFAULT_PEER_TIMEOUT};
static const qosspec_t qos_video         = {100, UINT64_MAX, 3, 1, 0, 1, 100, DEFAULT_PEER_TIMEOUT};
static const qosspec_t qos_voice         = {50, 100000, 5, 1, 0, 1, 50, DEFAULT_PEER_TIMEOUT};
static const qosspec_t qos_data          = {1000, 0, 0, 0, 0, 1, 2000, DEFAULT_PEER_TIMEOUT};

#endif
