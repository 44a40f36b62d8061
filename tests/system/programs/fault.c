/* fault.c - the puppet's verbs for what ought not to hurt: fork, exec, and a process that writes over its
 * ports. */
#include "puppet.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* fork VERB ARGUMENT… , VERB ARGUMENT… : a child carries the verbs out in turn; "child" is an array of their
 * results. */
static void fork_child(const struct call *c, int out)
{
        char        line[4096], *save, *text;
        const char *sep = "";

        line[0] = '\0';
        for (int i = 0; i < c->argc; i++) {
                strncat(line, c->argv[i], sizeof(line) - strlen(line) - 2);
                strcat(line, " ");
        }
        for (char *verb = strtok_r(line, ",", &save); verb != NULL; verb = strtok_r(NULL, ",", &save)) {
                text = call_run(verb);
                dprintf(out, "%s{%s}", sep, text);
                sep = ", ";
                free(text);
        }
        exit(0); /* with the library's destructors, if it has any */
}

static void copy_from(int in, FILE *out)
{
        char    buf[4096];
        ssize_t n;

        while ((n = read(in, buf, sizeof(buf))) > 0)
                fwrite(buf, 1, (size_t)n, out);
}

static long do_fork(struct call *c)
{
        int   ends[2], status = -1;
        pid_t pid;

        if (pipe(ends) < 0)
                return -errno;
        pid = fork();
        if (pid == 0)
                fork_child(c, ends[1]);
        close(ends[1]);
        fprintf(c->more, ", \"child\": [");
        copy_from(ends[0], c->more);
        fprintf(c->more, "]");
        close(ends[0]);
        if (pid > 0)
                waitpid(pid, &status, 0);
        return status;
}

/* exec_fds: the descriptors that a program started with exec finds, as "fds". */
static long do_exec_fds(struct call *c)
{
        FILE       *list = popen("exec ls -1 /proc/self/fd", "r");
        char       *line = NULL;
        size_t      size = 0;
        const char *sep  = "";

        if (list == NULL)
                return -errno;
        fprintf(c->more, ", \"fds\": [");
        while (getline(&line, &size, list) > 0) {
                fprintf(c->more, "%s%d", sep, atoi(line));
                sep = ", ";
        }
        fprintf(c->more, "]");
        free(line);
        return pclose(list);
}

static int64_t now_ms(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

struct area {
        volatile uint8_t *p;
        size_t            len;
};

/* The shared memory of this process that may be written. */
static int areas_find(struct area *a, int max)
{
        FILE *maps = fopen("/proc/self/maps", "re");
        char  line[512];
        int   n = 0;

        while (maps != NULL && n < max && fgets(line, sizeof(line), maps) != NULL) {
                uintptr_t from, to;

                if (strstr(line, "memfd:") != NULL &&
                    sscanf(line, "%" SCNxPTR "-%" SCNxPTR " rw", &from, &to) == 2)
                        a[n++] = (struct area){(volatile uint8_t *)from, to - from};
        }
        if (maps != NULL)
                fclose(maps);
        return n;
}

/* One byte in four goes to the first page, where positions and words are: that is where it hurts. */
static void scribble_once(const struct area *a, uint64_t x)
{
        size_t place = (size_t)(x >> 16) % (x & 3 ? a->len : 4096);

        a->p[place] = (uint8_t)(x & 0x80 ? x >> 8 : x & 0x40 ? 0xff : 0);
}

/* scribble MS SEED: random bytes all over the shared memory. "areas": how many ports there were. */
static long do_scribble(struct call *c)
{
        struct area a[64];
        int         n     = areas_find(a, 64);
        int64_t     until = now_ms() + call_long(c, 0);
        uint64_t    x     = (uint64_t)call_long(c, 1) * 2 + 1;
        long        bytes = 0;

        fprintf(c->more, ", \"areas\": %d", n);
        while (n > 0 && now_ms() < until) {
                for (int i = 0; i < 4096; i++, bytes++) {
                        x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
                        scribble_once(&a[(x >> 60) % (unsigned)n], x >> 13);
                }
        }
        return bytes;
}

/* fill BYTE: every byte of the shared memory. */
static long do_fill(struct call *c)
{
        struct area a[64];
        int         n = areas_find(a, 64);

        for (int i = 0; i < n; i++)
                memset((void *)a[i].p, (int)call_long(c, 0), a[i].len);
        return n;
}

/* fill_pipes: fills every pipe of this process but its own two, as a hostile peer fills the other side's bell. */
static long do_fill_pipes(struct call *c)
{
        char        buf[4096] = {0};
        long        filled    = 0;
        struct stat st;

        (void)c;
        for (int fd = 3; fd < 1024; fd++) {
                if (fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode))
                        continue;
                while (write(fd, buf, sizeof(buf)) > 0)
                        filled++;
        }
        return filled;
}

const struct verb fault_verbs[] = {
        {"fork", 1, do_fork}, {"exec_fds", 0, do_exec_fds},     {"scribble", 2, do_scribble},
        {"fill", 1, do_fill}, {"fill_pipes", 0, do_fill_pipes}, {NULL, 0, NULL},
};
