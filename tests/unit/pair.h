/*
 * pair.h - flows without a daemon: ports and bells of our own, put into the library's table as irmd's answer
 * would be.
 */
#ifndef TEST_PAIR_H
#define TEST_PAIR_H

/*
 * Makes one side of the port @memfd a flow with @own as its descriptor. All but @memfd are taken over.
 * Returns @own, or -errno.
 */
int pair_put(int memfd, unsigned side, int own, int peer_bell);

/*
 * A flow between this process and itself. *@memfd, unless NULL, is its port, to be closed by the caller. 0 or
 * -errno.
 */
int pair_create(int fd[2], int *memfd);

#endif
