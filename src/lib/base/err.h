/* err.h - this project's error codes as standard errno values, which perror() can print. */
#ifndef O7S_BASE_ERR_H
#define O7S_BASE_ERR_H

#include <sys/types.h>

/* The standard errno value for @code (of either sign), as listed in <ouroboros/errno.h>. */
int err_std(int code);

/*
 * Sets errno to err_std(@code) where @code is negative, and returns it: the last step of every public call.
 */
ssize_t err_return(ssize_t code);

#endif
