/*
 * stream.h - a flow in order over a layer: FRCT's engine between the application's messages and the packets
 * in the port.
 *
 *     flow_write() -> engine -> [record] -> port          port -> [record] -> engine -> flow_read()
 *
 * Whoever calls does the work: a turn takes in what the port has, runs the timers that are due, and puts out
 * what may leave. A thread that waits sleeps on the port itself, so that a packet wakes it without a detour.
 * When no thread of the application is inside, the service thread (service.h) watches the port's bell and the
 * engine's deadline.
 *
 * The port's bell is therefore not what the application polls, for it rings for every acknowledgement. The
 * flow descriptor is a pipe of our own (the front), readable as long as flow_read() has something to say.
 *
 * One lock, under those of the slot's lanes. All that uses the port holds it.
 */
#ifndef O7S_DEV_STREAM_H
#define O7S_DEV_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "frct/frct.h"
#include "shm/port.h"

struct inbox;
struct outbox;
struct stream;

struct stream_conf {
        struct frct_conf frct;
        struct outbox   *out; /* NULL: plain. Both borrowed: they live as long as the stream */
        struct inbox    *in;
        const void      *first; /* data that came with the flow, copied                      */
        size_t           first_len;
        bool             hold; /* it is to be read once a record was opened                  */
};

/* NULL: out of memory. */
struct stream *stream_create(const struct stream_conf *conf);

/* Takes NULL. Nobody is inside, and stream_close() was called if it was ever opened. */
void stream_destroy(struct stream *s);

/*
 * From now on it has @port, borrowed, and the descriptor @front, whose number stays the caller's. 0, -EMFILE,
 * -ENOMEM, -EAGAIN (no thread).
 */
int stream_open(struct stream *s, struct port *port, int front);

/* It lets go of the port. */
void stream_close(struct stream *s);

/*
 * One attempt each: the bytes, or -EAGAIN, and what flow_write(), flow_read() and flow_dealloc() say. With
 * @ticket not NULL, -EAGAIN has also announced a sleeper: then follows, without any lock of the slot,
 * stream_sleep() on *@ticket, and after it, before the next attempt, stream_awake().
 */
ssize_t stream_write(struct stream *s, const void *buf, size_t n, uint32_t *ticket);
ssize_t stream_read(struct stream *s, void *buf, size_t n, bool whole, uint32_t *ticket);

/* There will be nothing more to write. 0: and all of it has arrived (or never will). */
int stream_finish(struct stream *s, uint32_t *ticket);

/* Until something may have changed or @deadline_ns. 0 or -ETIMEDOUT. */
int  stream_sleep(struct stream *s, uint32_t ticket, int64_t deadline_ns);
void stream_awake(struct stream *s);

/* As slot_look(): 0, -EAGAIN, -ENODATA, -EFLOWDOWN, -EFLOWPEER. */
int stream_look(struct stream *s);

/* After the last attempt of a call: the service thread watches from now on. */
void stream_leave(struct stream *s);

/* An encrypted one: the client's first word (slot_greet()). */
void stream_greet(struct stream *s, bool wakes);

/* Whether the last stream_read() took a message to its end. */
bool stream_between(struct stream *s);

/* FRCTFRTX, FRCTFLINGER, FRCTFRESCNTL. 0 or -EINVAL: what cannot be changed. */
uint32_t stream_flags(struct stream *s);
int      stream_set_flags(struct stream *s, uint32_t flags);

void     stream_stats(struct stream *s, struct frct_stats *out);
uint64_t stream_wakes(struct stream *s); /* times that its peer on the port was woken */
bool     stream_is_down(struct stream *s);
bool     stream_confirmed(struct stream *s);

/* The service thread's: a turn. False: the bell has nothing more to say. */
bool stream_serve(struct stream *s, int64_t now_ns);

/*
 * Around fork(): nobody is at work in it meanwhile, or the child would have to take apart what is half
 * changed.
 */
void stream_hold(struct stream *s);
void stream_release(struct stream *s);

/* In a forked child: lets go of everything without a word to anybody. */
void stream_forget(struct stream *s);

#endif
