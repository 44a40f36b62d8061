/*
 * stress.h - what the stress programs share: options, messages that can be checked, a partner process or
 * thread, and a watchdog.
 */
#ifndef SIM_STRESS_H
#define SIM_STRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stress {
        uint64_t seed;
        int64_t  end_ns; /* when to stop */
        bool     threads;
};

/*
 * Reads -t SECONDS, -s SEED, -T (a thread instead of a process); prints the seed. Ends the program if it
 * hangs for long after its time.
 */
struct stress stress_begin(int argc, char *argv[]);

/* Prints @what and the seed, and ends the program with failure. */
void stress_fail(const struct stress *s, const char *what) __attribute__((noreturn));

#define STRESS_CHECK(s, c)                  \
        do {                                \
                if (!(c))                   \
                        stress_fail(s, #c); \
        } while (0)

/* Runs @a here and @b in a thread or process of its own, until both have returned. */
void stress_both(const struct stress *s, void (*a)(void *), void (*b)(void *), void *arg);

/* Memory that both see. */
void *stress_shared(size_t size);

/*
 * Message @seq of the stream @key: its length, 1 to @max, mostly short; its bytes; whether these are its
 * bytes.
 */
size_t stress_len(uint64_t key, uint64_t seq, size_t max);
void   stress_fill(uint64_t key, uint64_t seq, void *buf, size_t len);
bool   stress_is(uint64_t key, uint64_t seq, const void *buf, size_t len);

/* Does nothing, or spins, or yields, or sleeps for a while: now and then. */
void stress_dawdle(uint64_t *random);

#endif
