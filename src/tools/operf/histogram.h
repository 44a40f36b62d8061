/*
 * histogram.h - how long things took, to three significant digits, in a fixed amount of memory.
 *
 * Log-linear: times below 2048 ns have a slot each; above, every power of two is cut into 1024 slots of the
 * same width. So a slot is at most 1/1024 of the times in it wide, and what it stands for, its middle, at
 * most half of that off. Least, greatest and mean are exact.
 */
#ifndef O7S_TOOLS_OPERF_HISTOGRAM_H
#define O7S_TOOLS_OPERF_HISTOGRAM_H

#include <stdbool.h>
#include <stdint.h>

struct histogram {
        uint64_t *slots; /* how many in each      */
        uint64_t  n;
        int64_t   min_ns, max_ns;
        double    sum;
};

/* False: out of memory. */
bool histogram_init(struct histogram *h);
void histogram_done(struct histogram *h); /* takes zeros too */

/* Those below 0 count as 0. */
void histogram_add(struct histogram *h, int64_t ns);

/* The least time that @permille thousandths of all do not exceed. 0 while there is none. */
int64_t histogram_at(const struct histogram *h, unsigned int permille);

double histogram_mean(const struct histogram *h);

#endif
