#include "shm/futex.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

int futex_wait(_Atomic uint32_t *word, uint32_t value, int64_t deadline_ns)
{
        struct timespec ts = clock_timespec(deadline_ns);

        /* WAIT_BITSET takes an absolute time of the monotonic clock, WAIT a relative one. */
        if (syscall(SYS_futex, word, FUTEX_WAIT_BITSET, value, deadline_ns == CLOCK_NEVER ? NULL : &ts, NULL,
                    FUTEX_BITSET_MATCH_ANY) == 0)
                return 0;
        return -errno;
}

void futex_wake(_Atomic uint32_t *word)
{
        syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}
