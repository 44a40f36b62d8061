#include "proc.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ouroboros/errno.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "bind.h"
#include "flow.h"
#include "loop/chan.h"
#include "spawn.h"
#include "verbs.h"

#define PROTOCOL_VERSION 1u
#define ACCEPTS_MAX      1024u /* flow_accept() calls that one process may have waiting */
#define GROUPS_MAX       256

/* -- answers --------------------------------------------------------------- */

void proc_answer(struct proc *p, uint32_t id, const Irm__Reply *r, bool more, const int *fds, size_t n_fds)
{
        if (id != 0)
                chan_send(p->chan, id, more ? FRAME_MORE : 0, &r->base, fds, n_fds);
}

void proc_reply(struct proc *p, uint32_t id, int result, const char *why)
{
        Irm__Reply r = IRM__REPLY__INIT;

        r.result = result;
        if (why != NULL)
                r.reason = (char *)why;
        proc_answer(p, id, &r, false, NULL, 0);
}

void proc_refuse(struct proc *p, uint32_t id, int result, const char *fmt, ...)
{
        char    why[512];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(why, sizeof(why), fmt, ap);
        va_end(ap);
        log_dbg("process %d (uid %u): refused: %s", (int)p->pid, (unsigned)p->uid, why);
        proc_reply(p, id, result, why);
}

/* -- waiting for flows ----------------------------------------------------- */

static void accept_remove(struct accept *a)
{
        irmd_timeout_cancel(a->proc->irmd, &a->patience);
        if (a->flow != NULL) {
                TAILQ_REMOVE(&a->proc->taken, a, by_proc);
        } else {
                TAILQ_REMOVE(&a->proc->accepts, a, by_proc);
                a->proc->n_accepts--;
        }
}

static void accept_free(struct accept *a)
{
        accept_remove(a);
        if (a->flow != NULL)
                a->flow->accept = NULL;
        free(a);
}

static void accept_timed_out(struct timeout *t)
{
        struct accept *a = (struct accept *)(void *)((char *)t - offsetof(struct accept, patience));

        proc_reply(a->proc, a->id, -ETIMEDOUT, NULL);
        accept_free(a);
}

struct accept *accept_take(struct proc *p, struct flow *f)
{
        struct accept *a = TAILQ_FIRST(&p->accepts);

        accept_remove(a);
        a->flow = f;
        TAILQ_INSERT_TAIL(&p->taken, a, by_proc);
        return a;
}

void accept_give_back(struct accept *a)
{
        struct proc *p = a->proc;

        accept_remove(a);
        a->flow = NULL;
        TAILQ_INSERT_HEAD(&p->accepts, a, by_proc);
        p->n_accepts++;
        if (a->due_ns != CLOCK_NEVER && irmd_timeout_set(p->irmd, &a->patience, a->due_ns) < 0)
                accept_timed_out(&a->patience);
}

uint32_t accept_end(struct accept *a)
{
        uint32_t id = a->id;

        accept_free(a);
        return id;
}

int accept_wait(struct proc *p, uint32_t id, uint64_t timeout_ms, const uint8_t *data, size_t data_len)
{
        struct accept *a;

        if (p->n_accepts >= ACCEPTS_MAX)
                return -EUSERS;
        a = calloc(1, sizeof(*a) + data_len);
        if (a == NULL)
                return -ENOMEM;
        a->proc         = p;
        a->id           = id;
        a->patience.due = accept_timed_out;
        a->data_len     = data_len;
        if (data_len > 0)
                memcpy(a->data, data, data_len);
        a->due_ns =
                timeout_ms == 0 ? CLOCK_NEVER : clock_after(clock_now_ns(), (int64_t)timeout_ms * NS_PER_MS);
        if (timeout_ms > 0 && irmd_timeout_set(p->irmd, &a->patience, a->due_ns) < 0) {
                free(a);
                return -ENOMEM;
        }
        TAILQ_INSERT_TAIL(&p->accepts, a, by_proc);
        p->n_accepts++;
        return 0;
}

static struct accept *accept_of_request(const struct proc *p, uint32_t id, bool waiting_only)
{
        struct accept *a;

        TAILQ_FOREACH (a, &p->accepts, by_proc) {
                if (a->id == id)
                        return a;
        }
        TAILQ_FOREACH (a, &p->taken, by_proc) {
                if (a->id == id && !waiting_only)
                        return a;
        }
        return NULL;
}

bool accept_cancel(struct proc *p, uint32_t id, bool waiting_only)
{
        struct accept *a = accept_of_request(p, id, waiting_only);

        if (a != NULL)
                accept_free(a);
        return a != NULL;
}

void proc_ring_watch(struct proc *p)
{
        if (p->watch.keeper < 0 || p->watch_rung)
                return;
        p->watch_rung = true;
        bell_ring(p->watch.keeper);
}

/* -- requests -------------------------------------------------------------- */

static void hello(struct proc *p, uint32_t id, const Irm__Hello *m)
{
        Irm__HelloReply hi = IRM__HELLO_REPLY__INIT;
        Irm__Reply      r  = IRM__REPLY__INIT;

        hi.version = PROTOCOL_VERSION;
        if (m->version != PROTOCOL_VERSION) {
                log_info("process %d: speaks version %u of the protocol", (int)p->pid, m->version);
                r.result = -EPROTONOSUPPORT;
                r.reason = (char *)"this daemon speaks version 1 of the protocol";
        } else {
                p->greeted = true;
        }
        r.body_case = IRM__REPLY__BODY_HELLO;
        r.hello     = &hi;
        proc_answer(p, id, &r, false, NULL, 0);
}

static void dispatch(struct proc *p, uint32_t id, const Irm__Request *m)
{
        const struct verb *v;

        if (m->verb_case == IRM__REQUEST__VERB_HELLO) {
                hello(p, id, m->hello);
                return;
        }
        v = verb_find(m->verb_case);
        if (!p->greeted) {
                proc_refuse(p, id, -EPROTO, "the first message of a connection is hello");
        } else if (v == NULL) {
                log_info("process %d (uid %u): asks for an unknown verb", (int)p->pid, (unsigned)p->uid);
                proc_refuse(p, id, -EPROTO, "unknown verb");
        } else if (v->admin && !p->admin) {
                log_info("process %d (uid %u, %s): is refused %s", (int)p->pid, (unsigned)p->uid, p->comm,
                         v->name);
                proc_refuse(p, id, -EACCES, "%s needs root, the daemon's own user or group ouroboros",
                            v->name);
        } else {
                v->fn(p, id, m);
        }
}

static void on_packet(void *ctx, int fault, const struct frame *f, const uint8_t *body, size_t len, int *fds,
                      size_t n_fds)
{
        struct proc  *p = ctx;
        Irm__Request *m = fault == 0 ? irm__request__unpack(NULL, len, body) : NULL;

        (void)fds, (void)n_fds;
        if (m == NULL) {
                log_info("process %d (uid %u): sends a message that is %s", (int)p->pid, (unsigned)p->uid,
                         fault == -EMSGSIZE ? "too large" : "malformed");
                /* With a frame that makes sense the asker can be told. */
                if (fault == 0)
                        proc_refuse(p, f->id, -EPROTO, "the message is malformed");
                else
                        proc_close(p);
                return;
        }
        dispatch(p, f->id, m);
        irm__request__free_unpacked(m, NULL);
}

static void on_gone(void *ctx, int err)
{
        struct proc *p = ctx;

        if (err == -ENOBUFS)
                log_warn("process %d (uid %u): does not read its answers; its connection is ended",
                         (int)p->pid, (unsigned)p->uid);
        proc_close(p);
}

static const struct chan_ops chan_ops = {on_packet, on_gone};

/* -- who it is ------------------------------------------------------------- */

static bool in_admin_group(const struct irmd *d, int sock, gid_t primary)
{
        gid_t     groups[GROUPS_MAX];
        socklen_t len = sizeof(groups);

        if (!d->has_admin_gid)
                return false;
        if (primary == d->admin_gid)
                return true;
        if (getsockopt(sock, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
                return false;
        for (size_t i = 0; i < len / sizeof(groups[0]); i++) {
                if (groups[i] == d->admin_gid)
                        return true;
        }
        return false;
}

static void read_comm(struct proc *p)
{
        char  path[64];
        FILE *f;

        snprintf(path, sizeof(path), "/proc/%d/comm", (int)p->pid);
        f = fopen(path, "re");
        if (f == NULL)
                return;
        if (fgets(p->comm, sizeof(p->comm), f) == NULL)
                p->comm[0] = '\0';
        p->comm[strcspn(p->comm, "\n")] = '\0';
        fclose(f);
}

static void seen(void *ctx, const char *exe, const char *script)
{
        struct proc *p = ctx;

        if (exe == NULL)
                log_dbg("process %d: its program cannot be seen", (int)p->pid);
        else if ((p->exe = strdup(exe)) != NULL)
                p->script = strdup(script);
        bind_refresh_proc(p);
}

const char *proc_user(struct proc *p)
{
        char          buf[4096];
        struct passwd pw, *found = NULL;

        if (p->user == NULL) {
                if (getpwuid_r(p->uid, &pw, buf, sizeof(buf), &found) != 0)
                        found = NULL;
                p->user = strdup(found != NULL ? found->pw_name : "");
        }
        return p->user != NULL ? p->user : "";
}

static struct proc *proc_new(struct irmd *d, const struct ctl_peer *peer, struct quota *q)
{
        struct proc *p = calloc(1, sizeof(*p));

        if (p == NULL)
                return NULL;
        p->irmd   = d;
        p->serial = ++d->last_serial;
        p->pid    = peer->pid;
        p->uid    = peer->uid;
        p->quota  = q;
        p->watch  = BELL_NONE;
        TAILQ_INIT(&p->flows);
        TAILQ_INIT(&p->accepts);
        TAILQ_INIT(&p->taken);
        TAILQ_INIT(&p->links);
        return p;
}

void proc_open(struct irmd *d, int sock)
{
        struct ctl_peer peer;
        struct quota   *q;
        struct proc    *p;
        int             r = ctl_peer(sock, &peer);

        if (r < 0) {
                close(sock);
                return;
        }
        fd_close(&peer.pidfd); /* the end of the connection tells us as much */
        r = quota_connect(d->quotas, peer.uid, &q);
        if (r < 0) {
                log_warn("process %d (uid %u): refused a connection: %s", (int)peer.pid, (unsigned)peer.uid,
                         r == -EUSERS ? "the user has as many as it may" : "out of memory");
                close(sock);
                return;
        }
        p = proc_new(d, &peer, q);
        if (p != NULL)
                p->admin = peer.uid == 0 || peer.uid == d->uid || in_admin_group(d, sock, peer.gid);
        if (p == NULL || (p->chan = chan_open(&d->loop, sock, &chan_ops, p)) == NULL) {
                if (p == NULL)
                        close(sock);
                free(p);
                quota_disconnect(d->quotas, q);
                return;
        }
        read_comm(p);
        TAILQ_INSERT_TAIL(&d->procs, p, all);
        HASH_ADD(hh, d->proc_by_serial, serial, sizeof(p->serial), p);
        log_dbg("process %d (uid %u, %s): connected", (int)p->pid, (unsigned)p->uid, p->comm);
        bind_refresh_proc(p);
        spawn_inspect(d->spawn, p->pid, seen, p);
}

void proc_close(struct proc *p)
{
        struct irmd *d = p->irmd;

        log_dbg("process %d: disconnected", (int)p->pid);
        chan_close(p->chan);
        p->chan = NULL;
        spawn_forget(d->spawn, p);
        while (!TAILQ_EMPTY(&p->accepts))
                accept_free(TAILQ_FIRST(&p->accepts));
        while (!TAILQ_EMPTY(&p->taken))
                accept_free(TAILQ_FIRST(&p->taken));
        while (!TAILQ_EMPTY(&p->flows))
                flow_end(TAILQ_FIRST(&p->flows), "died");
        keeps_forget(&d->keeps, p->serial);
        bind_drop_proc(p);
        bell_close(&p->watch);
        TAILQ_REMOVE(&d->procs, p, all);
        HASH_DEL(d->proc_by_serial, p);
        quota_disconnect(d->quotas, p->quota);
        free(p->exe);
        free(p->script);
        free(p->user);
        free(p);
}

struct proc *proc_by_serial(const struct irmd *d, uint64_t serial)
{
        struct proc *p;

        HASH_FIND(hh, d->proc_by_serial, &serial, sizeof(serial), p);
        return p;
}
