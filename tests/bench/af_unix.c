/*
 * af_unix.c - the yardstick: AF_UNIX SOCK_SEQPACKET, the local socket that keeps message boundaries like a flow.
 *
 * Abstract addresses: no file system on the way, nothing left over. A large send buffer: with the default one, a
 * sender of 16 KiB messages waits for room most of the time and gets half as many through.
 */
#include "transport.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG     128               /* as irmd's default for a name          */
#define SEND_BUFFER (2 * 1024 * 1024) /* the system may cut it to its wmem_max */

/* Opens a socket and applies @apply (bind or connect) to the abstract @address. */
static int open_at(const char *address, int (*apply)(int, const struct sockaddr *, socklen_t))
{
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        size_t             n = strnlen(address, sizeof(a.sun_path) - 1);
        int                fd, r;

        memcpy(a.sun_path + 1, address, n);
        fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        if (apply(fd, (const struct sockaddr *)&a,
                  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n)) == 0)
                return fd;
        r = -errno;
        close(fd);
        return r;
}

static int unix_listen(const char *address)
{
        int fd = open_at(address, bind);

        if (fd < 0)
                return fd;
        return listen(fd, BACKLOG) < 0 ? -errno : fd;
}

static int unix_accept(int listener)
{
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

        return fd < 0 ? -errno : fd;
}

/* An abstract address goes with its socket. */
static void unix_forget(const char *address)
{
        (void)address;
}

static int unix_connect(const char *address)
{
        return open_at(address, connect);
}

/* A connect() to a listener whose backlog has room is done when it returns. */
static int unix_finish(int fd)
{
        return fd;
}

static void unix_tune(int fd)
{
        int size = SEND_BUFFER;

        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

static ssize_t unix_send(int fd, const void *buf, size_t len)
{
        ssize_t n = send(fd, buf, len, MSG_NOSIGNAL);

        return n < 0 ? -errno : n;
}

static ssize_t unix_recv(int fd, void *buf, size_t len)
{
        ssize_t n = recv(fd, buf, len, 0);

        return n < 0 ? -errno : n;
}

static void unix_close(int fd)
{
        close(fd);
}

const struct transport transport_af_unix = {
        .name    = "af_unix",
        .listen  = unix_listen,
        .accept  = unix_accept,
        .forget  = unix_forget,
        .connect = unix_connect,
        .start   = unix_connect,
        .finish  = unix_finish,
        .started = POLLOUT,
        .tune    = unix_tune,
        .send    = unix_send,
        .recv    = unix_recv,
        .close   = unix_close,
};
