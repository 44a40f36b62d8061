#include "ipcp.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ouroboros/errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "flow.h"
#include "ipcp.pb-c.h"
#include "loop/chan.h"
#include "mgmt.h"
#include "pb/convert.h"
#include "pb/ipcp_config.h"
#include "proc.h"
#include "reg.h"
#include "spawn.h"
#include "way.h"

#define START_NS (10 * NS_PER_S) /* an IPCP that is not ready by then is given up */
#define LEAVE_NS (2 * NS_PER_S)  /* one that has not ended by then is killed      */

static const struct span no_bytes;

/* A question that the IPCP has not answered. */
struct ipcp_call {
        uint32_t       id;
        ipcp_done_fn  *done;
        void          *ctx;
        UT_hash_handle hh;
};

/* Lower is tried first for a flow. */
static const int preference[] = {
        [IPCP_LOCAL] = 0, [IPCP_UNICAST] = 1, [IPCP_ETH_LLC] = 2,  [IPCP_ETH_DIX] = 2,
        [IPCP_UDP4] = 3,  [IPCP_UDP6] = 3,    [IPCP_BROADCAST] = 4};

/* -- asking ---------------------------------------------------------------- */

static void send_request(struct ipcp *i, uint32_t id, Ipcp__Request *req, const int *fds, size_t n_fds)
{
        Ipcp__Message m = IPCP__MESSAGE__INIT;

        m.kind_case = IPCP__MESSAGE__KIND_REQUEST;
        m.request   = req;
        if (i->chan != NULL)
                chan_send(i->chan, id, 0, &m.base, fds, n_fds);
}

void ipcp_tell(struct ipcp *i, Ipcp__Request *req)
{
        send_request(i, 0, req, NULL, 0);
}

static uint32_t ask_with(struct ipcp *i, Ipcp__Request *req, const int *fds, size_t n_fds, ipcp_done_fn *done,
                         void *ctx)
{
        struct ipcp_call *call = malloc(sizeof(*call));

        if (call == NULL)
                return 0;
        if (++i->last_id == 0)
                i->last_id = 1;
        *call = (struct ipcp_call){.id = i->last_id, .done = done, .ctx = ctx};
        HASH_ADD(hh, i->calls, id, sizeof(call->id), call);
        send_request(i, call->id, req, fds, n_fds);
        return call->id;
}

uint32_t ipcp_ask(struct ipcp *i, Ipcp__Request *req, ipcp_done_fn *done, void *ctx)
{
        return ask_with(i, req, NULL, 0, done, ctx);
}

static void finish_call(struct ipcp *i, struct ipcp_call *call, int result, struct span oap,
                        const struct way *way)
{
        HASH_DEL(i->calls, call);
        call->done(call->ctx, result, oap, way);
        free(call);
}

void ipcp_forget(struct ipcp *i, uint32_t id)
{
        struct ipcp_call *call;

        HASH_FIND(hh, i->calls, &id, sizeof(id), call);
        if (call == NULL)
                return;
        HASH_DEL(i->calls, call);
        free(call);
}

static ProtobufCBinaryData put_span(struct span s)
{
        return (ProtobufCBinaryData){.len = s.len, .data = (uint8_t *)s.p};
}

static void send_reply(struct ipcp *i, uint32_t id, Ipcp__Reply *r, const int *fds, size_t n_fds)
{
        Ipcp__Message m = IPCP__MESSAGE__INIT;

        m.kind_case = IPCP__MESSAGE__KIND_REPLY;
        m.reply     = r;
        if (i->chan != NULL)
                chan_send(i->chan, id, 0, &m.base, fds, n_fds);
}

/* The IPCP's side of the port of @f; none with a local layer, whose flows have a process at either side. */
static size_t port_fds(const struct ipcp *i, const struct flow *f, int fds[3])
{
        if (i->type == IPCP_LOCAL)
                return 0;
        keep_fds(f->keep, !f->side, fds);
        return 3;
}

static void port_handed(const struct ipcp *i, const struct flow *f)
{
        if (i->type != IPCP_LOCAL)
                keep_handed(f->keep, &i->irmd->keeps, !f->side);
}

int ipcp_flow_alloc(struct ipcp *i, struct flow *f, struct span oap, ipcp_done_fn *done)
{
        Ipcp__Request   req   = IPCP__REQUEST__INIT;
        Ipcp__FlowAlloc alloc = IPCP__FLOW_ALLOC__INIT;
        uint8_t         digest[HASH_MAX];
        Irm__Qos        qos;
        int             fds[3];

        pb_qos_put(&qos, &f->qos);
        hash_sum(i->algo, f->dst, strlen(f->dst), digest);
        alloc.flow_id  = f->id;
        alloc.hash     = (ProtobufCBinaryData){.len = hash_len(i->algo), .data = digest};
        alloc.qos      = &qos;
        alloc.oap      = put_span(oap);
        req.verb_case  = IPCP__REQUEST__VERB_FLOW_ALLOC;
        req.flow_alloc = &alloc;
        f->call        = ask_with(i, &req, fds, port_fds(i, f, fds), done, f);
        if (f->call == 0)
                return -ENOMEM;
        port_handed(i, f);
        return 0;
}

void ipcp_flow_accept(struct ipcp *i, uint32_t id, struct flow *f, struct span oap)
{
        Ipcp__Reply r = IPCP__REPLY__INIT;
        int         fds[3];

        r.flow_id = f->id;
        r.oap     = put_span(oap);
        send_reply(i, id, &r, fds, port_fds(i, f, fds));
        port_handed(i, f);
}

void ipcp_flow_refuse(struct ipcp *i, uint32_t id, int result)
{
        Ipcp__Reply r = IPCP__REPLY__INIT;

        r.result = result;
        send_reply(i, id, &r, NULL, 0);
}

void ipcp_flow_forget(struct ipcp *i, struct flow *f)
{
        if (f->call != 0)
                ipcp_forget(i, f->call);
        f->call = 0;
}

void ipcp_flow_dealloc(struct ipcp *i, struct flow *f)
{
        Ipcp__Request     req     = IPCP__REQUEST__INIT;
        Ipcp__FlowDealloc dealloc = IPCP__FLOW_DEALLOC__INIT;

        ipcp_flow_forget(i, f);
        if (i->type == IPCP_LOCAL) /* knows of no flow */
                return;
        dealloc.flow_id  = f->id;
        req.verb_case    = IPCP__REQUEST__VERB_FLOW_DEALLOC;
        req.flow_dealloc = &dealloc;
        ipcp_tell(i, &req);
}

/* -- life ------------------------------------------------------------------ */

static void set_state(struct ipcp *i, enum ipcp_state state)
{
        log_info("ipcp %s (%s, process %d): %s -> %s", i->name, pb_ipcp_type_name(i->type), (int)i->pid,
                 pb_ipcp_state_name(i->state), pb_ipcp_state_name(state));
        i->state = state;
}

struct ipcp *ipcp_by_pid(const struct irmd *d, pid_t pid)
{
        struct ipcp *i;

        TAILQ_FOREACH (i, &d->ipcps, all) {
                if (i->pid == pid && pid > 0 && i->chan != NULL)
                        return i;
        }
        return NULL;
}

struct ipcp *ipcp_by_name(const struct irmd *d, const char *name)
{
        struct ipcp *i;

        TAILQ_FOREACH (i, &d->ipcps, all) {
                if (strcmp(i->name, name) == 0)
                        return i;
        }
        return NULL;
}

struct ipcp *ipcp_by_serial(const struct irmd *d, uint64_t serial)
{
        struct ipcp *i;

        TAILQ_FOREACH (i, &d->ipcps, all) {
                if (i->serial == serial)
                        return i;
        }
        return NULL;
}

/* All that hangs on it: questions, flows, registrations. */
static void cut_off(struct ipcp *i)
{
        i->leaving = true;
        chan_close(i->chan);
        i->chan = NULL;
        while (i->calls != NULL)
                finish_call(i, i->calls, -EIPCP, no_bytes, NULL);
        while (!TAILQ_EMPTY(&i->flows))
                flow_down(TAILQ_FIRST(&i->flows));
        while (i->regs != NULL)
                reg_free(i->regs);
}

void ipcp_free(struct ipcp *i)
{
        struct mgmt *creator   = i->creator;
        struct mgmt *destroyer = i->destroyer;

        cut_off(i);
        irmd_timeout_cancel(i->irmd, &i->patience);
        spawn_forget(i->irmd->spawn, i);
        TAILQ_REMOVE(&i->irmd->ipcps, i, all);
        mgmt_done(creator, -EIPCP, "the IPCP ended before it was ready");
        mgmt_done(destroyer, 0, NULL);
        free(i);
}

void ipcp_exited(struct irmd *d, pid_t pid, int status)
{
        struct ipcp *i;

        TAILQ_FOREACH (i, &d->ipcps, all) {
                if (i->pid != pid)
                        continue;
                if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && i->leaving)
                        log_info("ipcp %s: has ended", i->name);
                else if (WIFSIGNALED(status))
                        log_warn("ipcp %s: was ended by signal %d", i->name, WTERMSIG(status));
                else
                        log_warn("ipcp %s: ended with status %d", i->name, WEXITSTATUS(status));
                ipcp_free(i);
                return;
        }
}

static void patience_over(struct timeout *t)
{
        struct ipcp *i = (struct ipcp *)(void *)((char *)t - offsetof(struct ipcp, patience));

        log_warn("ipcp %s: %s; it is killed", i->name, i->leaving ? "does not end" : "does not get ready");
        cut_off(i);
        if (i->pid > 0)
                kill(i->pid, SIGKILL); /* ours until the spawner reports that it has reaped it */
}

void ipcp_destroy(struct ipcp *i, struct mgmt *who)
{
        Ipcp__Request  req      = IPCP__REQUEST__INIT;
        Ipcp__Shutdown shutdown = IPCP__SHUTDOWN__INIT;

        mgmt_done(i->destroyer, 0, NULL); /* someone else was quicker */
        i->destroyer = who;
        i->leaving   = true;
        while (!TAILQ_EMPTY(&i->flows))
                flow_down(TAILQ_FIRST(&i->flows));
        req.verb_case = IPCP__REQUEST__VERB_SHUTDOWN;
        req.shutdown  = &shutdown;
        ipcp_tell(i, &req);
        irmd_timeout_set(i->irmd, &i->patience, clock_now_ns() + LEAVE_NS);
}

/* -- what it says ---------------------------------------------------------- */

/* Answers @m, if it is still there, with the pid of the IPCP that is ready. */
static void mgmt_created(struct mgmt *m, pid_t pid)
{
        struct proc     *p       = proc_by_serial(m->irmd, m->serial);
        Irm__IpcpCreated created = IRM__IPCP_CREATED__INIT;
        Irm__Reply       r       = IRM__REPLY__INIT;

        created.pid    = pid;
        r.body_case    = IRM__REPLY__BODY_IPCP_CREATED;
        r.ipcp_created = &created;
        if (p != NULL)
                proc_answer(p, m->id, &r, false, NULL, 0);
        free(m);
}

/* The IPCP may be quicker to say that it is ready than the spawner to say what its pid is. */
static void answer_creator(struct ipcp *i)
{
        if (i->creator == NULL || i->pid == 0 || i->state == IPCP_STARTING)
                return;
        mgmt_created(i->creator, i->pid);
        i->creator = NULL;
}

static void on_ready(struct ipcp *i, const Ipcp__Ready *m)
{
        if (m->version != 1 || m->type != (uint32_t)i->type || i->state != IPCP_STARTING) {
                log_err("ipcp %s: says it is ready as type %u, version %u; it is ended", i->name, m->type,
                        m->version);
                ipcp_destroy(i, NULL);
                return;
        }
        irmd_timeout_cancel(i->irmd, &i->patience);
        set_state(i, IPCP_READY);
        answer_creator(i);
}

/* The layer may only bring a flow that a client of ours asks of it, to the name that the client named. */
static struct flow *arrived_twin(const struct ipcp *i, const struct reg *r, uint64_t id)
{
        struct flow *f = flow_find(i->irmd, id);

        if (f == NULL || r == NULL || f->ipcp != i || f->state != FLOW_ASKED || f->twin != NULL ||
            f->keep != NULL)
                return NULL;
        return strcmp(f->dst, r->name->name) == 0 ? f : NULL;
}

static void on_local_flow(struct ipcp *i, uint32_t id, const struct reg *r, const Ipcp__FlowArrived *m)
{
        struct flow *twin = arrived_twin(i, r, m->twin);
        qosspec_t    qs;

        if (twin != NULL && pb_qos_get(m->qos, &qs) == 0) {
                flow_arrive(i, id, r->name, &qs, twin, NULL, (struct span){m->oap.data, m->oap.len});
                return;
        }
        log_dbg("ipcp %s: brings flow %llu, which nobody asked for (any more)", i->name,
                (unsigned long long)m->twin);
        if (id != 0)
                ipcp_flow_refuse(i, id, -ENOTALLOC);
}

/* False: it is none. */
static bool get_way(const Ipcp__Way *m, struct way *w)
{
        *w = (struct way){0};
        if (m == NULL || m->packet_max == 0 || m->source.len > sizeof(w->source.bytes) ||
            !str_text_ok(m->peer) || !str_copy(w->address, sizeof(w->address), m->peer))
                return false;
        w->packet_max = m->packet_max;
        w->mpl_ms     = m->mpl_ms;
        memcpy(w->source.bytes, m->source.data, m->source.len);
        return true;
}

static void on_remote_flow(struct ipcp *i, uint32_t id, const struct reg *r, const Ipcp__FlowArrived *m)
{
        struct way way;
        qosspec_t  qs;

        if (id == 0 || m->twin != 0 || !get_way(m->way, &way) || pb_qos_get(m->qos, &qs) < 0) {
                log_warn("ipcp %s: brings a flow that makes no sense", i->name);
                if (id != 0)
                        ipcp_flow_refuse(i, id, -EPROTO);
        } else if (r == NULL) {
                ipcp_flow_refuse(i, id, -ENAME); /* unregistered meanwhile */
        } else {
                flow_arrive(i, id, r->name, &qs, NULL, &way, (struct span){m->oap.data, m->oap.len});
        }
}

static void on_flow_arrived(struct ipcp *i, uint32_t id, const Ipcp__FlowArrived *m)
{
        struct reg *r;

        HASH_FIND(hh, i->regs, m->hash.data, m->hash.len, r);
        if (i->type == IPCP_LOCAL)
                on_local_flow(i, id, r, m);
        else
                on_remote_flow(i, id, r, m);
}

static struct flow *find_arrival(const struct ipcp *i, uint32_t question)
{
        struct flow *f;

        TAILQ_FOREACH_REVERSE(f, &i->flows, ipcp_flows, by_ipcp)
        { /* the young ones are last */
                if (f->question == question)
                        return f;
        }
        return NULL;
}

static void on_flow_dealloc(struct ipcp *i, const Ipcp__FlowDealloc *m)
{
        struct flow *f = m->arrival != 0 ? find_arrival(i, m->arrival) : flow_find(i->irmd, m->flow_id);

        if (f != NULL && f->ipcp == i)
                flow_left(f);
}

static void on_request(struct ipcp *i, uint32_t id, const Ipcp__Request *m)
{
        switch (m->verb_case) {
        case IPCP__REQUEST__VERB_READY: on_ready(i, m->ready); break;
        case IPCP__REQUEST__VERB_FLOW_ARRIVED: on_flow_arrived(i, id, m->flow_arrived); break;
        case IPCP__REQUEST__VERB_FLOW_DEALLOC: on_flow_dealloc(i, m->flow_dealloc); break;
        default:
                log_warn("ipcp %s: asks for verb %d, which is not its to ask", i->name, (int)m->verb_case);
                if (id != 0)
                        ipcp_flow_refuse(i, id, -EINVAL);
        }
}

static void on_reply(struct ipcp *i, uint32_t id, const Ipcp__Reply *m)
{
        struct ipcp_call *call;
        struct way        way;
        bool              has_way = get_way(m->way, &way);

        HASH_FIND(hh, i->calls, &id, sizeof(id), call);
        if (call != NULL)
                finish_call(i, call, m->result > 0 ? -EPROTO : m->result,
                            (struct span){m->oap.data, m->oap.len}, has_way ? &way : NULL);
        else
                log_dbg("ipcp %s: answers question %u, which is not open", i->name, id);
}

static void on_packet(void *ctx, int fault, const struct frame *f, const uint8_t *body, size_t len, int *fds,
                      size_t n_fds)
{
        struct ipcp   *i = ctx;
        Ipcp__Message *m = fault == 0 ? ipcp__message__unpack(NULL, len, body) : NULL;

        (void)fds, (void)n_fds;
        if (m == NULL || m->kind_case == IPCP__MESSAGE__KIND__NOT_SET)
                log_warn("ipcp %s: a message makes no sense", i->name);
        else if (m->kind_case == IPCP__MESSAGE__KIND_REQUEST)
                on_request(i, f->id, m->request);
        else
                on_reply(i, f->id, m->reply);
        ipcp__message__free_unpacked(m, NULL);
}

static void on_gone(void *ctx, int err)
{
        struct ipcp *i = ctx;

        if (!i->leaving)
                log_warn("ipcp %s (process %d): the connection has ended (%s)", i->name, (int)i->pid,
                         strerror(-err));
        cut_off(i);
        /* It is forgotten when the spawner says that the process is gone. */
        irmd_timeout_set(i->irmd, &i->patience, clock_now_ns() + LEAVE_NS);
}

static const struct chan_ops chan_ops = {on_packet, on_gone};

/* -- birth ----------------------------------------------------------------- */

static void started(void *ctx, int pid)
{
        struct ipcp *i = ctx;
        struct mgmt *m = i->creator;

        if (pid > 0) {
                i->pid = pid;
                answer_creator(i);
                return;
        }
        i->creator = NULL;
        ipcp_free(i);
        mgmt_done(m, pid, NULL);
}

static void start(struct ipcp *i, const char *path, int fd)
{
        char             dir[PATH_MAX + 32];
        char             level[64];
        char            *env[] = {dir, level};
        struct spawn_cmd cmd   = {.path = path, .env = env, .n_env = 2, .fd = fd};

        snprintf(dir, sizeof(dir), "OUROBOROS_RUNTIME_DIR=%s", i->irmd->conf->runtime_dir);
        snprintf(level, sizeof(level), "OUROBOROS_LOG_LEVEL=%s", log_level_name(i->irmd->conf->log_level));
        spawn_start(i->irmd->spawn, &cmd, started, i);
}

static void insert_by_preference(struct irmd *d, struct ipcp *i)
{
        struct ipcp *other;

        TAILQ_FOREACH (other, &d->ipcps, all) {
                if (preference[other->type] > preference[i->type]) {
                        TAILQ_INSERT_BEFORE(other, i, all);
                        return;
                }
        }
        TAILQ_INSERT_TAIL(&d->ipcps, i, all);
}

static struct ipcp *ipcp_new(struct irmd *d, const char *name, enum ipcp_type type, int sock)
{
        struct ipcp *i = calloc(1, sizeof(*i));

        if (i == NULL) {
                close(sock);
                return NULL;
        }
        i->irmd         = d;
        i->serial       = ++d->last_serial;
        i->type         = type;
        i->patience.due = patience_over;
        TAILQ_INIT(&i->flows);
        str_copy(i->name, sizeof(i->name), name);
        i->chan = chan_open(&d->loop, sock, &chan_ops, i);
        if (i->chan == NULL) {
                free(i);
                return NULL;
        }
        insert_by_preference(d, i);
        return i;
}

void ipcp_create(struct irmd *d, const char *name, enum ipcp_type type, struct mgmt *who)
{
        char         path[PATH_MAX];
        int          pair[2];
        struct ipcp *i;

        snprintf(path, sizeof(path), "%s/ipcpd-%s", d->conf->ipcp_dir, pb_ipcp_type_name(type));
        if (ipcp_by_name(d, name) != NULL) {
                mgmt_done(who, -EEXIST, "there is an IPCP of that name");
                return;
        }
        if (access(path, X_OK) < 0) {
                log_warn("ipcp %s: %s: %s", name, path, strerror(errno));
                mgmt_done(who, -EIPCPTYPE, "this installation has no IPCP of that type");
                return;
        }
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
                mgmt_done(who, -errno, NULL);
                return;
        }
        i = ipcp_new(d, name, type, pair[0]);
        if (i == NULL) {
                mgmt_done(who, -ENOMEM, NULL);
        } else {
                i->creator = who;
                irmd_timeout_set(d, &i->patience, clock_now_ns() + START_NS);
                start(i, path, pair[1]);
        }
        close(pair[1]);
}

/* What a bootstrap is about, until it is answered. */
struct bootstrap {
        struct ipcp       *ipcp;
        struct mgmt       *who;
        struct ipcp_config conf;
};

static void bootstrapped(void *ctx, int result, struct span oap, const struct way *way)
{
        struct bootstrap *b = ctx;
        struct ipcp      *i = b->ipcp;

        (void)oap, (void)way;
        if (result == 0) {
                str_copy(i->layer, sizeof(i->layer), b->conf.layer_info.name);
                i->algo = b->conf.layer_info.dir_hash_algo;
                set_state(i, IPCP_OPERATIONAL);
        }
        mgmt_done(b->who, result, NULL);
        free(b);
}

void ipcp_bootstrap(struct ipcp *i, const struct ipcp_config *conf, struct mgmt *who)
{
        Ipcp__Request         req  = IPCP__REQUEST__INIT;
        Ipcp__Bootstrap       boot = IPCP__BOOTSTRAP__INIT;
        struct pb_ipcp_config pc;
        struct bootstrap     *b;

        if (conf->type != i->type) {
                mgmt_done(who, -EIPCPTYPE, "the configuration is for another type of IPCP");
                return;
        }
        if (i->state != IPCP_READY || i->leaving) {
                mgmt_done(who, -EIPCPSTATE,
                          i->state == IPCP_OPERATIONAL ? "is member of a layer already" : "is not ready");
                return;
        }
        b = calloc(1, sizeof(*b));
        if (b == NULL) {
                mgmt_done(who, -ENOMEM, NULL);
                return;
        }
        *b = (struct bootstrap){.ipcp = i, .who = who, .conf = *conf};
        pb_ipcp_config_put(&pc, &b->conf);
        boot.config   = &pc.m;
        req.verb_case = IPCP__REQUEST__VERB_BOOTSTRAP;
        req.bootstrap = &boot;
        if (ipcp_ask(i, &req, bootstrapped, b) == 0)
                bootstrapped(b, -ENOMEM, no_bytes, NULL);
}
