/* cpu.h - which processor runs what. */
#ifndef BENCH_CPU_H
#define BENCH_CPU_H

#include <sys/types.h>

#define CPU_ANY (-1)

/*
 * Chooses the processors to measure on, the last two that the caller may use (the first one serves most
 * interrupts), and returns how many there are (0, 1 or 2). To be called before anything is pinned.
 */
int cpu_choose(int cpus[2]);

/* Confines all threads of @pid to @cpu; CPU_ANY sets them free. Threads born later inherit it. */
void cpu_pin(pid_t pid, int cpu);

#endif
