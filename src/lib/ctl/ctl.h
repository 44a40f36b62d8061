/*
 * ctl.h - one packet of the control plane over an AF_UNIX SEQPACKET socket, with descriptors.
 */
#ifndef O7S_CTL_CTL_H
#define O7S_CTL_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "wire/frame.h"

#define CTL_FDS_MAX 4u

/* Who is at the other end of a connection, as the kernel says. */
struct ctl_peer {
        pid_t pid;
        uid_t uid;
        gid_t gid;
        int   pidfd; /* readable when the process has ended; owned; -1: it has already */
};

/*
 * Connects to the socket at @path, which may be longer than a socket address. Returns the descriptor or
 * -errno. The socket is blocking and close-on-exec.
 */
int ctl_connect(const char *path);

/*
 * A listening socket at @path, mode 0666, that can be connected to from the moment it is visible. It replaces
 * a socket that nobody listens on any more. Returns the descriptor, non-blocking, or -EADDRINUSE (somebody
 * listens), -EEXIST (there is something else than a socket), -errno. When several processes do this for one
 * path at the same moment the last one has it: who must rule that out holds a lock.
 */
int ctl_listen(const char *path);

/* Fills in @peer. 0 or -errno. */
int ctl_peer(int sock, struct ctl_peer *peer);

/*
 * Sends one frame. @fds are borrowed, at most CTL_FDS_MAX. @flags are those of sendmsg(); MSG_NOSIGNAL is
 * added. 0, -EAGAIN, -EMSGSIZE (over FRAME_MAX), -EPIPE or -ECONNRESET (the peer has closed), -errno.
 */
int ctl_send(int sock, const struct frame *f, const void *body, size_t len, const int *fds, size_t n_fds,
             int flags);

/*
 * Receives one packet to @buf of FRAME_MAX bytes. Returns its length, 0 at the end of the connection (which
 * cannot be told from an empty packet; nobody sends those), or -EAGAIN, -EMSGSIZE (larger than that, or more
 * than CTL_FDS_MAX descriptors: dropped), -ECONNRESET, -errno. Descriptors are close-on-exec and the
 * caller's; on failure there are none. A packet comes without its descriptors when this process has too many
 * open.
 */
ssize_t ctl_recv(int sock, void *buf, int fds[CTL_FDS_MAX], size_t *n_fds, int flags);

#define CTL_BATCH 4u

/* A packet that is received: @len is what ctl_recv() returns. */
struct ctl_packet {
        uint8_t *buf; /* of FRAME_MAX bytes */
        ssize_t  len;
        size_t   n_fds;
        int      fds[CTL_FDS_MAX];
};

/*
 * Receives what is there, @n packets at most (CTL_BATCH), without waiting: that fewer came says that there are no
 * more, which one system call less has to find out. Returns how many, or -EAGAIN, -errno: none.
 */
int ctl_recv_batch(int sock, struct ctl_packet *p, size_t n);

#endif
