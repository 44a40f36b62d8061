#include "bind.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ouroboros/errno.h>

#include "base/fd.h"
#include "base/log.h"
#include "flow.h"
#include "place.h"
#include "proc.h"
#include "spawn.h"

/* -- links ----------------------------------------------------------------- */

static bool runs(const struct proc *p, const struct prog_bind *b)
{
        if (b->child > 0 && b->child == p->pid)
                return true;
        if (b->one_user && b->uid != p->uid)
                return false;
        return (p->exe != NULL && strcmp(p->exe, b->path) == 0) ||
               (p->script != NULL && strcmp(p->script, b->path) == 0);
}

static bool may_accept(const struct proc *p, const struct name *n)
{
        const struct prog_bind *prog;
        const struct pid_bind  *one;

        LIST_FOREACH (prog, &n->progs, by_name) {
                if (runs(p, prog))
                        return true;
        }
        LIST_FOREACH (one, &n->pids, by_name) {
                if (one->pid == p->pid)
                        return true;
        }
        return false;
}

static struct link *find_link(const struct proc *p, const struct name *n)
{
        struct link *l;

        TAILQ_FOREACH (l, &p->links, by_proc) {
                if (l->name == n)
                        return l;
        }
        return NULL;
}

static void link_drop(struct link *l)
{
        TAILQ_REMOVE(&l->name->links, l, by_name);
        TAILQ_REMOVE(&l->proc->links, l, by_proc);
        free(l);
}

/* An instance that we started for @n has come to serve. */
static void note_served(const struct proc *p, const struct name *n)
{
        struct prog_bind *b;

        LIST_FOREACH (b, &n->progs, by_name) {
                if (b->child == p->pid)
                        b->served = true;
        }
}

static void link_add(struct proc *p, struct name *n)
{
        struct link *l = calloc(1, sizeof(*l));

        if (l == NULL) {
                log_err("process %d: out of memory, it does not accept for %s", (int)p->pid, n->name);
                return;
        }
        if (p->serves)
                note_served(p, n);
        l->proc = p;
        l->name = n;
        TAILQ_INSERT_TAIL(&n->links, l, by_name);
        TAILQ_INSERT_TAIL(&p->links, l, by_proc);
        log_dbg("process %d: may accept for %s", (int)p->pid, n->name);
}

/* Makes or breaks the link as the rules say now. */
static void refresh(struct proc *p, struct name *n)
{
        struct link *l   = find_link(p, n);
        bool         may = may_accept(p, n);

        if (l == NULL && may)
                link_add(p, n);
        else if (l != NULL && !may)
                link_drop(l);
}

/* After a change of the rules of @n. */
static void refresh_name(struct name *n)
{
        struct proc *p;

        TAILQ_FOREACH (p, &n->irmd->procs, all)
                refresh(p, n);
        place_all(n);
}

void bind_refresh_proc(struct proc *p)
{
        struct name *n, *next;

        HASH_ITER (hh, p->irmd->names, n, next) {
                refresh(p, n);
                if (find_link(p, n) != NULL)
                        place_all(n);
        }
}

void bind_serves(struct proc *p)
{
        struct link *l;

        if (p->serves)
                return;
        p->serves = true;
        TAILQ_FOREACH (l, &p->links, by_proc)
                note_served(p, l->name);
}

void bind_drop_proc(struct proc *p)
{
        while (!TAILQ_EMPTY(&p->links)) {
                struct name *n = TAILQ_FIRST(&p->links)->name;

                link_drop(TAILQ_FIRST(&p->links));
                place_all(n);
        }
}

/* -- programs -------------------------------------------------------------- */

static void free_args(char **args, size_t n)
{
        for (size_t i = 0; args != NULL && i < n; i++)
                free(args[i]);
        free(args);
}

static void prog_free(struct prog_bind *b)
{
        if (b == NULL)
                return;
        spawn_forget(b->name->irmd->spawn, b);
        free_args(b->args, b->n_args);
        free(b->path);
        free(b);
}

static char **copy_args(char **args, size_t n)
{
        char **copy = calloc(n + 1, sizeof(*copy));

        for (size_t i = 0; copy != NULL && i < n; i++) {
                copy[i] = strdup(args[i]);
                if (copy[i] == NULL) {
                        free_args(copy, i);
                        return NULL;
                }
        }
        return copy;
}

static struct prog_bind *prog_find(const struct name *n, const char *path)
{
        struct prog_bind *b;

        LIST_FOREACH (b, &n->progs, by_name) {
                if (strcmp(b->path, path) == 0)
                        return b;
        }
        return NULL;
}

int bind_program(struct name *n, const struct prog_rule *rule)
{
        struct prog_bind *old = prog_find(n, rule->path);
        struct prog_bind *b   = calloc(1, sizeof(*b));

        if (b == NULL)
                return -ENOMEM;
        b->name       = n;
        b->path       = strdup(rule->path);
        b->args       = copy_args(rule->args, rule->n_args);
        b->n_args     = rule->n_args;
        b->auto_start = rule->auto_start;
        b->one_user   = rule->one_user;
        b->as_user    = rule->as_user;
        b->uid        = rule->uid;
        if (b->path == NULL || b->args == NULL) {
                prog_free(b);
                return -ENOMEM;
        }
        if (old != NULL) {
                LIST_REMOVE(old, by_name);
                prog_free(old);
        }
        LIST_INSERT_HEAD(&n->progs, b, by_name);
        log_info("name %s: bound to program %s%s", n->name, b->path,
                 b->auto_start ? ", started when needed" : "");
        refresh_name(n);
        return 0;
}

int unbind_program(struct name *n, const char *path)
{
        struct prog_bind *b = prog_find(n, path);

        if (b == NULL)
                return -ENOENT;
        log_info("name %s: no longer bound to program %s", n->name, b->path);
        LIST_REMOVE(b, by_name);
        prog_free(b);
        refresh_name(n);
        return 0;
}

static void started(void *ctx, int pid)
{
        struct prog_bind *b = ctx;

        if (pid > 0) {
                log_info("name %s: started %s as process %d", b->name->name, b->path, pid);
                b->child = pid;
        } else {
                log_warn("name %s: %s cannot be started: %s", b->name->name, b->path, o7s_strerror(pid));
                b->child = 0;
                place_failed(b->name);
        }
}

static void start(struct prog_bind *b)
{
        char             dir[PATH_MAX + 32];
        char            *env[] = {dir};
        struct spawn_cmd cmd   = {
                  .path    = b->path,
                  .args    = b->args,
                  .n_args  = b->n_args,
                  .env     = env,
                  .n_env   = 1,
                  .as_user = b->as_user,
                  .uid     = b->uid,
                  .fd      = -1,
        };

        snprintf(dir, sizeof(dir), "OUROBOROS_RUNTIME_DIR=%s", b->name->irmd->conf->runtime_dir);
        b->child  = -1;
        b->served = false;
        spawn_start(b->name->irmd->spawn, &cmd, started, b);
}

int bind_start(struct name *n)
{
        struct prog_bind *b;
        struct prog_bind *first = NULL;

        LIST_FOREACH (b, &n->progs, by_name) {
                if (b->auto_start && b->child != 0)
                        return 0;
                if (b->auto_start && first == NULL)
                        first = b;
        }
        if (first == NULL)
                return -ENOENT;
        start(first);
        return 0;
}

void bind_exited(struct irmd *d, pid_t pid, int status)
{
        struct prog_bind *b;
        struct name      *n, *next;

        HASH_ITER (hh, d->names, n, next) {
                LIST_FOREACH (b, &n->progs, by_name) {
                        if (b->child != pid)
                                continue;
                        b->child = 0;
                        if (WIFSIGNALED(status))
                                log_info("name %s: %s was ended by signal %d", n->name, b->path,
                                         WTERMSIG(status));
                        else
                                log_info("name %s: %s ended with status %d", n->name, b->path,
                                         WEXITSTATUS(status));
                        /* One that came to serve and ended is started anew for those who wait; one that never
                         * came would never come. */
                        if (b->served)
                                place_all(n);
                        else
                                place_failed(n);
                        break;
                }
        }
}

/* -- single processes ------------------------------------------------------ */

static void pid_closed(uv_handle_t *h)
{
        struct pid_bind *b = h->data;

        fd_close(&b->pidfd);
        free(b);
}

static void pid_drop(struct pid_bind *b)
{
        LIST_REMOVE(b, by_name);
        uv_close((uv_handle_t *)&b->watch, pid_closed);
}

static void pid_ended(uv_poll_t *watch, int status, int events)
{
        struct pid_bind *b = watch->data;

        (void)status, (void)events;
        log_info("name %s: the bound process %d has ended", b->name->name, (int)b->pid);
        pid_drop(b);
}

static struct pid_bind *pid_find(const struct name *n, pid_t pid)
{
        struct pid_bind *b;

        LIST_FOREACH (b, &n->pids, by_name) {
                if (b->pid == pid)
                        return b;
        }
        return NULL;
}

int bind_pid(struct name *n, pid_t pid)
{
        struct pid_bind *b;
        int              pidfd;

        if (pid_find(n, pid) != NULL)
                return -EEXIST;
        pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        if (pidfd < 0)
                return errno == EINVAL ? -ESRCH : -errno;
        b = calloc(1, sizeof(*b));
        if (b == NULL || uv_poll_init(&n->irmd->loop, &b->watch, pidfd) < 0) {
                fd_close(&pidfd);
                free(b);
                return -ENOMEM;
        }
        b->name       = n;
        b->pid        = pid;
        b->pidfd      = pidfd;
        b->watch.data = b;
        uv_poll_start(&b->watch, UV_READABLE, pid_ended);
        LIST_INSERT_HEAD(&n->pids, b, by_name);
        log_info("name %s: bound to process %d", n->name, (int)pid);
        refresh_name(n);
        return 0;
}

int unbind_pid(struct name *n, pid_t pid)
{
        struct pid_bind *b = pid_find(n, pid);

        if (b == NULL)
                return -ENOENT;
        log_info("name %s: no longer bound to process %d", n->name, (int)pid);
        pid_drop(b);
        refresh_name(n);
        return 0;
}

void bind_drop_name(struct name *n)
{
        while (!LIST_EMPTY(&n->progs)) {
                struct prog_bind *b = LIST_FIRST(&n->progs);

                LIST_REMOVE(b, by_name);
                prog_free(b);
        }
        while (!LIST_EMPTY(&n->pids))
                pid_drop(LIST_FIRST(&n->pids));
        while (!TAILQ_EMPTY(&n->links))
                link_drop(TAILQ_FIRST(&n->links));
}
