/* pause.h - waiting for a time. */
#ifndef O7S_TOOLS_OPERF_PAUSE_H
#define O7S_TOOLS_OPERF_PAUSE_H

#include <stdint.h>

#include "common/clock.h"

/* The longest that anything waits before it looks whether it should stop. */
#define SLICE_NS (100 * NS_PER_MS)

/* Has the calling thread, and those that it starts, sleep no longer than asked for. */
void pause_prepare(void);

/* Sleeps until @due_ns or for a slice, whichever is shorter. Returns the time. */
int64_t pause_until(int64_t due_ns);

/* The same, and on time: the last bit is waited for awake, so that no late waking is taken for latency. */
int64_t pause_exactly_until(int64_t due_ns);

#endif
