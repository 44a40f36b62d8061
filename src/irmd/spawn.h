/* spawn.h - irmd's side of the spawner: starting programs, asking what a process runs, and hearing when one
 * has ended. */
#ifndef O7S_IRMD_SPAWN_H
#define O7S_IRMD_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <uv.h>

struct spawn; /* private to spawn.c */

struct spawn_ops {
        /* A process that was started has ended; @status is waitpid()'s. */
        void (*exited)(void *ctx, pid_t pid, int status);
};

/* What to start. Everything is borrowed. */
struct spawn_cmd {
        const char  *path;
        char *const *args; /* after argv[0] */
        size_t       n_args;
        char *const *env; /* more variables than the plain ones */
        size_t       n_env;
        bool         as_user; /* as @uid; else as irmd itself */
        uid_t        uid;
        int          fd; /* becomes descriptor 3; -1: none */
};

/* @pid, or a negative code. */
typedef void spawn_started_fn(void *ctx, int pid);

/* @exe is the real path, @script that of a script or ""; NULL both when nothing can be known. */
typedef void spawn_seen_fn(void *ctx, const char *exe, const char *script);

/* Takes over @sock (spawner_fork()). NULL: out of memory. */
struct spawn *spawn_open(uv_loop_t *loop, int sock, const struct spawn_ops *ops, void *ctx);
void          spawn_close(struct spawn *s);

/* @done is called once, later, unless spawn_forget() comes before. */
void spawn_start(struct spawn *s, const struct spawn_cmd *cmd, spawn_started_fn *done, void *ctx);
void spawn_inspect(struct spawn *s, pid_t pid, spawn_seen_fn *done, void *ctx);

/* No answer is given to @ctx any more. */
void spawn_forget(struct spawn *s, void *ctx);

#endif
