/* program.h - which file a user means by a program's name. Failures leave their sentence in irm_reason(). */
#ifndef O7S_IRM_PROGRAM_H
#define O7S_IRM_PROGRAM_H

#include <limits.h>

/*
 * Finds @prog as a shell would: as a path when it holds a '/', else in PATH. @path becomes its real path,
 * without symbolic links. 0, -ENOENT, -EACCES (found, but not an executable file), -EINVAL (NULL or empty) or
 * -errno.
 */
int irm_find_program(const char *prog, char path[PATH_MAX]);

/* The same for a binding that exists: an absolute path stands for itself when the file is gone. */
int irm_find_bound_program(const char *prog, char path[PATH_MAX]);

#endif
