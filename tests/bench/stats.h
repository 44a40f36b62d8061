/* stats.h - what a series of figures says: quantiles, and how sure its median is. */
#ifndef BENCH_STATS_H
#define BENCH_STATS_H

#include <stddef.h>

#define STATS_MAX 1024 /* figures that stats_estimate() takes */

/* A median and the interval that holds it with 95 %. */
struct estimate {
        double median, low, high;
};

/* The @q-quantile (0 to 1) of the @n figures @v, between two of them where need be; NAN when there are none.
 * Sorts @v. */
double stats_quantile(double *v, size_t n, double q);

/*
 * Median of 1 to STATS_MAX figures, and its interval by the percentile bootstrap: the spread of the medians
 * of many series drawn from @v with replacement. It assumes no distribution, which suits a machine whose
 * speed jumps. The draws are the same at every call, so equal figures give equal intervals.
 */
struct estimate stats_estimate(const double *v, size_t n);

#endif
