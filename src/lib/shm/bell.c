#include "shm/bell.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

/* @dir: of our descriptors, or -1. */
static int reopen(int dir, int fd, int flags)
{
        char path[32];
        int  r;

        snprintf(path, sizeof(path), dir < 0 ? "/proc/self/fd/%d" : "%d", fd);
        r = openat(dir < 0 ? AT_FDCWD : dir, path, flags | O_NONBLOCK | O_CLOEXEC);
        return r < 0 ? -errno : r;
}

int bell_create(struct bell *b)
{
        return bell_create_at(b, -1);
}

int bell_create_at(struct bell *b, int dir)
{
        int p[2];
        int r = 0;

        *b = BELL_NONE;
        if (pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0)
                return -errno;
        b->own    = p[0];
        b->keeper = p[1];
        b->other  = reopen(dir, p[0], O_RDWR);
        if (b->other < 0) {
                r = b->other;
                bell_close(b);
        }
        return r;
}

int bell_let_owner_ring(const struct bell *b)
{
        return fchmod(b->own, 0666) < 0 ? -errno : 0;
}

void bell_close(struct bell *b)
{
        fd_close(&b->own);
        fd_close(&b->other);
        fd_close(&b->keeper);
}

void bell_ring(int end)
{
        (void)!write(end, "", 1);
}

int bell_open_own(int own)
{
        return reopen(-1, own, O_WRONLY);
}

int bell_open_both(int own)
{
        return reopen(-1, own, O_RDWR);
}

void bell_ring_own(int own)
{
        int fd = bell_open_own(own);

        if (fd < 0)
                return;
        bell_ring(fd); /* no SIGPIPE: @own reads */
        close(fd);
}

int bell_clear(int own)
{
        char    junk[64];
        ssize_t n = read(own, junk, sizeof(junk));

        return n > 0 ? 1 : n == 0 ? -EPIPE : 0;
}
