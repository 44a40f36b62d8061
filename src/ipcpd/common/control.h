/*
 * control.h - what irmd and an IPCP say to each other (ipcp.proto): messages are decoded, checked, and given
 * to the layer; what the layer says is encoded. Owns the layer and the state of its life. No socket: packets
 * come in as bytes and go out through a callback.
 */
#ifndef O7S_IPCPD_COMMON_CONTROL_H
#define O7S_IPCPD_COMMON_CONTROL_H

#include <stddef.h>
#include <stdint.h>

#include "ipcpd/common/life.h"
#include "ipcpd/common/ops.h"
#include "pb/ipcp.pb-c.h"

struct control; /* private to control.c */

struct control_out {
        /* A message to irmd; @m lives until this returns. */
        void (*send)(void *ctx, uint32_t id, const Ipcp__Message *m);

        /* The layer has its name. */
        void (*joined)(void *ctx, const char *layer);

        /* irmd wants us to end. */
        void (*leave)(void *ctx);
};

/* @ops, @loop (for the layer), @out and @ctx are borrowed for life. NULL: out of memory. */
struct control *control_create(const struct ipcp_ops *ops, uv_loop_t *loop, const struct control_out *out,
                               void *ctx);

/* The layer lets go of all that keeps the loop running. Nothing more may come. Takes NULL. */
void control_stop(struct control *c);

/* Takes NULL. */
void control_destroy(struct control *c);

/* Tells irmd that we are ready. Once. */
void control_start(struct control *c);

/*
 * A message of irmd, as the body of the frame with @id, and the descriptors that came with it: those that are taken become
 * -1. Whatever it is, it is answered if it wants to be.
 */
void control_message(struct control *c, uint32_t id, const uint8_t *body, size_t len, int *fds, size_t n_fds);

/* The end comes for another reason than irmd's wish. */
void control_leave(struct control *c);

enum life control_life(const struct control *c);

#endif
