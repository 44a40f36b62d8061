/* stream.h - sends DATA at a rate, or as fast as the flow takes it, on its own thread. For both sides. */
#ifndef O7S_TOOLS_OPERF_STREAM_H
#define O7S_TOOLS_OPERF_STREAM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "operf/message.h"

struct stream {
        int              fd;
        struct hello     hello; /* size, rate, duration */
        uint8_t         *buf;
        pthread_t        thread;
        _Atomic uint64_t sent;
        atomic_bool      halt;  /* asked to                       */
        atomic_bool      ended; /* it sends no more               */
        int              error; /* -errno of what ended it early  */
};

/*
 * Starts to send what @h says on @fd, whose writes give up after a time (FLOWSSNDTIMEO). @s must stay where
 * it is until stream_stop(). 0, -ENOMEM, -EAGAIN.
 */
int stream_start(struct stream *s, int fd, const struct hello *h);

/* Ends it, if it has not ended by itself, and returns how many messages were sent. */
uint64_t stream_stop(struct stream *s);

#endif
