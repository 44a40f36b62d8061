/*
 * service.h - the library's one thread: for streams (stream.h) in which no thread of the application is busy
 * it takes in packets, sends acknowledgements and retransmissions, and keeps alive. It begins with the first
 * stream and sleeps until a bell rings or a deadline comes; without streams it sleeps for ever. All signals
 * are blocked in it.
 *
 * Locks: the list's, then a stream's. Who holds a stream's lock may call service_due() only.
 */
#ifndef O7S_DEV_SERVICE_H
#define O7S_DEV_SERVICE_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/queue.h>

struct stream;

/* A stream's place in the list. */
struct served {
        LIST_ENTRY(served) list;
        struct stream  *stream;
        int             bell;   /* of its port */
        _Atomic int64_t due_ns; /* of its next turn */
};

/* 0, -EMFILE, -ENOMEM, -EAGAIN. */
int service_add(struct served *s);

/* When it returns, the thread is not inside and will not be again. */
void service_remove(struct served *s);

/* The next turn is due at @due_ns: wakes the thread if it would come too late. */
void service_due(struct served *s, int64_t due_ns);

/* Around fork(): nobody is at work in any stream meanwhile. */
void service_hold(void);
void service_release(void);

/* In a forked child, which has no such thread. */
void service_forget(void);

#endif
