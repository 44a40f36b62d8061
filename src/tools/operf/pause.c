#include "operf/pause.h"

#include <sys/prctl.h>
#include <time.h>

#define AWAKE_NS INT64_C(60000) /* a usual sleep is less too long */

void pause_prepare(void)
{
        prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul);
}

int64_t pause_until(int64_t due_ns)
{
        int64_t         now_ns = clock_now_ns();
        struct timespec ts     = clock_timespec(due_ns < now_ns + SLICE_NS ? due_ns : now_ns + SLICE_NS);

        if (due_ns <= now_ns)
                return now_ns;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
        return clock_now_ns();
}

int64_t pause_exactly_until(int64_t due_ns)
{
        int64_t now_ns = pause_until(due_ns - AWAKE_NS);

        while (now_ns >= due_ns - AWAKE_NS && now_ns < due_ns)
                now_ns = clock_now_ns();
        return now_ns;
}
