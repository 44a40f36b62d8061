/* bulk.c - the puppet's verbs that do one thing many times. */
#include "puppet.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <ouroboros/dev.h>

/* Message number @seq of a series: every byte depends on the number, its place and the seed. */
static void pattern_fill(uint8_t *buf, size_t len, uint64_t seq, uint64_t seed)
{
        uint64_t x = (seq + 1) * UINT64_C(0x9E3779B97F4A7C15) ^ seed;

        for (size_t i = 0; i < len; i++) {
                x      = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
                buf[i] = (uint8_t)(x >> 56);
        }
}

/* send FD COUNT SIZE SEED: blocks for room. Returns how many were sent, or the error of the first that was
 * not. */
static long do_send(struct call *c)
{
        long     count = call_long(c, 1), i;
        size_t   size  = (size_t)call_long(c, 2);
        uint8_t *buf   = malloc(size + 1);
        ssize_t  n     = 0;

        for (i = 0; i < count && n >= 0; i++) {
                pattern_fill(buf, size, (uint64_t)i, (uint64_t)call_long(c, 3));
                n = flow_write((int)call_long(c, 0), buf, size);
        }
        free(buf);
        return n < 0 ? n : i;
}

/* receive FD COUNT SIZE SEED: the other end of send. -EBADMSG when a message is not what it should be. */
static long do_receive(struct call *c)
{
        long     count = call_long(c, 1), i;
        size_t   size  = (size_t)call_long(c, 2);
        uint8_t *buf = malloc(size + 1), *want = malloc(size + 1);
        ssize_t  n = 1;

        for (i = 0; i < count && n > 0; i++) {
                n = flow_read((int)call_long(c, 0), buf, size + 1);
                pattern_fill(want, size, (uint64_t)i, (uint64_t)call_long(c, 3));
                if (n > 0 && ((size_t)n != size || memcmp(buf, want, size) != 0))
                        n = -EBADMSG;
        }
        free(buf);
        free(want);
        return n < 0 ? n : n == 0 ? i - 1 : i;
}

/* echo FD: until the end. Returns how many came. */
static long do_echo(struct call *c)
{
        int     fd    = (int)call_long(c, 0);
        char   *buf   = malloc(1 << 16);
        long    count = 0;
        ssize_t n;

        while ((n = flow_read(fd, buf, 1 << 16)) > 0 && flow_write(fd, buf, (size_t)n) == n)
                count++;
        free(buf);
        return count;
}

/* rounds FD COUNT: writes and waits for the same message to come back. */
static long do_rounds(struct call *c)
{
        long     count = call_long(c, 1), i;
        int      fd    = (int)call_long(c, 0);
        uint64_t back;
        ssize_t  n = 0;

        for (i = 0; i < count; i++) {
                uint64_t out = (uint64_t)i;

                if ((n = flow_write(fd, &out, sizeof(out))) < 0 ||
                    (n = flow_read(fd, &back, sizeof(back))) < 0)
                        return n;
                if (n != sizeof(back) || back != out)
                        return -EBADMSG;
        }
        return i;
}

/* cycle NAME COUNT: allocates and deallocates. */
static long do_cycle(struct call *c)
{
        long count = call_long(c, 1), i;

        for (i = 0; i < count; i++) {
                int fd = flow_alloc(c->argv[0], NULL, NULL);

                if (fd < 0)
                        return fd;
                flow_dealloc(fd);
        }
        return i;
}

/* knock NAME COUNT: allocates without success; how many were refused with the code of the first. */
static long do_knock(struct call *c)
{
        long count = call_long(c, 1), i;
        int  first = flow_alloc(c->argv[0], NULL, NULL);

        for (i = 1; i < count && first < 0; i++)
                if (flow_alloc(c->argv[0], NULL, NULL) != first)
                        break;
        fprintf(c->more, ", \"code\": %d", first);
        return first < 0 ? i : 0;
}

/* serve COUNT: accepts and deallocates. */
static long do_serve(struct call *c)
{
        long count = call_long(c, 0), i;

        for (i = 0; i < count; i++) {
                int fd = flow_accept(NULL, NULL);

                if (fd < 0)
                        return fd;
                flow_dealloc(fd);
        }
        return i;
}

/* hold NAME COUNT: allocates and keeps. Returns how many; "error" is why not more. */
static long do_hold(struct call *c)
{
        long count = call_long(c, 1), i;
        int  fd    = 0;

        for (i = 0; i < count; i++)
                if ((fd = flow_alloc(c->argv[0], NULL, NULL)) < 0)
                        break;
        fprintf(c->more, ", \"error\": %d", fd < 0 ? fd : 0);
        return i;
}

/* keep COUNT: accepts and keeps. */
static long do_keep(struct call *c)
{
        long count = call_long(c, 0), i;

        for (i = 0; i < count; i++) {
                int fd = flow_accept(NULL, NULL);

                if (fd < 0)
                        return fd;
        }
        return i;
}

static void *echo_thread(void *arg)
{
        int   fd  = (int)(intptr_t)arg;
        char *buf = malloc(1 << 16);

        for (ssize_t n; (n = flow_read(fd, buf, 1 << 16)) > 0;)
                if (flow_write(fd, buf, (size_t)n) != n)
                        break;
        flow_dealloc(fd);
        free(buf);
        return NULL;
}

/* echo_all: accepts for ever and echoes each flow in a thread. */
static long do_echo_all(struct call *c)
{
        pthread_t thread;
        int       fd;

        (void)c;
        while ((fd = flow_accept(NULL, NULL)) >= 0) {
                if (pthread_create(&thread, NULL, echo_thread, (void *)(intptr_t)fd) == 0)
                        pthread_detach(thread);
                else
                        flow_dealloc(fd);
        }
        return fd;
}

const struct verb bulk_verbs[] = {
        {"send", 4, do_send},   {"receive", 4, do_receive},
        {"echo", 1, do_echo},   {"rounds", 2, do_rounds},
        {"cycle", 2, do_cycle}, {"serve", 1, do_serve},
        {"knock", 2, do_knock}, {"hold", 2, do_hold},
        {"keep", 1, do_keep},   {"echo_all", 0, do_echo_all},
        {NULL, 0, NULL},
};
