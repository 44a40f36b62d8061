/*
 * pingpong.h - a message there and back, in three regimes:
 *
 *     busy    one after the other, without a pause
 *     paced   the client pauses before each question, so that the server sleeps when it comes; the client
 *             waits for the answer straight away
 *     asleep  both pause before they send, so that both sleep when a message comes
 *
 * In the last one each message says when it was sent, and its receiver how long it was under way (both read
 * the same clock). The figure is the sum of the two ways, without the pauses and their jitter.
 */
#ifndef BENCH_PINGPONG_H
#define BENCH_PINGPONG_H

#include "options.h"

int pingpong_run(const struct options *o);

#endif
