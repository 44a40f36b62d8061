/* rate.h - messages one way, as many as go through: from the first one sent until the receiver has counted
 * the last. */
#ifndef BENCH_RATE_H
#define BENCH_RATE_H

#include "options.h"

int rate_run(const struct options *o);

#endif
