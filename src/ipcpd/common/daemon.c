#include "ipcpd/common/daemon.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <uv.h>

#include <ouroboros/errno.h>
#include <ouroboros/version.h>

#include "base/log.h"
#include "ipcpd/common/control.h"
#include "loop/chan.h"

enum { EXIT_USAGE = 2 };

struct daemon {
        const struct ipcp_ops *ops;
        uv_loop_t              loop;
        uv_signal_t            term, intr;
        struct chan           *chan;
        struct control        *control;
        bool                   stopped;
        char                   ident[LAYER_NAME_SIZE + 32]; /* of the log, which reads it for each line */
};

/* Lets go of all that keeps the loop running. */
static void stop(struct daemon *d)
{
        if (!d->stopped)
                control_stop(d->control);
        d->stopped = true;
        chan_close(d->chan);
        d->chan = NULL;
        if (!uv_is_closing((uv_handle_t *)&d->term))
                uv_close((uv_handle_t *)&d->term, NULL);
        if (!uv_is_closing((uv_handle_t *)&d->intr))
                uv_close((uv_handle_t *)&d->intr, NULL);
}

/* -- control --------------------------------------------------------------- */

static void control_send(void *ctx, uint32_t id, const Ipcp__Message *m)
{
        struct daemon *d = ctx;

        chan_send(d->chan, id, 0, &m->base, NULL, 0);
}

static void control_joined(void *ctx, const char *layer)
{
        struct daemon *d = ctx;

        snprintf(d->ident, sizeof(d->ident), "%s %s", d->ops->program, layer);
}

static void control_left(void *ctx)
{
        stop(ctx);
}

static const struct control_out control_out = {control_send, control_joined, control_left};

/* -- what wakes us --------------------------------------------------------- */

static void on_packet(void *ctx, int fault, const struct frame *f, const uint8_t *body, size_t len, int *fds,
                      size_t n_fds)
{
        struct daemon *d = ctx;

        if (fault < 0)
                log_warn("irmd sends what is no frame: %s", o7s_strerror(fault));
        else
                control_message(d->control, f->id, body, len, fds, n_fds);
}

static void on_gone(void *ctx, int err)
{
        struct daemon *d = ctx;

        log_warn("the connection to irmd is over: %s", err == 0 ? "it has ended" : o7s_strerror(err));
        control_leave(d->control);
        stop(d);
}

static const struct chan_ops chan_ops = {on_packet, on_gone};

static void on_signal(uv_signal_t *s, int signum)
{
        struct daemon *d = s->data;

        log_info("signal %d", signum);
        control_leave(d->control);
        stop(d);
}

/* -- the process ----------------------------------------------------------- */

static void watch_signal(struct daemon *d, uv_signal_t *s, int signum)
{
        uv_signal_init(&d->loop, s);
        s->data = d;
        uv_signal_start(s, on_signal, signum);
}

/* Everything that a daemon needs to run; what is missing is left NULL. */
static bool start(struct daemon *d)
{
        signal(SIGPIPE, SIG_IGN); /* a log that nobody reads is no reason to end */
        fcntl(DAEMON_FD, F_SETFD, FD_CLOEXEC);
        watch_signal(d, &d->term, SIGTERM);
        watch_signal(d, &d->intr, SIGINT);
        d->control = control_create(d->ops, &d->loop, &control_out, d);
        d->chan    = chan_open(&d->loop, DAEMON_FD, &chan_ops, d);
        if (d->control == NULL || d->chan == NULL)
                return false;
        control_start(d->control);
        return true;
}

static int run(struct daemon *d)
{
        bool started;

        if (uv_loop_init(&d->loop) < 0) {
                log_err("no event loop");
                return EXIT_FAILURE;
        }
        started = start(d);
        if (!started) {
                log_err("out of memory");
                stop(d);
        }
        uv_run(&d->loop, UV_RUN_DEFAULT);
        uv_loop_close(&d->loop);
        control_destroy(d->control);
        return started ? EXIT_SUCCESS : EXIT_FAILURE;
}

static bool has_connection(void)
{
        int       type;
        socklen_t len = sizeof(type);

        return getsockopt(DAEMON_FD, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_SEQPACKET;
}

/* We were called by hand. */
static int explain(const struct ipcp_ops *ops, const char *arg)
{
        if (strcmp(arg, "--version") == 0) {
                printf("%s %s\n", ops->program, O7S_VERSION);
                return EXIT_SUCCESS;
        }
        if (strcmp(arg, "--help") == 0) {
                printf("%s is started by irmd: see \"irm ipcp create --help\".\n", ops->program);
                return EXIT_SUCCESS;
        }
        fprintf(stderr, "%s: started by irmd only, on \"irm ipcp create\"\n", ops->program);
        return EXIT_USAGE;
}

int daemon_main(const struct ipcp_ops *ops, int argc, char *argv[])
{
        struct daemon  d     = {.ops = ops};
        const char    *wish  = getenv("OUROBOROS_LOG_LEVEL");
        enum log_level level = LOG_INFO;

        if (argc > 1 || !has_connection())
                return explain(ops, argc > 1 ? argv[1] : "");
        if (wish != NULL)
                log_level_parse(wish, &level);
        snprintf(d.ident, sizeof(d.ident), "%s", ops->program);
        log_init(d.ident, level);
        return run(&d);
}
