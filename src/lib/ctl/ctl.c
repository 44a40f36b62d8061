#include "ctl/ctl.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif

/* Room for the descriptors of one packet, aligned as the kernel wants it. */
union ctl_room {
        struct cmsghdr align;
        uint8_t        mem[CMSG_SPACE(CTL_FDS_MAX * sizeof(int))];
};

/*
 * The address of @path. One that does not fit into an address is reached through its directory: then *@dir is
 * open, else -1, and closed by the caller after use.
 */
static int address(struct sockaddr_un *sun, const char *path, int *dir)
{
        const char *slash = strrchr(path, '/');
        char        parent[PATH_MAX];
        int         n;

        *dir = -1;
        *sun = (struct sockaddr_un){.sun_family = AF_UNIX};
        if (path[0] == '\0')
                return -ENOENT;
        if (strlen(path) < sizeof(sun->sun_path)) {
                memcpy(sun->sun_path, path, strlen(path));
                return 0;
        }
        if (slash == NULL || (size_t)(slash - path) >= sizeof(parent))
                return -ENAMETOOLONG;
        memcpy(parent, path, (size_t)(slash - path));
        parent[slash - path] = '\0';
        *dir                 = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (*dir < 0)
                return -errno;
        n = snprintf(sun->sun_path, sizeof(sun->sun_path), "/proc/self/fd/%d%s", *dir, slash);
        if (n < 0 || (size_t)n >= sizeof(sun->sun_path)) {
                fd_close(dir);
                return -ENAMETOOLONG;
        }
        return 0;
}

/* Applies @fn, connect() or bind(), to a new socket. */
static int open_at(const char *path, int (*fn)(int, const struct sockaddr *, socklen_t), int flags)
{
        struct sockaddr_un sun;
        int                dir;
        int                sock;
        int                r = address(&sun, path, &dir);

        if (r < 0)
                return r;
        sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0);
        if (sock < 0)
                r = -errno;
        while (sock >= 0 && (r = fn(sock, (const struct sockaddr *)&sun, sizeof(sun))) < 0) {
                r = -errno;
                if (r != -EINTR)
                        fd_close(&sock);
        }
        fd_close(&dir);
        return r < 0 ? r : sock;
}

int ctl_connect(const char *path)
{
        return open_at(path, connect, 0);
}

/* Whether a socket can be put at @path: nothing is there, or a socket that nobody listens on. */
static int vacant(const char *path)
{
        struct stat st;
        int         sock;

        if (lstat(path, &st) < 0)
                return errno == ENOENT ? 0 : -errno;
        if (!S_ISSOCK(st.st_mode))
                return -EEXIST;
        sock = open_at(path, connect, SOCK_NONBLOCK);
        if (sock == -ECONNREFUSED || sock == -ENOENT)
                return 0;
        fd_close(&sock);
        return -EADDRINUSE;
}

/* Listens at @tmp and moves that to @path. */
static int listen_via(const char *tmp, const char *path)
{
        int sock;
        int r = 0;

        if (unlink(tmp) < 0 && errno != ENOENT)
                return -errno;
        sock = open_at(tmp, bind, SOCK_NONBLOCK);
        if (sock < 0)
                return sock;
        if (chmod(tmp, 0666) < 0 || listen(sock, SOMAXCONN) < 0 || rename(tmp, path) < 0)
                r = -errno;
        if (r < 0) {
                fd_close(&sock);
                unlink(tmp);
        }
        return r < 0 ? r : sock;
}

int ctl_listen(const char *path)
{
        char *tmp;
        int   r = vacant(path);

        if (r < 0)
                return r;
        if (asprintf(&tmp, "%s.%d", path, (int)getpid()) < 0)
                return -ENOMEM;
        r = listen_via(tmp, path);
        free(tmp);
        return r;
}

/*
 * Opens *@fd for the process at the other end; it stays -1 when that has ended. Kernels before 6.5 can only
 * be asked for whoever has the number now; they are asked right after the connection was made.
 */
static int open_pidfd(int sock, pid_t pid, int *fd)
{
        socklen_t len = sizeof(*fd);

        if (getsockopt(sock, SOL_SOCKET, SO_PEERPIDFD, fd, &len) == 0)
                return 0;
        *fd = errno == ENOPROTOOPT ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
        if (*fd < 0 && errno != ESRCH && errno != ENODATA && errno != EINVAL)
                return -errno;
        return 0;
}

int ctl_peer(int sock, struct ctl_peer *peer)
{
        struct ucred cred;
        socklen_t    len   = sizeof(cred);
        int          pidfd = -1;
        int          r;

        if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
                return -errno;
        r = open_pidfd(sock, cred.pid, &pidfd);
        if (r < 0)
                return r;
        *peer = (struct ctl_peer){.pid = cred.pid, .uid = cred.uid, .gid = cred.gid, .pidfd = pidfd};
        return 0;
}

static void put_fds(struct msghdr *msg, union ctl_room *room, const int *fds, size_t n_fds)
{
        struct cmsghdr *c;

        assert(n_fds <= CTL_FDS_MAX);
        msg->msg_control    = room->mem;
        msg->msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
        c                   = CMSG_FIRSTHDR(msg);
        c->cmsg_level       = SOL_SOCKET;
        c->cmsg_type        = SCM_RIGHTS;
        c->cmsg_len         = CMSG_LEN(n_fds * sizeof(int));
        memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
}

int ctl_send(int sock, const struct frame *f, const void *body, size_t len, const int *fds, size_t n_fds,
             int flags)
{
        uint8_t        hdr[FRAME_HDR];
        struct wr      w      = {.p = hdr, .end = hdr + sizeof(hdr)};
        struct iovec   iov[2] = {{hdr, sizeof(hdr)}, {(void *)body, len}};
        struct msghdr  msg    = {.msg_iov = iov, .msg_iovlen = 2};
        union ctl_room room;
        ssize_t        n;

        if (len > FRAME_MAX - FRAME_HDR)
                return -EMSGSIZE;
        frame_put(&w, f);
        if (n_fds > 0)
                put_fds(&msg, &room, fds, n_fds);
        do
                n = sendmsg(sock, &msg, flags | MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
        return n < 0 ? -errno : 0;
}

/* Takes the descriptors out of @msg. There is room for CTL_FDS_MAX, so there are never more. */
static size_t get_fds(struct msghdr *msg, int *fds)
{
        size_t n = 0;

        for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
                size_t len = c->cmsg_len - CMSG_LEN(0);

                if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
                        continue;
                memcpy(&fds[n], CMSG_DATA(c), len);
                n += len / sizeof(int);
        }
        return n;
}

/* What ctl_recv() returns for the packet of @n bytes in @msg. */
static ssize_t taken(struct msghdr *msg, ssize_t n, int fds[CTL_FDS_MAX], size_t *n_fds)
{
        bool too_many;

        *n_fds = get_fds(msg, fds);
        if ((msg->msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0)
                return n;
        /* Control data is cut where there is no room: here, or in the table of this process. */
        too_many = (msg->msg_flags & MSG_CTRUNC) != 0 && *n_fds == CTL_FDS_MAX;
        fd_close_all(fds, *n_fds);
        *n_fds = 0;
        return too_many || (msg->msg_flags & MSG_TRUNC) != 0 ? -EMSGSIZE : n;
}

static void make_room(struct msghdr *msg, struct iovec *iov, union ctl_room *room, void *buf)
{
        *iov = (struct iovec){buf, FRAME_MAX};
        *msg = (struct msghdr){.msg_iov        = iov,
                               .msg_iovlen     = 1,
                               .msg_control    = room->mem,
                               .msg_controllen = sizeof(room->mem)};
}

ssize_t ctl_recv(int sock, void *buf, int fds[CTL_FDS_MAX], size_t *n_fds, int flags)
{
        union ctl_room room;
        struct iovec   iov;
        struct msghdr  msg;
        ssize_t        n;

        *n_fds = 0;
        make_room(&msg, &iov, &room, buf);
        do
                n = recvmsg(sock, &msg, flags | MSG_CMSG_CLOEXEC);
        while (n < 0 && errno == EINTR);
        return n < 0 ? -errno : taken(&msg, n, fds, n_fds);
}

int ctl_recv_batch(int sock, struct ctl_packet *p, size_t n)
{
        union ctl_room room[CTL_BATCH];
        struct iovec   iov[CTL_BATCH];
        struct mmsghdr msg[CTL_BATCH];
        int            r;

        assert(n <= CTL_BATCH);
        for (size_t i = 0; i < n; i++)
                make_room(&msg[i].msg_hdr, &iov[i], &room[i], p[i].buf);
        do
                r = recvmmsg(sock, msg, (unsigned)n, MSG_DONTWAIT | MSG_CMSG_CLOEXEC, NULL);
        while (r < 0 && errno == EINTR);
        if (r < 0)
                return -errno;
        for (int i = 0; i < r; i++)
                p[i].len = taken(&msg[i].msg_hdr, (ssize_t)msg[i].msg_len, p[i].fds, &p[i].n_fds);
        return r;
}
