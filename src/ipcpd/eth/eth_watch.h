/*
 * eth_watch.h - when to look at the socket.
 *
 * Quiet: the kernel wakes us for the first frame, at once. To wake us costs whoever delivers the frame
 * more than the frame itself, and at some 100,000 frames each second it happens for nearly every one of
 * them. So when many come, the watch is busy: the socket is left alone, and looked at every 50 us by a
 * timer, as drivers do with their interrupts. That halves the cost of a frame; it adds at most these 50
 * us, and only while there is a crowd.
 */
#ifndef O7S_IPCPD_ETH_ETH_WATCH_H
#define O7S_IPCPD_ETH_ETH_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct eth_watch_ops {
        /* Takes what has come, but not without end. Returns how many frames. */
        size_t (*drain)(void *ctx);

        /* After eth_watch_want_room(), once. */
        void (*room)(void *ctx);
};

struct eth_watch {
        uv_poll_t                   socket, tick;
        int                         fd, tick_fd; /* the socket is borrowed */
        const struct eth_watch_ops *ops;
        void                       *ctx;
        bool                        busy, wants_room, closed;
        int64_t                     since_ns; /* when counting began */
        size_t                      seen;     /* frames since then   */
};

/* @fd is a packet socket. Calls come on the loop. 0 or -errno; after both it may be closed. */
int eth_watch_open(struct eth_watch *w, uv_loop_t *loop, int fd, const struct eth_watch_ops *ops, void *ctx);

/* Calls ops->room() when the socket takes frames again. */
void eth_watch_want_room(struct eth_watch *w);

/* As eth_iface_close(). */
unsigned eth_watch_close(struct eth_watch *w, void *owner, uv_close_cb closed);

#endif
