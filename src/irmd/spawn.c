#include "spawn.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

#include "base/log.h"
#include "loop/chan.h"
#include "spawn.pb-c.h"

#define ENV_MAX 64 /* variables that we add to a program's environment */

struct question {
        uint32_t          id;
        void             *ctx; /* NULL: nobody waits any more */
        spawn_started_fn *started;
        spawn_seen_fn    *seen;
        UT_hash_handle    hh;
};

struct spawn {
        struct chan            *chan; /* NULL: the spawner has gone */
        const struct spawn_ops *ops;
        void                   *ctx;
        struct question        *open;
        uint32_t                last_id;
};

static void answer(struct question *q, const Spawn__Reply *r)
{
        if (q->ctx == NULL)
                return;
        if (q->started != NULL)
                q->started(q->ctx, r->body_case == SPAWN__REPLY__BODY_STARTED ? r->started->pid
                                   : r->result < 0                            ? r->result
                                                                              : -EPROTO);
        else if (r->body_case == SPAWN__REPLY__BODY_INSPECTED)
                q->seen(q->ctx, r->inspected->exe, r->inspected->script);
        else
                q->seen(q->ctx, NULL, NULL);
}

static void answer_and_free(struct spawn *s, struct question *q, const Spawn__Reply *r)
{
        HASH_DEL(s->open, q);
        answer(q, r);
        free(q);
}

static void on_packet(void *ctx, int fault, const struct frame *f, const uint8_t *body, size_t len, int *fds,
                      size_t n_fds)
{
        struct spawn    *s = ctx;
        struct question *q;
        Spawn__Reply    *r;

        (void)fds, (void)n_fds;
        r = fault == 0 ? spawn__reply__unpack(NULL, len, body) : NULL;
        if (r == NULL) {
                log_err("spawner: a message makes no sense");
                return;
        }
        if (f->id == 0 && r->body_case == SPAWN__REPLY__BODY_EXITED)
                s->ops->exited(s->ctx, r->exited->pid, r->exited->status);
        HASH_FIND(hh, s->open, &f->id, sizeof(f->id), q);
        if (q != NULL)
                answer_and_free(s, q, r);
        spawn__reply__free_unpacked(r, NULL);
}

static void fail_all(struct spawn *s)
{
        Spawn__Reply     r = SPAWN__REPLY__INIT;
        struct question *q, *next;

        r.result = -EPIPE;
        HASH_ITER (hh, s->open, q, next)
                answer_and_free(s, q, &r);
}

static void on_gone(void *ctx, int err)
{
        struct spawn *s = ctx;

        log_err("spawner: it has gone (%s); no more programs can be started", strerror(-err));
        chan_close(s->chan);
        s->chan = NULL;
        fail_all(s);
}

static const struct chan_ops chan_ops = {on_packet, on_gone};

struct spawn *spawn_open(uv_loop_t *loop, int sock, const struct spawn_ops *ops, void *ctx)
{
        struct spawn *s = calloc(1, sizeof(*s));

        if (s == NULL) {
                close(sock);
                return NULL;
        }
        s->ops  = ops;
        s->ctx  = ctx;
        s->chan = chan_open(loop, sock, &chan_ops, s);
        if (s->chan == NULL) {
                free(s);
                return NULL;
        }
        return s;
}

void spawn_close(struct spawn *s)
{
        struct question *q, *next;

        if (s == NULL)
                return;
        chan_close(s->chan);
        HASH_ITER (hh, s->open, q, next) {
                HASH_DEL(s->open, q);
                free(q);
        }
        free(s);
}

static void ask(struct spawn *s, const Spawn__Request *m, int fd, struct question what)
{
        Spawn__Reply     failed = SPAWN__REPLY__INIT;
        struct question *q      = malloc(sizeof(*q));

        if (q == NULL || s->chan == NULL) {
                failed.result = q == NULL ? -ENOMEM : -EPIPE;
                answer(&what, &failed);
                free(q);
                return;
        }
        *q    = what;
        q->id = ++s->last_id == 0 ? ++s->last_id : s->last_id;
        HASH_ADD(hh, s->open, id, sizeof(q->id), q);
        chan_send(s->chan, q->id, 0, &m->base, &fd, fd >= 0);
}

/* A plain environment for the user @uid, or our own for programs that run as we do. Returns the number of
 * variables. */
static size_t environment(const struct spawn_cmd *cmd, char *env[ENV_MAX], char text[4][256])
{
        extern char        **environ;
        const struct passwd *pw = cmd->as_user && cmd->uid != geteuid() ? getpwuid(cmd->uid) : NULL;
        size_t               n  = 0;

        if (pw != NULL) {
                snprintf(text[0], sizeof(text[0]), "PATH=/usr/local/bin:/usr/bin:/bin");
                snprintf(text[1], sizeof(text[1]), "HOME=%s", pw->pw_dir);
                snprintf(text[2], sizeof(text[2]), "USER=%s", pw->pw_name);
                snprintf(text[3], sizeof(text[3]), "LOGNAME=%s", pw->pw_name);
                for (n = 0; n < 4; n++)
                        env[n] = text[n];
        } else {
                for (char **e = environ; *e != NULL && n + cmd->n_env < ENV_MAX; e++) {
                        if (strncmp(*e, "OUROBOROS_", 10) != 0 && strncmp(*e, "NOTIFY_SOCKET=", 14) != 0)
                                env[n++] = *e;
                }
        }
        for (size_t i = 0; i < cmd->n_env && n < ENV_MAX; i++)
                env[n++] = cmd->env[i];
        return n;
}

void spawn_start(struct spawn *s, const struct spawn_cmd *cmd, spawn_started_fn *done, void *ctx)
{
        Spawn__Request  m     = SPAWN__REQUEST__INIT;
        Spawn__Start    start = SPAWN__START__INIT;
        struct question q     = {.ctx = ctx, .started = done};
        char           *env[ENV_MAX];
        char            text[4][256];
        char          **argv = calloc(cmd->n_args + 1, sizeof(*argv));

        if (argv == NULL) {
                done(ctx, -ENOMEM);
                return;
        }
        argv[0] = (char *)cmd->path;
        for (size_t i = 0; i < cmd->n_args; i++)
                argv[i + 1] = cmd->args[i];
        start.argv      = argv;
        start.n_argv    = cmd->n_args + 1;
        start.env       = env;
        start.n_env     = environment(cmd, env, text);
        start.uid       = cmd->uid;
        start.keep_user = !cmd->as_user;
        m.verb_case     = SPAWN__REQUEST__VERB_START;
        m.start         = &start;
        ask(s, &m, cmd->fd, q);
        free(argv);
}

void spawn_inspect(struct spawn *s, pid_t pid, spawn_seen_fn *done, void *ctx)
{
        Spawn__Request  m       = SPAWN__REQUEST__INIT;
        Spawn__Inspect  inspect = SPAWN__INSPECT__INIT;
        struct question q       = {.ctx = ctx, .seen = done};

        inspect.pid = pid;
        m.verb_case = SPAWN__REQUEST__VERB_INSPECT;
        m.inspect   = &inspect;
        ask(s, &m, -1, q);
}

void spawn_forget(struct spawn *s, void *ctx)
{
        for (struct question *q = s->open; q != NULL; q = q->hh.next) {
                if (q->ctx == ctx)
                        q->ctx = NULL;
        }
}
