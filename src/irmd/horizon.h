/*
 * horizon.h - the file <state-dir>/horizon: a wall clock time (ns since 1970) below which no signed request is accepted
 * any more, so that a request that was accepted before a restart is not accepted again (oap/replay.h).
 *
 * A daemon that has lost the file must refuse what could have been accepted before: everything up to a skew from now.
 * One that never ran with this state directory (there is no audit log either) has accepted nothing: there, the time of
 * its start is enough.
 */
#ifndef O7S_IRMD_HORIZON_H
#define O7S_IRMD_HORIZON_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Opens or makes it. Returns the descriptor, or -errno; *@kept_ns: the value that was kept, 0: none can be read.
 * *@first: there never was one.
 */
int horizon_open(const char *state_dir, int64_t *kept_ns, bool *first);

/* Keeps @ns: on the disk when this returns. Blocks. 0 or -errno. */
int horizon_keep(int fd, int64_t ns);

#endif
