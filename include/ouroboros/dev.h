/*
 * dev.h - flows: the whole network interface of an application.
 *
 *     int fd = flow_alloc("server_name", NULL, NULL);
 *     flow_write(fd, data, len);
 *     flow_read(fd, buf, sizeof(buf));
 *     flow_dealloc(fd);
 *
 * Every call may be made by any thread on any flow at any time. A negative return is the code
 * (<ouroboros/errno.h>), and errno holds a standard value that perror() can print. The library connects to
 * the IRM daemon at the first call that needs it; it never prints, never exits and installs no handler.
 * After fork() the child has no flows and starts afresh; all descriptors are close-on-exec.
 *
 * Timeouts: NULL waits without end (flow_alloc: until the daemon gives up, 20 s by default); {0, 0} does
 * not wait (-EAGAIN).
 *
 * A flow descriptor is a real one: poll, select and epoll report POLLIN when flow_read() would not block.
 * Only flow_* and fccntl() may be used on it otherwise, and flow_dealloc() instead of close(). A peer that
 * means ill can make it readable without a message: a program that must never block sets FLOWFRNOBLOCK, as
 * it would O_NONBLOCK on a socket.
 */
#ifndef OUROBOROS_DEV_H
#define OUROBOROS_DEV_H

#include <stddef.h>
#include <sys/types.h>
#include <time.h>
#include <ouroboros/cdefs.h>
#include <ouroboros/qos.h>

O7S_BEGIN_DECLS

/*
 * Allocates a flow to whoever accepts for the name @dst (1 to 255 bytes). @qs: what is wanted, NULL for
 * raw; what was granted is written back. Returns a flow descriptor, or: -EINVAL bad name or timeout, -ENAME
 * unknown name, -EIPCP no layer reaches it, -ENOTALLOC nobody accepts, -ETIMEDOUT, -EIRMD no daemon,
 * -EUSERS or -EMFILE a quota or the process's own limit is reached, -ENOMEM; for security: -EAUTH one side was
 * not authenticated or policy refuses it, -ECRYPT no way to encrypt that both sides allow, -ETIME the clocks
 * of the two hosts differ too much, -EBUSY the server has too many handshakes to do, try later. Why exactly is
 * in the log of the host that refused. Blocks.
 */
O7S_API int flow_alloc(const char *dst, qosspec_t *qs, const struct timespec *timeo);

/*
 * Waits for the next flow to any name this process is bound to. @qs, unless NULL, receives what the client
 * asked for. Returns a flow descriptor or -ETIMEDOUT, -EAGAIN (with a timeout of 0), -EIRMD, -EMFILE,
 * -ENOMEM. Blocks.
 */
O7S_API int flow_accept(qosspec_t *qs, const struct timespec *timeo);

/*
 * First data: what each side says with the allocation itself, without a further packet and before there is a
 * flow. At most FLOW_DATA_MAX bytes, which are one message.
 *
 * What the peer sent is put into `recv` and its length into `recv_len` if it fits there whole and may be read
 * already. Otherwise recv_len is 0, and it is what the first flow_read() gives; so it is for flow_alloc(),
 * flow_accept() and flow_alloc_finish(). Nothing is lost.
 *
 * A client's first data can be read on its way, as the request that it is part of; where the client signs, it
 * cannot be altered. At one host a signed request is taken only once, but whoever has seen it may send it to
 * each of the hosts that serve the name: what must happen only once does not belong there, unless the server's
 * enc.cfg says `first-data = confirmed`. Then it is given with the first flow_read() after the client has
 * proved to be there. A server's first data is encrypted when the flow is; flow_accept_data() gives it to
 * whoever is accepted next.
 */
#define FLOW_DATA_MAX (16 * 1024)

struct flow_data {
        const void *send;
        size_t      send_len;
        void       *recv;
        size_t      recv_size;
        size_t      recv_len; /* set by the call */
};

/*
 * flow_alloc() and flow_accept() with first data. @data may be NULL. As there, and -EMSGSIZE (send_len is too
 * large), -EINVAL (a buffer is NULL and its length is not 0).
 */
O7S_API int flow_alloc_data(const char *dst, qosspec_t *qs, const struct timespec *timeo,
                            struct flow_data *data);
O7S_API int flow_accept_data(qosspec_t *qs, const struct timespec *timeo, struct flow_data *data);

/*
 * Ends the flow and frees its descriptor. The peer reads what was written and then the end. Threads waiting
 * in flow_read() or flow_write() return -EBADF; one that has begun to poll() the descriptor goes on doing
 * so, as with any descriptor that is closed, until the peer ends as well. Returns 0 or -EBADF. Does not
 * block, but for a flow in order over a network: there it waits until what was written has arrived or the
 * flow is over, 120 s at most (FRCTFLINGER of fccntl(), set by default).
 */
O7S_API int flow_dealloc(int fd);

/*
 * Sends one message of @count bytes. Returns @count, or -EMSGSIZE (larger than the flow's maximum, see
 * FLOWGINFO), -EAGAIN (FLOWFWNOBLOCK and no room), -ETIMEDOUT (FLOWSSNDTIMEO), -EFLOWDOWN (the peer is
 * gone), -EPERM (read-only flow), -EBADF. With a count of 0: 0, and nothing is sent.
 */
O7S_API ssize_t flow_write(int fd, const void *buf, size_t count);

/*
 * Receives one message, or what an earlier, shorter read left of one. Returns the number of bytes, 0 when
 * the peer has ended the flow and everything was read, or -EAGAIN (FLOWFRNOBLOCK), -ETIMEDOUT
 * (FLOWSRCVTIMEO), -EMSGSIZE (FLOWFRNOPART and @count too small: the message is kept), -EFLOWDOWN (the flow
 * ended without the peer saying so: it died, or on an encrypted flow somebody else has ended it), -EFLOWPEER
 * (in order over a network: nothing was heard of the peer for qosspec_t.timeout, or it took nothing), -EPERM
 * (write-only flow), -EBADF, -ENOMEM. A @count of 0 returns 0 and takes nothing. Up to @count bytes of @buf
 * may be overwritten whatever is returned.
 */
O7S_API ssize_t flow_read(int fd, void *buf, size_t count);

/*
 * flow_alloc() in two steps, so that nothing has to block. flow_alloc_start() returns a descriptor at once;
 * it becomes readable when the outcome is known. flow_alloc_finish() then returns the same descriptor, now
 * a flow, or the error (the descriptor is closed then); before that, -EAGAIN. @qs may be NULL.
 * flow_dealloc() gives a started allocation up.
 */
O7S_API int flow_alloc_start(const char *dst, const qosspec_t *qs, const struct timespec *timeo);
O7S_API int flow_alloc_finish(int fd, qosspec_t *qs);

/*
 * A descriptor of this process that is readable while flow_accept() has a flow to give. It belongs to the
 * library: do not read or close it. It stays the same until fork or until the daemon is lost (then it reads
 * as ready, flow_accept() returns -EIRMD, and a new one must be asked for).
 */
O7S_API int flow_accept_fd(void);

O7S_END_DECLS

#endif
