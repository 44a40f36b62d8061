/*
 * lossy.h - two flows with FRCT in this process and a relay between their ports, a thread that loses, delays,
 * repeats and damages: what a layer does until there is one.
 */
#ifndef TEST_LOSSY_H
#define TEST_LOSSY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct lossy;

/* In each direction; per mille of the packets. */
struct lossy_conf {
        unsigned    loss, dup, damage, late; /* late: 2 ms after the others */
        int64_t     delay_ns;
        bool        sealed;
        bool        tells; /* each end when the other has closed, as a layer does */
        bool        reliable;
        uint32_t    timeout_ms; /* of the peer; 0: never */
        const char *first;      /* what the client has sent with the flow, or NULL */
        uint64_t    seed;
};

/* NULL: it did not work. @fd: client, server. */
struct lossy *lossy_open(const struct lossy_conf *conf, int fd[2]);

/*
 * The same with the server in a process of its own, *@pid, which ends with what @serve returns. @fd: the client's.
 */
struct lossy *lossy_fork(const struct lossy_conf *conf, int *fd, pid_t *pid, int (*serve)(int fd));

/* From now on nothing passes, or again. */
void lossy_cut(struct lossy *l, bool cut);

/* From now on it takes nothing from the ports, so that they fill, or again. */
void lossy_stall(struct lossy *l, bool stall);

/* What the layer does when an end is closed: once all is passed on that it has written, the other hears of it. */
void lossy_hang_up(struct lossy *l, unsigned side);

/* The flows are closed by whoever wants that. */
void lossy_close(struct lossy *l);

#endif
