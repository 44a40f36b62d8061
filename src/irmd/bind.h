/*
 * bind.h - who may accept for a name: programs, single processes, and the links to the processes of both
 * kinds that are there.
 *
 * A binding is a rule; a link says that it holds for a process that is connected. Links are made and broken
 * by bind_refresh(), which only asks whether any rule holds.
 */
#ifndef O7S_IRMD_BIND_H
#define O7S_IRMD_BIND_H

#include "irmd.h"
#include "name.h"

/* Every process that runs @path may accept. */
struct prog_bind {
        LIST_ENTRY(prog_bind) by_name;
        struct name *name;
        char        *path;
        bool         auto_start;
        bool         one_user; /* only processes of @uid count                  */
        bool         as_user;  /* started as @uid, else as irmd itself          */
        uid_t        uid;
        char       **args;
        size_t       n_args;
        int          child;  /* pid of the instance we started; -1: is being started; 0: none */
        bool         served; /* it has come to accept */
};

/* The process @pid may accept, connected or not. Ends with the process. */
struct pid_bind {
        LIST_ENTRY(pid_bind) by_name;
        struct name *name;
        pid_t        pid;
        int          pidfd;
        uv_poll_t    watch;
};

struct link {
        TAILQ_ENTRY(link) by_name, by_proc;
        struct name *name;
        struct proc *proc;
};

/* What a program is bound with. Everything is borrowed and has been checked. */
struct prog_rule {
        const char *path;
        bool        auto_start, one_user, as_user;
        uid_t       uid;
        char      **args;
        size_t      n_args;
};

/* Adds the rule, or puts it in the place of the one for the same path. 0 or -ENOMEM. */
int bind_program(struct name *n, const struct prog_rule *rule);

/* 0 or -ENOENT. */
int unbind_program(struct name *n, const char *path);

/* 0, -ESRCH, -EEXIST, -ENOMEM, … */
int bind_pid(struct name *n, pid_t pid);

/* 0 or -ENOENT. */
int unbind_pid(struct name *n, pid_t pid);

/* The process has become known, or its program has: all rules are looked at. */
void bind_refresh_proc(struct proc *p);

/* The process asks to accept: from now on flows wait for it. */
void bind_serves(struct proc *p);

/* The process has gone. */
void bind_drop_proc(struct proc *p);

/* The name is going: all rules and links of it. */
void bind_drop_name(struct name *n);

/* Starts a program that is bound with auto, unless one is already on its way. 0, or -ENOENT when there is
 * none. */
int bind_start(struct name *n);

/* A process that we started has ended. */
void bind_exited(struct irmd *d, pid_t pid, int status);

#endif
