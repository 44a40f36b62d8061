/*
 * pair.h - flows without a daemon: ports and bells of our own, put into the library's table as irmd's answer
 * would be.
 */
#ifndef TEST_PAIR_H
#define TEST_PAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What irmd says of one side of a flow beside its port. All zeros: plain, without first data. */
struct pair_side {
        const uint8_t *send; /* secrets, or NULL */
        const uint8_t *recv;
        bool           client; /* greets at once                                         */
        bool           wakes;  /* and wakes the server, since it has sent first data     */
        const char    *first;  /* what the peer sent with the flow, or NULL              */
        bool           hold;
};

/*
 * Makes one side of the port @memfd a flow with @own as its descriptor. All but @memfd are taken over.
 * Returns @own, or -errno.
 */
int pair_put(int memfd, unsigned side, int own, int peer_bell, const struct pair_side *how);

/*
 * A flow between this process and itself. *@memfd, unless NULL, is its port, to be closed by the caller. 0 or
 * -errno.
 */
int pair_create(int fd[2], int *memfd);

/* The same with sides that are as @how says. Side 0 comes first. */
int pair_create_as(int fd[2], int *memfd, const struct pair_side how[2]);

/* An encrypted flow, whose client is side 0. */
extern const struct pair_side pair_sealed[2];

#endif
