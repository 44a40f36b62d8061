/*
 * futex.h - sleeping on a word of shared memory (futex(2)). Works between processes; a wake without a sleeper
 * costs one system call, so callers ask a flag first.
 */
#ifndef O7S_SHM_FUTEX_H
#define O7S_SHM_FUTEX_H

#include <stdatomic.h>
#include <stdint.h>

/*
 * Sleeps while *@word is @value, until woken or the monotonic time @deadline_ns (INT64_MAX: never). May
 * return early. Returns 0, -ETIMEDOUT, -EAGAIN (*@word was another value), -EINTR, or -EFAULT.
 */
int futex_wait(_Atomic uint32_t *word, uint32_t value, int64_t deadline_ns);

/* Wakes everybody who sleeps on @word. */
void futex_wake(_Atomic uint32_t *word);

#endif
