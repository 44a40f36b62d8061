/*
 * bench_io.c - what the library's reading and writing cost, without a daemon: the port and bells of a flow
 * are handed over on an AF_UNIX connection and put into the library's table as irmd's answer would be. With
 * this in the place of flow.c, o7s_bench becomes bench_io:
 *
 *     bench_io pingpong --regime busy
 *     bench_io rate --size 1500
 */
#include "transport.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ouroboros/dev.h>

#include "ctl/ctl.h"
#include "shm/bell.h"
#include "shm/port.h"

#include "../unit/pair.h"

enum { FD_PORT, FD_OWN, FD_PEER, N_FDS };

static const char *path_of(const char *address)
{
        static char path[128];

        snprintf(path, sizeof(path), "/tmp/%s", address);
        return path;
}

static int pair_listen(const char *address)
{
        int fd = ctl_listen(path_of(address));

        if (fd >= 0)
                (void)fcntl(fd, F_SETFL, 0); /* accept() is to block */
        return fd;
}

static void pair_forget(const char *address)
{
        unlink(path_of(address));
}

/*
 * Puts the side of the port that @fds are for into the table, and waits until the other process has done so.
 */
static int join(int sock, const int *fds, unsigned side)
{
        int  r = pair_put(fds[FD_PORT], side, fds[FD_OWN], fds[FD_PEER], &(struct pair_side){0});
        char go;

        close(fds[FD_PORT]);
        if (write(sock, "", 1) < 0 || read(sock, &go, 1) != 1)
                r = -EPIPE;
        close(sock);
        return r;
}

static int pair_accept(int listener)
{
        static uint8_t body[FRAME_MAX];
        int            fds[CTL_FDS_MAX];
        size_t         n_fds;
        int            sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

        if (sock < 0)
                return -errno;
        if (ctl_recv(sock, body, fds, &n_fds, 0) <= 0 || n_fds != N_FDS)
                return -EPIPE;
        return join(sock, fds, 1);
}

static int pair_connect(const char *address)
{
        struct frame f = {.id = 1};
        struct bell  bell[2];
        int          memfd = port_create();
        int          sock  = ctl_connect(path_of(address));
        int          r;

        if (memfd < 0 || sock < 0 || bell_create(&bell[0]) < 0 || bell_create(&bell[1]) < 0)
                return -EMFILE;
        close(bell[0].keeper);
        close(bell[1].keeper);
        r = ctl_send(sock, &f, "", 1, (int[]){memfd, bell[1].own, bell[0].other}, N_FDS, 0);
        close(bell[1].own);
        close(bell[0].other);
        if (r < 0)
                return r;
        return join(sock, (int[]){memfd, bell[0].own, bell[1].other}, 0);
}

static int pair_start(const char *address)
{
        (void)address;
        return -ENOSYS;
}

static int pair_finish(int fd)
{
        return fd;
}

static void pair_tune(int fd)
{
        (void)fd;
}

static void pair_close(int fd)
{
        flow_dealloc(fd);
}

const struct transport transport_flow = {
        .name    = "ouroboros",
        .listen  = pair_listen,
        .accept  = pair_accept,
        .forget  = pair_forget,
        .connect = pair_connect,
        .start   = pair_start,
        .finish  = pair_finish,
        .tune    = pair_tune,
        .send    = flow_write,
        .recv    = flow_read,
        .close   = pair_close,
};
