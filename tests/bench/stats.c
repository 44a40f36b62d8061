#include "stats.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define N_DRAWS 2000

static int ascending(const void *a, const void *b)
{
        double x = *(const double *)a;
        double y = *(const double *)b;

        return (x > y) - (x < y);
}

double stats_quantile(double *v, size_t n, double q)
{
        double at;
        size_t below;

        if (n == 0)
                return NAN;
        qsort(v, n, sizeof(*v), ascending);
        at    = q * (double)(n - 1);
        below = (size_t)at;
        if (below + 1 >= n)
                return v[n - 1];
        return v[below] + (at - (double)below) * (v[below + 1] - v[below]);
}

/* SplitMix64: small, and good enough to choose places. */
static uint64_t draw(uint64_t *state)
{
        uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        return z ^ z >> 31;
}

static double resampled_median(const double *v, size_t n, uint64_t *random)
{
        double sample[STATS_MAX];

        for (size_t i = 0; i < n; i++)
                sample[i] = v[draw(random) % n];
        return stats_quantile(sample, n, 0.5);
}

struct estimate stats_estimate(const double *v, size_t n)
{
        double          medians[N_DRAWS];
        double          sorted[STATS_MAX];
        uint64_t        random = 1;
        struct estimate e;

        assert(n > 0 && n <= STATS_MAX);
        memcpy(sorted, v, n * sizeof(*v));
        e.median = stats_quantile(sorted, n, 0.5);
        for (size_t i = 0; i < N_DRAWS; i++)
                medians[i] = resampled_median(v, n, &random);
        e.low  = stats_quantile(medians, N_DRAWS, 0.025);
        e.high = stats_quantile(medians, N_DRAWS, 0.975);
        return e;
}
