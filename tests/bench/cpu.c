#include "cpu.h"

#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "usage.h"

int cpu_choose(int cpus[2])
{
        cpu_set_t set;
        int       n = 0;

        if (sched_getaffinity(0, sizeof(set), &set) < 0)
                return 0;
        for (int i = CPU_SETSIZE - 1; i >= 0 && n < 2; i--) {
                if (CPU_ISSET(i, &set))
                        cpus[n++] = i;
        }
        return n;
}

static void pin_thread(pid_t pid, pid_t tid, void *arg)
{
        (void)pid;
        sched_setaffinity(tid, sizeof(cpu_set_t), arg);
}

void cpu_pin(pid_t pid, int cpu)
{
        long      n = sysconf(_SC_NPROCESSORS_CONF);
        cpu_set_t set;

        CPU_ZERO(&set);
        for (int i = 0; i < n && i < CPU_SETSIZE; i++) {
                if (cpu == CPU_ANY || cpu == i)
                        CPU_SET(i, &set);
        }
        usage_each_thread(pid, pin_thread, &set);
}
