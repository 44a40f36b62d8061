/* conf.h - what irmd was started with: command line over environment over defaults. */
#ifndef O7S_IRMD_CONF_H
#define O7S_IRMD_CONF_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

/* Limits that protect the daemon and the users from each other. Hitting one is an error for the caller and a
 * line in the log. */
struct limits {
        uint64_t ports_per_process;
        uint64_t ports_per_user;
        uint64_t bytes_per_user; /* of shared memory */
        uint64_t connections_per_user;
        uint64_t backlog; /* flows that wait for an accepting process, per name */
        uint64_t alloc_timeout_ms;
        uint64_t signed_requests; /* remembered against replay; a sixteenth is of one identity */
};

/* Room for a directory, so that a path in it still fits PATH_MAX. */
#define CONF_DIR_MAX (PATH_MAX - 64)

struct conf {
        char           runtime_dir[CONF_DIR_MAX];
        char           config_dir[CONF_DIR_MAX];
        char           state_dir[CONF_DIR_MAX];
        char           ipcp_dir[CONF_DIR_MAX];
        char           user[64];   /* who to become when started as root */
        const char    *key_log;    /* a file, of the command line alone; NULL: none */
        int            key_log_fd; /* of main(), which opens it; -1: none */
        enum log_level log_level;
        bool           to_stdout;
        struct limits  limits;
};

enum conf_result { CONF_RUN, CONF_DONE, CONF_USAGE };

/* Prints help, version or what is wrong itself. */
enum conf_result conf_parse(struct conf *c, int argc, char **argv);

#endif
