/*
 * fuzz_irm_msg.c - f09 and f11: what applications send to irmd, and what an IPCP sends back.
 *
 * All of irmd but its main() runs here on its own loop. The input is a sequence of packets
 *
 *     | to 8 | length 16 | body |      to % 3: from 0, 1 the two applications, 2 the IPCP that was started last, which
 *                                      says it under the id to / 3
 *
 * which reach it as frames over real sockets, one loop turn after each. The spawner is played here: it starts nothing, and says that programs run with a pid that
 * cannot exist.
 *
 * Invariants: a refused request changes nothing; when the applications and IPCPs have gone and the names are destroyed, nothing is left. No sanitizer report,
 * no leak.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "audit.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "bind.h"
#include "ctl/ctl.h"
#include "flow.h"
#include "ipcp.h"
#include "keep.h"
#include "loop/ticker.h"
#include "name.h"
#include "proc.h"
#include "quota.h"
#include "security.h"
#include "spawn.h"
#include "spawn.pb-c.h"

#define N_APPS    2
#define TURNS_MAX 32
#define PID_FIRST 2000000000 /* above every pid_max */
#define ID_FIRST  77u        /* of the applications' requests */
#define FDS       64         /* few, so that running out is met */

struct world {
        struct conf conf;
        struct irmd irmd;
        int         spawner; /* the other end of irmd's */
        int         app[N_APPS];
        int         ipcp; /* of the one started last, or -1 */
        pid_t       last_pid;
        uint32_t    last_id;
};

static uint8_t packet[FRAME_MAX];
static char    ipcp_dir[] = "/tmp/fuzz_irm_msg.XXXXXX"; /* with a program that is never run */

static void must(bool holds)
{
        if (!holds)
                abort();
}

/* -- the spawner ----------------------------------------------------------- */

static void spawner_send(struct world *w, uint32_t id, const Spawn__Reply *r)
{
        struct frame f = {.id = id};
        uint8_t      body[256];

        ctl_send(w->spawner, &f, body, spawn__reply__pack(r, body), NULL, 0, MSG_DONTWAIT);
}

static void spawner_say_exited(struct world *w, pid_t pid)
{
        Spawn__Reply  r  = SPAWN__REPLY__INIT;
        Spawn__Exited ex = SPAWN__EXITED__INIT;

        ex.pid      = pid;
        r.body_case = SPAWN__REPLY__BODY_EXITED;
        r.exited    = &ex;
        spawner_send(w, 0, &r);
}

static void spawner_start(struct world *w, uint32_t id, int *fd)
{
        Spawn__Reply   r  = SPAWN__REPLY__INIT;
        Spawn__Started st = SPAWN__STARTED__INIT;

        if (*fd >= 0) { /* an IPCP's end of its socket */
                fd_close(&w->ipcp);
                w->ipcp = *fd;
                *fd     = -1;
        }
        st.pid      = ++w->last_pid;
        r.body_case = SPAWN__REPLY__BODY_STARTED;
        r.started   = &st;
        spawner_send(w, id, &r);
}

static void spawner_inspect(struct world *w, uint32_t id)
{
        Spawn__Reply     r = SPAWN__REPLY__INIT;
        Spawn__Inspected i = SPAWN__INSPECTED__INIT;

        i.exe       = (char *)"/usr/bin/true";
        r.body_case = SPAWN__REPLY__BODY_INSPECTED;
        r.inspected = &i;
        spawner_send(w, id, &r);
}

/* True when there was a question. */
static bool spawner_turn(struct world *w)
{
        int             fds[CTL_FDS_MAX] = {-1, -1, -1, -1};
        size_t          n_fds            = 0;
        ssize_t         n                = ctl_recv(w->spawner, packet, fds, &n_fds, MSG_DONTWAIT);
        struct rd       rd               = {.p = packet, .end = packet + (n > 0 ? n : 0)};
        struct frame    f;
        Spawn__Request *m;

        if (n <= 0 || !frame_get(&rd, &f))
                return false;
        m = spawn__request__unpack(NULL, (size_t)(rd.end - rd.p), rd.p);
        must(m != NULL);
        if (m->verb_case == SPAWN__REQUEST__VERB_START)
                spawner_start(w, f.id, &fds[0]);
        else
                spawner_inspect(w, f.id);
        spawn__request__free_unpacked(m, NULL);
        fd_close_all(fds, n_fds);
        return true;
}

/* -- the world ------------------------------------------------------------- */

static void due(void *ctx, struct deadline *dl, int64_t now_ns)
{
        struct timeout *t = (struct timeout *)(void *)((char *)dl - offsetof(struct timeout, deadline));

        (void)ctx, (void)now_ns;
        t->due(t);
}

static void exited(void *ctx, pid_t pid, int status)
{
        ipcp_exited(ctx, pid, status);
        bind_exited(ctx, pid, status);
}

static const struct spawn_ops spawn_ops = {exited};

static void settle(struct world *w)
{
        int i = 0;

        do
                uv_run(&w->irmd.loop, UV_RUN_NOWAIT);
        while (spawner_turn(w) && ++i < TURNS_MAX);
        uv_run(&w->irmd.loop, UV_RUN_NOWAIT);
}

static int app_open(struct world *w)
{
        int ends[2];

        must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
        proc_open(&w->irmd, ends[0]);
        return ends[1];
}

static void world_open(struct world *w)
{
        int           ends[2];
        struct limits limits = {.ports_per_process    = 16,
                                .ports_per_user       = 24,
                                .bytes_per_user       = 64 << 20,
                                .connections_per_user = 16,
                                .backlog              = 4,
                                .alloc_timeout_ms     = 20000,
                                .signed_requests      = 64};

        *w = (struct world){
                .conf = {.limits = limits}, .ipcp = -1, .last_pid = PID_FIRST, .last_id = ID_FIRST - 1};
        memcpy(w->conf.ipcp_dir, ipcp_dir, sizeof(ipcp_dir));
        memcpy(w->conf.config_dir, ipcp_dir,
               sizeof(ipcp_dir)); /* no credentials: handshakes are not at stake here */
        memcpy(w->conf.state_dir, ipcp_dir, sizeof(ipcp_dir));
        w->irmd =
                (struct irmd){.conf = &w->conf, .uid = getuid(), .listen_fd = -1, .born_ns = clock_now_ns()};
        must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
        w->spawner = ends[1];
        TAILQ_INIT(&w->irmd.ipcps);
        TAILQ_INIT(&w->irmd.procs);
        uv_loop_init(&w->irmd.loop);
        w->irmd.quotas = quotas_create(&w->conf.limits);
        keeps_init(&w->irmd.keeps, w->irmd.quotas, FDS);
        w->irmd.ticker = ticker_open(&w->irmd.loop, due, &w->irmd);
        w->irmd.spawn  = spawn_open(&w->irmd.loop, ends[0], &spawn_ops, &w->irmd);
        must(audit_open(&w->irmd.audit, "/dev/null", NULL) == 0);
        w->irmd.security = security_open(&w->irmd);
        must(w->irmd.security != NULL);
        for (int i = 0; i < N_APPS; i++)
                w->app[i] = app_open(w);
        settle(w);
}

static void world_close(struct world *w)
{
        for (int i = 0; i < N_APPS; i++)
                fd_close(&w->app[i]);
        fd_close(&w->ipcp);
        settle(w);
        must(TAILQ_EMPTY(&w->irmd.procs));
        for (pid_t pid = PID_FIRST; pid <= w->last_pid; pid++) {
                spawner_say_exited(w, pid);
                settle(w);
        }
        must(TAILQ_EMPTY(&w->irmd.ipcps));
        must(w->irmd.flows == NULL);
        while (w->irmd.names != NULL)
                name_destroy(w->irmd.names);
        security_close(w->irmd.security);
        audit_close(w->irmd.audit);
        spawn_close(w->irmd.spawn);
        ticker_close(w->irmd.ticker);
        uv_run(&w->irmd.loop, UV_RUN_DEFAULT);
        must(uv_loop_close(&w->irmd.loop) == 0);
        quotas_destroy(w->irmd.quotas);
        fd_close(&w->spawner);
}

/* -- the registry as a number ---------------------------------------------- */

static uint64_t mix(uint64_t h, const void *p, size_t len)
{
        for (const uint8_t *b = p; len > 0; len--)
                h = (h ^ *b++) * UINT64_C(0x100000001b3);
        return h;
}

static uint64_t digest_name(uint64_t h, const struct name *n)
{
        struct prog_bind *prog;
        struct pid_bind  *pid;

        h = mix(h, n->name, strlen(n->name));
        h = mix(h, &n->lb, sizeof(n->lb));
        LIST_FOREACH (prog, &n->progs, by_name) {
                h = mix(h, prog->path, strlen(prog->path));
                h = mix(h, &prog->n_args, sizeof(prog->n_args));
        }
        LIST_FOREACH (pid, &n->pids, by_name)
                h = mix(h, &pid->pid, sizeof(pid->pid));
        return h;
}

static uint64_t digest(const struct irmd *d)
{
        uint64_t     h = UINT64_C(0xcbf29ce484222325);
        struct name *n, *next_name;
        struct flow *f, *next_flow;
        struct ipcp *i;

        HASH_ITER (hh, d->names, n, next_name)
                h = digest_name(h, n);
        HASH_ITER (hh, d->flows, f, next_flow)
                h = mix(h, &f->id, sizeof(f->id));
        TAILQ_FOREACH (i, &d->ipcps, all)
                h = mix(h, i->name, strlen(i->name));
        return h;
}

/* -- one input ------------------------------------------------------------- */

/* Reads what irmd said; true when it refused request @id. */
static bool was_refused(int sock, uint32_t id)
{
        int    fds[CTL_FDS_MAX];
        size_t n_fds   = 0;
        bool   refused = false;

        for (ssize_t n; (n = ctl_recv(sock, packet, fds, &n_fds, MSG_DONTWAIT)) > 0;) {
                struct rd    rd = {.p = packet, .end = packet + n};
                struct frame f;
                Irm__Reply  *r;

                fd_close_all(fds, n_fds);
                must(frame_get(&rd, &f));
                r = irm__reply__unpack(NULL, (size_t)(rd.end - rd.p), rd.p);
                if (r == NULL)
                        continue; /* the IPCP's */
                refused = refused || (f.id == id && r->result < 0);
                irm__reply__free_unpacked(r, NULL);
        }
        return refused;
}

static void deliver(struct world *w, uint8_t to, const uint8_t *body, size_t len)
{
        bool         app    = to % 3 < N_APPS;
        struct frame f      = {.id = app ? ++w->last_id : to / 3u};
        int          sock   = app ? w->app[to % 3] : w->ipcp;
        uint64_t     before = digest(&w->irmd);

        if (sock < 0)
                return;
        ctl_send(sock, &f, body, len, NULL, 0, MSG_DONTWAIT);
        settle(w);
        if (was_refused(sock, f.id) && app)
                must(digest(&w->irmd) == before);
}

#define IPCP_PATH (sizeof(ipcp_dir) + sizeof("/ipcpd-local"))

static void ipcp_path(char path[IPCP_PATH])
{
        snprintf(path, IPCP_PATH, "%s/ipcpd-local", ipcp_dir);
}

static void remove_ipcp_dir(void)
{
        char path[IPCP_PATH];

        ipcp_path(path);
        unlink(path);
        snprintf(path, sizeof(path), "%s/horizon", ipcp_dir);
        unlink(path);
        rmdir(ipcp_dir);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
        char path[IPCP_PATH];

        (void)argc, (void)argv;
        must(mkdtemp(ipcp_dir) != NULL);
        ipcp_path(path);
        must(symlink("/bin/true", path) == 0);
        atexit(remove_ipcp_dir);
        signal(SIGPIPE, SIG_IGN); /* as in irmd's main() */
        return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const uint8_t hello[] = {0x0a, 0x02, 0x08, 0x01};
        struct rd            rd      = {.p = data, .end = data + size};
        struct world         w;

        log_init("fuzz", LOG_ERROR);
        world_open(&w);
        for (uint8_t i = 0; i < N_APPS; i++)
                deliver(&w, i, hello, sizeof(hello));
        for (int packets = 0; packets < 64; packets++) {
                uint8_t to  = (uint8_t)rd_be(&rd, 1);
                size_t  len = (size_t)rd_be(&rd, 2);

                if (rd.bad || len > (size_t)(rd.end - rd.p) || len > FRAME_MAX - FRAME_HDR)
                        break;
                deliver(&w, to, rd.p, len);
                rd.p += len;
        }
        world_close(&w);
        return 0;
}
