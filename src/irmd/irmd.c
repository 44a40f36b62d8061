#include "irmd.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ouroboros/version.h>

#include "audit.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "bind.h"
#include "ctl/ctl.h"
#include "flow.h"
#include "ipcp.h"
#include "loop/ticker.h"
#include "name.h"
#include "notify.h"
#include "proc.h"
#include "quota.h"
#include "security.h"
#include "spawn.h"
#include "work.h"

#define JOURNAL "/run/systemd/journal/socket"

#define ACCEPTS_PER_TURN 64 /* connections taken in one turn of the loop */

int irmd_timeout_set(struct irmd *d, struct timeout *t, int64_t due_ns)
{
        return ticker_set(d->ticker, &t->deadline, due_ns);
}

void irmd_timeout_cancel(struct irmd *d, struct timeout *t)
{
        ticker_cancel(d->ticker, &t->deadline);
}

static void timeout_due(void *ctx, struct deadline *dl, int64_t now_ns)
{
        struct timeout *t = (struct timeout *)(void *)((char *)dl - offsetof(struct timeout, deadline));

        (void)ctx, (void)now_ns;
        t->due(t);
}

static void process_exited(void *ctx, pid_t pid, int status)
{
        struct irmd *d = ctx;

        ipcp_exited(d, pid, status);
        bind_exited(d, pid, status);
        if (d->leaving && TAILQ_EMPTY(&d->ipcps))
                uv_stop(&d->loop);
}

static const struct spawn_ops spawn_ops = {process_exited};

/* -- connections ----------------------------------------------------------- */

/* Out of descriptors: the connection would wait in the backlog and wake us for ever, so it is taken with the
 * one in reserve, and closed. */
static void shed_connection(struct irmd *d)
{
        int fd;

        log_err("out of file descriptors: a connection is refused");
        fd_close(&d->spare_fd);
        fd = accept4(d->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        fd_close(&fd);
        d->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void on_connection(uv_poll_t *h, int status, int events)
{
        struct irmd *d = h->data;

        (void)status, (void)events;
        for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
                int sock = accept4(d->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

                if (sock >= 0)
                        proc_open(d, sock);
                else if (errno == EMFILE || errno == ENFILE)
                        shed_connection(d);
                else
                        break;
        }
}

/* -- the end --------------------------------------------------------------- */

/* In order: nobody new, the flows end (applications see it and live on), the IPCPs are told to go and waited
 * for. */
static void leave(struct irmd *d)
{
        struct ipcp *i, *next;

        if (d->leaving)
                return;
        d->leaving = true;
        notify_manager("STOPPING=1");
        uv_poll_stop(&d->listener);
        for (i = TAILQ_FIRST(&d->ipcps); i != NULL; i = next) {
                next = TAILQ_NEXT(i, all);
                ipcp_destroy(i, NULL);
        }
        if (TAILQ_EMPTY(&d->ipcps))
                uv_stop(&d->loop);
}

static void on_signal(uv_signal_t *h, int signum)
{
        struct irmd *d = h->data;

        if (signum == SIGHUP) {
                log_info("reload: credentials are read again");
                security_reload(d->security, NULL);
                if (audit_reopen(d->audit) < 0)
                        log_err("the audit log cannot be opened again: %s", strerror(errno));
                return;
        }
        log_info("stopping (%s)", strsignal(signum));
        leave(d);
}

/* -- birth and death ------------------------------------------------------- */

/* One daemon per runtime directory. The lock goes with the process, however it ends. */
static int take_lock(const struct conf *conf)
{
        char path[PATH_MAX];
        int  fd;

        snprintf(path, sizeof(path), "%s/irm.lock", conf->runtime_dir);
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0) {
                log_err("%s: %s", path, strerror(errno));
                return -1;
        }
        if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                log_err("another irmd runs with the runtime directory %s", conf->runtime_dir);
                close(fd);
                return -1;
        }
        return fd;
}

static int open_socket(struct irmd *d)
{
        char path[PATH_MAX];
        int  r;

        snprintf(path, sizeof(path), "%s/irm.sock", d->conf->runtime_dir);
        d->listen_fd = ctl_listen(path);
        if (d->listen_fd < 0) {
                log_err("%s: %s", path, strerror(-d->listen_fd));
                return -1;
        }
        r = uv_poll_init(&d->loop, &d->listener, d->listen_fd);
        if (r == 0)
                r = uv_poll_start(&d->listener, UV_READABLE, on_connection);
        d->listener.data = d;
        return r;
}

/*
 * Audit lines are written once a turn, before the loop sleeps: after all that descriptors and timers have
 * caused.
 */
static void turn_over(uv_prepare_t *h)
{
        struct irmd *d = h->data;

        if (d->security != NULL)
                pace_turn(&d->security->pace);
        if (audit_pending(d->audit))
                audit_flush(d->audit);
}

static int open_security(struct irmd *d)
{
        char path[PATH_MAX];
        int  r;

        snprintf(path, sizeof(path), "%s/audit.jsonl", d->conf->state_dir);
        r = audit_open(&d->audit, path, JOURNAL);
        if (r < 0) {
                log_err("%s: %s; without an audit log no flow is allocated", path, strerror(-r));
                return -1;
        }
        audit_start(d->audit, O7S_VERSION);
        uv_prepare_init(&d->loop, &d->turn);
        d->turn.data = d;
        uv_prepare_start(&d->turn, turn_over);
        d->security = security_open(d);
        return d->security == NULL ? -1 : 0;
}

static void open_signals(struct irmd *d)
{
        static const int wanted[] = {SIGTERM, SIGINT, SIGHUP};

        for (int i = 0; i < 3; i++) {
                uv_signal_init(&d->loop, &d->signals[i]);
                d->signals[i].data = d;
                uv_signal_start(&d->signals[i], on_signal, wanted[i]);
        }
}

static void find_admin_group(struct irmd *d)
{
        const struct group *g = getgrnam("ouroboros");

        d->has_admin_gid = g != NULL;
        if (g != NULL)
                d->admin_gid = g->gr_gid;
}

static int irmd_open(struct irmd *d, const struct conf *conf, int spawner, size_t fds)
{
        *d = (struct irmd){.conf         = conf,
                           .uid          = geteuid(),
                           .listen_fd    = -1,
                           .keeps.fd_dir = -1,
                           .born_ns      = clock_now_ns()};
        TAILQ_INIT(&d->ipcps);
        TAILQ_INIT(&d->procs);
        find_admin_group(d);
        uv_loop_init(&d->loop);
        d->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        d->lock_fd  = take_lock(conf);
        d->quotas   = quotas_create(&conf->limits);
        d->ticker   = ticker_open(&d->loop, timeout_due, d);
        d->spawn    = spawn_open(&d->loop, spawner, &spawn_ops, d);
        if (d->lock_fd < 0 || d->quotas == NULL || d->ticker == NULL || d->spawn == NULL)
                return -1;
        keeps_init(&d->keeps, d->quotas, fds);
        if (open_security(d) < 0)
                return -1;
        open_signals(d);
        return open_socket(d);
}

static void close_handle(uv_handle_t *h, void *arg)
{
        (void)arg;
        if (!uv_is_closing(h))
                uv_close(h, NULL);
}

static void remove_files(const struct conf *conf)
{
        char path[PATH_MAX];

        snprintf(path, sizeof(path), "%s/irm.sock", conf->runtime_dir);
        unlink(path);
}

/* Takes what irmd_open() can leave behind. */
static void irmd_close(struct irmd *d)
{
        if (d->listen_fd >= 0)
                remove_files(d->conf);
        while (!TAILQ_EMPTY(&d->ipcps))
                ipcp_free(TAILQ_FIRST(&d->ipcps));
        while (!TAILQ_EMPTY(&d->procs))
                proc_close(TAILQ_FIRST(&d->procs));
        while (d->names != NULL)
                name_destroy(d->names);
        security_close(d->security);
        d->security = NULL; /* the loop still turns */
        if (d->spawn != NULL)
                spawn_close(d->spawn);
        if (d->ticker != NULL)
                ticker_close(d->ticker);
        uv_run(&d->loop, UV_RUN_NOWAIT); /* what closes itself does so first */
        uv_walk(&d->loop, close_handle, NULL);
        uv_run(&d->loop, UV_RUN_DEFAULT);
        uv_loop_close(&d->loop);
        if (d->audit != NULL)
                audit_stop(d->audit);
        audit_close(d->audit);
        keeps_fini(&d->keeps);
        quotas_destroy(d->quotas);
        fd_close(&d->listen_fd);
        fd_close(&d->spare_fd);
        fd_close(&d->lock_fd);
}

int irmd_run(const struct conf *conf, int spawner)
{
        size_t      fds = fd_raise_limit(FDS_WANTED);
        struct irmd d;
        int         r;

        log_info("irmd %s starts as uid %u, %zu descriptors at most", O7S_VERSION, (unsigned)geteuid(), fds);
        r = irmd_open(&d, conf, spawner, fds);
        if (r == 0) {
                log_info("ready at %s/irm.sock", conf->runtime_dir);
                notify_manager("READY=1");
                uv_run(&d.loop, UV_RUN_DEFAULT);
        }
        irmd_close(&d);
        log_info("stopped");
        return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
