/*
 * bell.h - what makes a flow descriptor readable: a pipe of which every party has its own open file
 * description.
 *
 * An eventfd would be cheaper, but its file description is shared by all who hold it, and with it O_NONBLOCK
 * and the epoll registrations: a hostile peer could clear the flag and fill the counter, and our next write()
 * would hang; and close() would not take the descriptor out of its owner's epoll sets while the peer keeps
 * its copy.
 *
 * The owner has the reading end. The other side's end is a description of its own, opened through
 * /proc/self/fd for reading and writing: a pipe that has a reader raises no SIGPIPE. irmd keeps the writing
 * end that the pipe was born with, and rings when a process has died; when irmd is not there either, the
 * other side's end is the last that can write, and the kernel itself makes the owner's readable (POLLHUP)
 * when its process dies. The owner rings its own bell, which is rare, by opening it for writing just for that
 * (bell_let_owner_ring()).
 */
#ifndef O7S_SHM_BELL_H
#define O7S_SHM_BELL_H

struct bell {
        int own;    /* for the owner: readable when the bell was rung or nobody can ring it any more */
        int other;  /* for the other side, to ring it                                                */
        int keeper; /* for irmd, to ring it; irmd ignores SIGPIPE                                    */
};

#define BELL_NONE ((struct bell){-1, -1, -1})

/* 0 or -errno; on failure all ends are -1. All are non-blocking and close-on-exec. */
int bell_create(struct bell *b);

/*
 * The same for who makes many: @dir is /proc/self/fd, opened by this process itself, which a child of it has
 * no use for, or -1. To walk there each time is a sixth of what a bell costs.
 */
int bell_create_at(struct bell *b, int dir);

void bell_close(struct bell *b);

/*
 * Lets an owner who is another user than we are ring it: whoever can see the descriptor in /proc may then
 * open the pipe, and that is the owner. 0 or -errno.
 */
int bell_let_owner_ring(const struct bell *b);

/*
 * Makes the bell readable, by the other's or the keeper's end. Never blocks: a pipe that is full is readable
 * already.
 */
void bell_ring(int end);

/* The same for the owner. */
void bell_ring_own(int own);

/*
 * A writing end for the owner, who wants to ring more often, or -errno. While it is open the kernel does not
 * say when the other side's process dies.
 */
int bell_open_own(int own);

/*
 * The same for reading too: what rings and clears with it needs @own no more, which may be in the hands of
 * somebody else.
 */
int bell_open_both(int own);

/* Takes back what was rung. 1, 0 (nothing was), or -EPIPE: nobody can ring it any more. */
int bell_clear(int own);

#endif
