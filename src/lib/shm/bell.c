#include "shm/bell.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"

static int reopen(int fd)
{
        char path[32];
        int  r;

        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        r = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        return r < 0 ? -errno : r;
}

int bell_create(struct bell *b)
{
        int p[2];
        int r = 0;

        *b = BELL_NONE;
        if (pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0)
                return -errno;
        b->keeper = p[1];
        b->own    = reopen(p[0]);
        b->other  = reopen(p[0]);
        close(p[0]);
        if (b->own < 0 || b->other < 0) {
                r = b->own < 0 ? b->own : b->other;
                bell_close(b);
        }
        return r;
}

void bell_close(struct bell *b)
{
        fd_close(&b->own);
        fd_close(&b->other);
        fd_close(&b->keeper);
        *b = BELL_NONE;
}

void bell_ring(int end)
{
        (void)!write(end, "", 1);
}

bool bell_clear(int own)
{
        char junk[64];

        return read(own, junk, sizeof(junk)) > 0;
}
