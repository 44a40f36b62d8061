/*
 * chan.h - a control connection on a daemon's libuv loop.
 *
 * Packets are handed up as they come; what cannot be sent at once is queued, up to a bound that only a peer
 * who does not read its answers exceeds: then the connection is ended. Not thread safe: one loop, one thread.
 */
#ifndef O7S_LOOP_CHAN_H
#define O7S_LOOP_CHAN_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "ctl/ctl.h"

/* What may be queued, unless chan_allow() says otherwise. */
#define CHAN_QUEUE_MAX (1024u * 1024u)

struct ProtobufCMessage;
struct chan; /* private to chan.c */

struct chan_ops {
        /*
         * One packet. Descriptors that the handler wants it takes (sets to -1); the rest are closed
         * afterwards. @fault is 0, or why there is no frame: -EPROTO (bad header) or -EMSGSIZE (too large, or
         * too many descriptors); then @f, @body and @fds are not set, and the channel goes on. The handler
         * may close the channel.
         */
        void (*packet)(void *ctx, int fault, const struct frame *f, const uint8_t *body, size_t len, int *fds,
                       size_t n_fds);

        /*
         * The connection is over: @err is 0 (the peer has closed it), -ENOBUFS (it does not read), -errno.
         * Called once, never from within chan_send() or chan_close(). The handler closes the channel.
         */
        void (*gone)(void *ctx, int err);
};

/* Takes over @sock, also on failure. NULL: out of memory, or @sock is not a connection. */
struct chan *chan_open(uv_loop_t *loop, int sock, const struct chan_ops *ops, void *ctx);

/*
 * Ends the connection; what is queued is dropped. No callback comes after this. The loop must turn once more
 * to free it. Takes NULL.
 */
void chan_close(struct chan *c);

/*
 * Sends a protobuf message as one frame. @fds are borrowed (duplicated if it must be queued). Failure ends in
 * gone(); after it, nothing is sent.
 */
void chan_send(struct chan *c, uint32_t id, uint8_t flags, const struct ProtobufCMessage *m, const int *fds,
               size_t n_fds);

/* Bytes queued, descriptors and book-keeping included. */
size_t chan_queued(const struct chan *c);

/* Lets @max_bytes be queued: for the answer to one list, which is as long as the list. */
void chan_allow(struct chan *c, size_t max_bytes);

#endif
