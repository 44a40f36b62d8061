#include "spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "ctl/ctl.h"
#include "grant.h"
#include "spawn.pb-c.h"

#define PASSED_FD 3  /* where the program finds the descriptor it was given */
#define OWN_FDS   10 /* our own are here and above */

struct spawner {
        int                 sock;
        struct spawner_user self;
};

static void reply(const struct spawner *s, uint32_t id, const Spawn__Reply *r)
{
        uint8_t      buf[3 * PATH_MAX];
        struct frame f   = {.id = id};
        size_t       len = spawn__reply__get_packed_size(r);

        if (len > sizeof(buf))
                return;
        spawn__reply__pack(r, buf);
        (void)ctl_send(s->sock, &f, buf, len, NULL, 0, 0); /* irmd gone: the next read says so */
}

/* -- starting -------------------------------------------------------------- */

/* Whatever irmd asks for: a program that is not the Ethernet IPCP of this installation gets no such right. */
static bool may_have_net_raw(const struct spawner *s, const char *path)
{
        size_t n = strlen(s->self.ipcp_dir);

        return strncmp(path, s->self.ipcp_dir, n) == 0 &&
               (strcmp(path + n, "/ipcpd-eth-dix") == 0 || strcmp(path + n, "/ipcpd-eth-llc") == 0);
}

static int become(uid_t uid, gid_t gid, bool net_raw)
{
        struct passwd *pw;
        int            r = 0;

        if (uid == geteuid())
                return 0;
        if (net_raw)
                r = grant_prepare();
        if (r < 0)
                return r;
        pw = getpwuid(uid);
        if (pw != NULL && initgroups(pw->pw_name, pw->pw_gid) < 0)
                return -errno;
        if (pw == NULL && setgroups(0, NULL) < 0)
                return -errno;
        gid = pw != NULL ? pw->pw_gid : gid;
        if (setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
                return -errno;
        return net_raw ? grant_net_raw() : 0;
}

/* Standard input and output lead nowhere. An IPCP, which has a descriptor of ours, keeps standard error, for
 * the log; other programs must not write there. */
static int arrange_fds(int passed)
{
        int null = open("/dev/null", O_RDWR);

        if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
                return -errno;
        if (passed < 0)
                return dup2(null, STDERR_FILENO) < 0 ? -errno : 0;
        if (passed == PASSED_FD)
                return fcntl(passed, F_SETFD, 0) < 0 ? -errno : 0;
        return dup2(passed, PASSED_FD) < 0 ? -errno : 0;
}

/* In the child; does not return. All descriptors but those arranged here are close-on-exec. */
static void exec_program(const struct spawner *s, const Spawn__Start *m, char **argv, char **env, int passed,
                         int report)
{
        sigset_t none;
        int      r;

        setsid();
        report = fcntl(report, F_DUPFD_CLOEXEC, OWN_FDS); /* out of the way of PASSED_FD */
        r      = arrange_fds(passed);
        if (r == 0)
                r = become(m->keep_user ? s->self.uid : m->uid, s->self.gid,
                           m->keep_user && may_have_net_raw(s, argv[0]));
        if (r == 0) {
                sigemptyset(&none);
                sigprocmask(SIG_SETMASK, &none, NULL);
                signal(SIGPIPE, SIG_DFL);
                signal(SIGXFSZ, SIG_DFL);
                execve(argv[0], argv, env);
                r = -errno;
        }
        (void)!write(report, &r, sizeof(r));
        _exit(127);
}

/* A NULL-terminated copy of the array; the strings are borrowed. */
static char **vector(char **items, size_t n)
{
        char **v = calloc(n + 1, sizeof(*v));

        if (v != NULL && n > 0)
                memcpy(v, items, n * sizeof(*v));
        return v;
}

/* Forks, and waits for the exec: the pipe closes with it, or brings the error. Returns the pid or -errno. */
static int fork_program(const struct spawner *s, const Spawn__Start *m, char **argv, char **env, int passed)
{
        int   report[2];
        int   r = 0;
        pid_t pid;

        if (pipe2(report, O_CLOEXEC) < 0)
                return -errno;
        pid = fork();
        if (pid < 0)
                r = -errno;
        if (pid == 0)
                exec_program(s, m, argv, env, passed, report[1]);
        close(report[1]);
        if (pid > 0 && read(report[0], &r, sizeof(r)) != (ssize_t)sizeof(r))
                r = pid;
        close(report[0]);
        return r;
}

static int start(const struct spawner *s, const Spawn__Start *m, int passed)
{
        char **argv = vector(m->argv, m->n_argv);
        char **env  = vector(m->env, m->n_env);
        int    r    = -ENOMEM;

        if (m->n_argv == 0 || m->argv[0][0] != '/')
                r = -EINVAL;
        else if (argv != NULL && env != NULL)
                r = fork_program(s, m, argv, env, passed);
        free(argv);
        free(env);
        return r;
}

static void on_start(const struct spawner *s, uint32_t id, const Spawn__Start *m, int passed)
{
        Spawn__Started started = SPAWN__STARTED__INIT;
        Spawn__Reply   r       = SPAWN__REPLY__INIT;
        int            pid     = start(s, m, passed);

        r.result = pid < 0 ? pid : 0;
        if (pid > 0) {
                started.pid = pid;
                r.body_case = SPAWN__REPLY__BODY_STARTED;
                r.started   = &started;
        }
        reply(s, id, &r);
}

/* -- looking --------------------------------------------------------------- */

static bool read_link(pid_t pid, const char *what, char out[PATH_MAX])
{
        char    path[64];
        ssize_t n;

        snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, what);
        n = readlink(path, out, PATH_MAX - 1);
        if (n < 0)
                return false;
        out[n] = '\0';
        return true;
}

static size_t read_cmdline(pid_t pid, char *out, size_t cap)
{
        char    path[64];
        ssize_t n;
        int     fd;

        snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return 0;
        n = read(fd, out, cap - 1);
        close(fd);
        if (n <= 0)
                return 0;
        out[n] = '\0';
        return (size_t)n;
}

/* The real path of @arg as the process @pid sees it, when it is a regular file. */
static bool resolve(pid_t pid, const char *arg, char out[PATH_MAX])
{
        char        path[2 * PATH_MAX];
        char        cwd[PATH_MAX];
        struct stat st;

        if (arg[0] == '/')
                snprintf(path, sizeof(path), "%s", arg);
        else if (read_link(pid, "cwd", cwd))
                snprintf(path, sizeof(path), "%s/%s", cwd, arg);
        else
                return false;
        return realpath(path, out) != NULL && stat(out, &st) == 0 && S_ISREG(st.st_mode);
}

/*
 * An interpreter is started with the path of its script as the first argument that is not an option. This
 * tells programs apart; it is not a proof, since a process can rewrite its arguments.
 */
static bool find_script(pid_t pid, char out[PATH_MAX])
{
        char   args[PATH_MAX];
        size_t n = read_cmdline(pid, args, sizeof(args));

        for (size_t at = strlen(args) + 1; n > 0 && at < n; at += strlen(args + at) + 1) {
                if (args[at] != '-' && args[at] != '\0')
                        return resolve(pid, args + at, out);
        }
        return false;
}

static void on_inspect(const struct spawner *s, uint32_t id, const Spawn__Inspect *m)
{
        Spawn__Inspected seen = SPAWN__INSPECTED__INIT;
        Spawn__Reply     r    = SPAWN__REPLY__INIT;
        char             exe[PATH_MAX];
        char             script[PATH_MAX];

        if (m->pid <= 0 || !read_link(m->pid, "exe", exe)) {
                r.result = -ESRCH;
        } else {
                seen.exe    = exe;
                seen.script = find_script(m->pid, script) ? script : (char *)protobuf_c_empty_string;
                r.body_case = SPAWN__REPLY__BODY_INSPECTED;
                r.inspected = &seen;
        }
        reply(s, id, &r);
}

/* -- the process ----------------------------------------------------------- */

static void handle(const struct spawner *s, const uint8_t *buf, size_t len, int passed)
{
        struct rd       rd = {buf, buf + len, false};
        struct frame    f;
        Spawn__Request *m;

        if (!frame_get(&rd, &f))
                return;
        m = spawn__request__unpack(NULL, (size_t)(rd.end - rd.p), rd.p);
        if (m == NULL)
                return;
        if (m->verb_case == SPAWN__REQUEST__VERB_START)
                on_start(s, f.id, m->start, passed);
        else if (m->verb_case == SPAWN__REQUEST__VERB_INSPECT)
                on_inspect(s, f.id, m->inspect);
        spawn__request__free_unpacked(m, NULL);
}

/* False: irmd has gone. */
static bool serve_request(const struct spawner *s)
{
        static uint8_t buf[FRAME_MAX]; /* this process has one thread and nothing else to do */
        int            fds[CTL_FDS_MAX];
        size_t         n_fds;
        ssize_t        n = ctl_recv(s->sock, buf, fds, &n_fds, 0);

        if (n <= 0)
                return n == -EINTR || n == -EMSGSIZE;
        handle(s, buf, (size_t)n, n_fds > 0 ? fds[0] : -1);
        fd_close_all(fds, n_fds);
        return true;
}

static void reap(const struct spawner *s)
{
        int   status;
        pid_t pid;

        while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
                Spawn__Exited exited = SPAWN__EXITED__INIT;
                Spawn__Reply  r      = SPAWN__REPLY__INIT;

                exited.pid    = pid;
                exited.status = status;
                r.body_case   = SPAWN__REPLY__BODY_EXITED;
                r.exited      = &exited;
                reply(s, 0, &r);
        }
}

/* Signals that stop irmd reach the whole process group of a terminal; the spawner goes when irmd goes. */
static int block_signals(void)
{
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGHUP);
        sigaddset(&set, SIGCHLD);
        sigprocmask(SIG_BLOCK, &set, NULL);
        sigemptyset(&set);
        sigaddset(&set, SIGCHLD);
        return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Keeps @sock and the standard descriptors, and nothing that irmd's parent may have left open. */
static int keep_only(int sock)
{
        int r = fcntl(sock, F_DUPFD_CLOEXEC, OWN_FDS);

        if (r < 0)
                _exit(1);
        close_range(PASSED_FD, (unsigned)r - 1, 0);
        close_range((unsigned)r + 1, UINT_MAX, 0);
        return r;
}

static void run(struct spawner *s)
{
        struct signalfd_siginfo si;
        struct pollfd           p[2] = {{.events = POLLIN}, {.events = POLLIN}};

        s->sock = p[0].fd = keep_only(s->sock);
        prctl(PR_SET_NAME, "irmd-spawner");
        p[1].fd = block_signals();
        for (;;) {
                if (poll(p, 2, -1) < 0 && errno != EINTR)
                        _exit(1);
                if (p[1].revents != 0) {
                        while (read(p[1].fd, &si, sizeof(si)) > 0)
                                ;
                        reap(s);
                }
                if (p[0].revents != 0 && !serve_request(s))
                        _exit(0);
        }
}

int spawner_fork(const struct spawner_user *self)
{
        struct spawner s = {.self = *self};
        int            pair[2];
        pid_t          pid;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        pid = fork();
        if (pid < 0) {
                fd_close_all(pair, 2);
                return -errno;
        }
        if (pid == 0) {
                s.sock = pair[1];
                run(&s);
        }
        close(pair[1]);
        return pair[0];
}
