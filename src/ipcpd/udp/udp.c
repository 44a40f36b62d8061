#include "ipcpd/udp/udp.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <ouroboros/errno.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "ipcpd/udp/udp_addr.h"
#include "ipcpd/udp/udp_conf.h"
#include "ipcpd/udp/udp_dir.h"
#include "ipcpd/udp/udp_mtu.h"
#include "ipcpd/udp/udp_recv.h"
#include "ipcpd/udp/udp_send.h"
#include "ipcpd/udp/udp_socket.h"

/* A path of less is rare, and is found out when a flow is allocated; what does not fit is fragmented. */
#define CONTROL_MAX 1200u

/*
 * RFC 791 allows minutes; a packet that was on its way for longer than this is none that anybody waits for.
 */
#define MPL_MS 5000u

/* Batches received in one turn of the loop, before others have theirs. */
#define BATCHES_A_TURN 4

/*
 * A turn that received this many packets is one of a stream, and the loop does not go to sleep for so long
 * after it: to be woken costs more than a batch does, on whichever processor the kernel does it.
 */
#define STREAM_PACKETS 16u
#define AWAKE_NS       (30 * NS_PER_US)

struct udp {
        struct link_up    up;
        struct udp_conf   conf;
        struct udp_socket socket;
        uv_poll_t         poll;
        uv_idle_t         awake; /* started: the loop does not sleep */
        int64_t           awake_until_ns;
        unsigned          n_handles;
        bool              closed;
        bool              full; /* the socket takes no more: writable() is owed */
        struct udp_send  *send;
        struct udp_recv  *recv;
        struct udp_dir   *dir;
        struct udp_mtu    mtu;
};

/* -- what wakes us ----------------------------------------------------------- */

static void on_poll(uv_poll_t *h, int status, int events);

static void watch(struct udp *u)
{
        uv_poll_start(&u->poll, UV_READABLE | (u->full ? UV_WRITABLE : 0), on_poll);
}

static void on_awake(uv_idle_t *h)
{
        struct udp *u = h->data;

        if (clock_now_ns() >= u->awake_until_ns)
                uv_idle_stop(h);
}

static void receive(struct udp *u)
{
        size_t n    = 0;
        size_t some = 1;

        for (int i = 0; i < BATCHES_A_TURN && some > 0 && !u->closed; i++) {
                some = udp_recv_batch(u->recv);
                n += some;
        }
        if (n >= STREAM_PACKETS && !u->closed) {
                u->awake_until_ns = clock_now_ns() + AWAKE_NS;
                uv_idle_start(&u->awake, on_awake);
        }
}

/* The loop stops to watch a socket that has an error; reading the error clears it. */
static void recover(struct udp *u)
{
        int       err = 0;
        socklen_t len = sizeof(err);

        getsockopt(u->socket.fd, SOL_SOCKET, SO_ERROR, &err, &len);
        log_warn("the socket says: %s", o7s_strerror(err));
        watch(u);
}

static void on_poll(uv_poll_t *h, int status, int events)
{
        struct udp *u = h->data;

        if (status < 0) {
                recover(u);
                return;
        }
        if (u->full && (events & UV_WRITABLE) != 0) {
                u->full = false;
                watch(u);
                u->up.writable(u->up.ctx);
        }
        receive(u);
}

/* -- life ---------------------------------------------------------------------- */

static void release(struct udp *u)
{
        udp_dir_close(u->dir);
        udp_send_destroy(u->send);
        udp_recv_destroy(u->recv);
        fd_close(&u->socket.fd);
        free(u);
}

static void on_closed(uv_handle_t *h)
{
        struct udp *u = h->data;

        if (--u->n_handles == 0)
                release(u);
}

static void udp_close(void *link)
{
        struct udp *u = link;

        if (u == NULL)
                return;
        u->closed = true;
        udp_recv_stop(u->recv);
        udp_dir_close(u->dir);
        u->dir = NULL;
        uv_close((uv_handle_t *)&u->poll, on_closed);
        uv_close((uv_handle_t *)&u->awake, on_closed);
}

static int start(struct udp *u, uv_loop_t *loop)
{
        int r = udp_socket_open(&u->socket, &u->conf);

        if (r < 0)
                return r;
        u->send = udp_send_create(&u->socket, u->conf.scope);
        u->recv = udp_recv_create(&u->socket, u->conf.scope, &u->up);
        if (u->send == NULL || u->recv == NULL) {
                log_err("out of memory");
                return -ENOMEM;
        }
        r = udp_dir_open(&u->dir, loop, &u->conf, &u->up);
        if (r < 0)
                return r;
        r = uv_poll_init(loop, &u->poll, u->socket.fd);
        if (r < 0) {
                log_err("cannot watch the socket: %s", o7s_strerror(r));
                return r;
        }
        uv_idle_init(loop, &u->awake);
        u->n_handles  = 2;
        u->poll.data  = u;
        u->awake.data = u;
        watch(u);
        return 0;
}

static int udp_open(void **out, uv_loop_t *loop, int family, const struct ipcp_config *conf,
                    const struct link_up *up)
{
        struct udp *u = calloc(1, sizeof(*u));
        int         r;

        if (u == NULL) {
                log_err("out of memory");
                return -ENOMEM;
        }
        u->socket.fd = -1;
        u->up        = *up;
        r            = udp_conf_get(&u->conf, family, conf);
        if (r == 0)
                r = start(u, loop);
        if (r < 0) {
                release(u);
                return r;
        }
        *out = u;
        return 0;
}

static int udp4_open(void **out, uv_loop_t *loop, const struct ipcp_config *conf, const struct link_up *up)
{
        return udp_open(out, loop, AF_INET, conf, up);
}

static int udp6_open(void **out, uv_loop_t *loop, const struct ipcp_config *conf, const struct link_up *up)
{
        return udp_open(out, loop, AF_INET6, conf, up);
}

/* -- packets --------------------------------------------------------------------- */

static void udp_facts(void *link, struct link_facts *out)
{
        struct udp *u = link;

        *out = (struct link_facts){.packet_max  = udp_mtu_packet(u->conf.family, u->conf.device_mtu),
                                   .control_max = CONTROL_MAX,
                                   .pad_to      = CONTROL_MAX,
                                   .proves      = true,
                                   .mpl_ms      = MPL_MS};
}

static uint32_t udp_packet_max(void *link, const struct link_addr *to)
{
        struct udp *u = link;

        return udp_mtu_towards(&u->mtu, &u->conf, to, clock_coarse_ns());
}

static uint32_t udp_eid(uint64_t r)
{
        return (uint32_t)r != 0 ? (uint32_t)r : (uint32_t)(r >> 32) | 1;
}

static bool udp_eid_ok(uint32_t eid)
{
        return eid != 0;
}

static void send_control(void *link, const struct link_addr *to, const uint8_t *p, size_t len)
{
        struct udp *u = link;

        if (to != NULL)
                udp_send_control(u->send, to, p, len);
        for (size_t i = 0; to == NULL && i < u->conf.n_peers; i++)
                udp_send_control(u->send, &u->conf.peers[i], p, len);
}

static size_t send_data(void *link, const struct link_path *path, const struct iovec *packets, size_t n)
{
        struct udp *u    = link;
        size_t      done = udp_send_packets(u->send, &path->to, path->eid, packets, n);

        if (done < n && !u->full) {
                u->full = true;
                watch(u);
        }
        return done;
}

/* -- names ------------------------------------------------------------------------ */

static void udp_find(void *link, uint32_t ask, const uint8_t *hash, size_t len)
{
        struct udp *u = link;

        udp_dir_find(u->dir, ask, hash, len);
}

static int udp_publish(void *link, uint32_t ask, const uint8_t *hash, size_t len, bool there)
{
        struct udp *u = link;

        return udp_dir_publish(u->dir, ask, hash, len, there);
}

const struct link_ops udp4_link = {
        .program      = "ipcpd-udp4",
        .type         = IPCP_UDP4,
        .open         = udp4_open,
        .close        = udp_close,
        .facts        = udp_facts,
        .packet_max   = udp_packet_max,
        .eid          = udp_eid,
        .eid_ok       = udp_eid_ok,
        .send_control = send_control,
        .send_data    = send_data,
        .addr_text    = udp_addr_text,
        .find         = udp_find,
        .publish      = udp_publish,
};

const struct link_ops udp6_link = {
        .program      = "ipcpd-udp6",
        .type         = IPCP_UDP6,
        .open         = udp6_open,
        .close        = udp_close,
        .facts        = udp_facts,
        .packet_max   = udp_packet_max,
        .eid          = udp_eid,
        .eid_ok       = udp_eid_ok,
        .send_control = send_control,
        .send_data    = send_data,
        .addr_text    = udp_addr_text,
        .find         = udp_find,
        .publish      = udp_publish,
};
