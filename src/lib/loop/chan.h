/*
 * chan.h - a control connection on a daemon's libuv loop.
 *
 * Packets are handed up as they come; what cannot be sent at once is queued, up to a bound that a peer who does not read its answers cannot exceed: then the
 * connection is ended. Not thread safe: one loop, one thread.
 */
#ifndef O7S_LOOP_CHAN_H
#define O7S_LOOP_CHAN_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "ctl/ctl.h"

struct ProtobufCMessage;
struct chan; /* private to chan.c */

struct chan_ops {
        /*
         * One packet. Descriptors that the handler wants it takes (sets to -1); the rest are closed afterwards. @fault is 0, or why there is no frame: -EPROTO (bad header) or
         * -EMSGSIZE (too large). The handler may close the channel.
         */
        void (*packet)(void *ctx, int fault, const struct frame *f, const uint8_t *body, size_t len, int *fds, size_t n_fds);

        /* The peer has gone or does not read (-ENOBUFS). Called once, never from within chan_send() or chan_close(). The handler closes the channel. */
        void (*gone)(void *ctx, int err);
};

/* Takes over @sock, also on failure. NULL: out of memory. */
struct chan *chan_open(uv_loop_t *loop, int sock, const struct chan_ops *ops, void *ctx);

/* No callback comes after this. Takes NULL. */
void chan_close(struct chan *c);

/* Sends a protobuf message as one frame. @fds are borrowed (duplicated if it must be queued). Failure ends in gone(). */
void chan_send(struct chan *c, uint32_t id, uint8_t flags, const struct ProtobufCMessage *m, const int *fds, size_t n_fds);

/* Bytes queued. */
size_t chan_queued(const struct chan *c);

/*
 * Lets @max_bytes be queued instead of the default (1 MiB): for the answer to one list, which is as long as the list.
 */
void chan_allow(struct chan *c, size_t max_bytes);

#endif
