/* fd.h - descriptors that are owned: -1 means none, and closing is idempotent. */
#ifndef O7S_BASE_FD_H
#define O7S_BASE_FD_H

#include <stddef.h>

/* Closes *@fd unless it is -1 and makes it -1. errno is kept. */
void fd_close(int *fd);

void fd_close_all(int *fds, size_t n);

/* A close-on-exec duplicate, or -errno. */
int fd_dup(int fd);

/*
 * Raises the soft limit of open descriptors to the hard one (and, where this process may, the hard one to
 * @want). Returns the limit now in force.
 */
size_t fd_raise_limit(size_t want);

#endif
