/*
 * bell.h - what makes a flow descriptor readable: a pipe of which every party has its own open file description.
 *
 * An eventfd would be cheaper, but its file description is shared by all who hold it, and with it O_NONBLOCK and the epoll registrations: a hostile peer could clear
 * the flag and fill the counter, and our next write() would hang; and close() would not take the descriptor out of its owner's epoll sets while the peer keeps
 * its copy. Reopening a pipe through /proc/self/fd gives every party a description of its own. The parties' ends are opened for reading and writing, so that a
 * write never raises SIGPIPE (there is always a reader) and the owner can ring its own bell. The price is that the end of a process is not seen
 * as end of file here: irmd, which keeps an end of its own, rings when a process has died.
 */
#ifndef O7S_SHM_BELL_H
#define O7S_SHM_BELL_H

#include <stdbool.h>

struct bell {
        int own;    /* for the owner: readable when the bell was rung */
        int other;  /* for the other side, to ring it                 */
        int keeper; /* for irmd, to ring it                           */
};

#define BELL_NONE ((struct bell){-1, -1, -1})

/* 0 or -errno; on failure all ends are -1. All ends are non-blocking and close-on-exec. */
int bell_create(struct bell *b);

void bell_close(struct bell *b);

/* Makes the bell readable. Never blocks: a pipe that is full is readable already. Works on any end. */
void bell_ring(int end);

/* Takes back what was rung. True when there was something. */
bool bell_clear(int own);

#endif
