/*
 * contest.h - the same work over three lanes in turn, so that a machine whose speed changes from second to
 * second changes it for all of them.
 *
 *     control  base  subject | subject  base  control | control  base  ...
 *
 * Base and control are the rival twice (AF_UNIX, or TLS), with peers and connections of their own; the subject is
 * Ouroboros. Each
 * base slice is next to a subject slice and to a control slice, and the order is mirrored every time, so a
 * drift cancels. What counts is the ratio of neighbours: subject to base is the finding, control to base is
 * what the same method finds where nothing is to be found.
 */
#ifndef BENCH_CONTEST_H
#define BENCH_CONTEST_H

#include <stdbool.h>
#include <stdint.h>

#include "options.h"
#include "peer.h"
#include "stats.h"
#include "transport.h"
#include "usage.h"

enum lane_id { LANE_CONTROL, LANE_BASE, LANE_SUBJECT, N_LANES };

struct lane {
        const struct transport *transport;
        struct peer             peer;
        int                     fd; /* connected to the peer, or -1 */
};

/* What one slice gave. */
struct slice {
        double   figure; /* in the contest's unit                                 */
        uint64_t ops;    /* operations done, for the cost of one                  */
        uint64_t failed; /* operations that came to nothing                       */

        /* How long single operations took, where that is the figure; of the contest, until its next slice. */
        const double *times;
        size_t        n_times;
};

struct contest {
        const char *bench; /* name of the measurement, for JSON                  */
        char        title[64];
        const char *unit;
        bool        smaller_wins; /* the figure is a time, not a rate            */
        const char *role;         /* of the peers                                */
        unsigned    n_threads;    /* of each peer                                */
        bool        connected;    /* lanes have a connection                     */
        bool        free_range;   /* with two cores, processes are not pinned    */
        bool (*slice)(struct lane *l, const struct options *o, struct slice *s); /* false: it said why */
};

/* Times of single operations, of all slices of a lane. */
struct times {
        double *v;
        size_t  n;
};

/* What the slices of all pairs gave. */
struct outcome {
        unsigned     n_pairs;
        bool         ran[N_LANES];
        double       figure[N_LANES][STATS_MAX];
        uint64_t     ops[N_LANES], failed[N_LANES];
        struct usage usage[N_LANES];
        struct times times[N_LANES]; /* empty where the contest has none */
};

/* Runs it and reports. 0, or 1 when something failed. */
int contest_run(const struct contest *c, const struct options *o);

/*
 * Opens a connection to the lane's peer, over which nothing was measured yet. It must be what @o asks for. Or a negative
 * code; then it has said why.
 */
int lane_connect(struct lane *l, const struct options *o);

/* Says on stderr that @what failed on the lane with @result; returns false. */
bool lane_failed(const struct lane *l, const char *what, int result);

#endif
