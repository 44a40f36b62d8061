/*
 * share.h - irmd's own share of an authenticated flow: its processor time less what the public-key operations take,
 * by the clock of pubkey_clock.so within it. Both ends of the flow are of the same daemon, so it is the share of both.
 */
#ifndef BENCH_SHARE_H
#define BENCH_SHARE_H

#include "options.h"

int share_run(const struct options *o);

#endif
