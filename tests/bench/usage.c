#include "usage.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static int64_t timeval_ns(struct timeval tv)
{
        return tv.tv_sec * INT64_C(1000000000) + tv.tv_usec * INT64_C(1000);
}

struct usage usage_self(void)
{
        struct rusage r;

        getrusage(RUSAGE_SELF, &r);
        return (struct usage){timeval_ns(r.ru_utime) + timeval_ns(r.ru_stime), (uint64_t)r.ru_nvcsw};
}

/* The first number after the line's beginning @field and a colon in the file @path, or -1. */
static int64_t read_field(const char *path, const char *field)
{
        FILE   *f = fopen(path, "re");
        char    line[256];
        size_t  n     = strlen(field);
        int64_t value = -1;

        if (f == NULL)
                return -1;
        while (value < 0 && fgets(line, sizeof(line), f) != NULL) {
                if (strncmp(line, field, n) == 0 && line[n] == ':')
                        value = strtoll(line + n + 1, NULL, 10);
        }
        fclose(f);
        return value;
}

static int64_t run_time_ns(const char *path)
{
        FILE   *f = fopen(path, "re");
        int64_t v = 0;

        if (f == NULL)
                return 0;
        if (fscanf(f, "%" SCNd64, &v) != 1)
                v = 0;
        fclose(f);
        return v;
}

void usage_each_thread(pid_t pid, void (*fn)(pid_t pid, pid_t tid, void *arg), void *arg)
{
        char           path[64];
        struct dirent *e;
        DIR           *d;

        snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
        d = opendir(path);
        if (d == NULL)
                return;
        while ((e = readdir(d)) != NULL) {
                if (e->d_name[0] != '.')
                        fn(pid, (pid_t)atoi(e->d_name), arg);
        }
        closedir(d);
}

static void add_thread(pid_t pid, pid_t tid, void *arg)
{
        struct usage *u = arg;
        char          path[64];
        int64_t       switches;

        snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", (int)pid, (int)tid);
        u->cpu_ns += run_time_ns(path);
        snprintf(path, sizeof(path), "/proc/%d/task/%d/status", (int)pid, (int)tid);
        switches = read_field(path, "voluntary_ctxt_switches");
        u->sleeps += switches > 0 ? (uint64_t)switches : 0;
}

struct usage usage_of(pid_t pid)
{
        struct usage u = {0};

        usage_each_thread(pid, add_thread, &u);
        return u;
}

void usage_add(struct usage *a, struct usage b)
{
        a->cpu_ns += b.cpu_ns;
        a->sleeps += b.sleeps;
}

void usage_sub(struct usage *a, struct usage b)
{
        a->cpu_ns -= b.cpu_ns;
        a->sleeps -= b.sleeps;
}

int64_t usage_status(pid_t pid, const char *field)
{
        char path[64];

        snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
        return read_field(path, field);
}

int64_t usage_descriptors(pid_t pid)
{
        char    path[64];
        DIR    *d;
        int64_t n = 0;

        snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
        d = opendir(path);
        if (d == NULL)
                return -1;
        while (readdir(d) != NULL)
                n++;
        closedir(d);
        return n - 2; /* . and .. */
}
