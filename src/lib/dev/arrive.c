#include "dev/arrive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "crypt/suite.h"
#include "dev/dealloc.h"
#include "dev/inbox.h"
#include "crypt/crc32.h"
#include "dev/outbox.h"
#include "dev/process.h"
#include "dev/shelf.h"
#include "dev/stream.h"
#include "pb/convert.h"
#include "shm/bell.h"

/*
 * The order of the descriptors that come with FlowUp. The last one does not with a flow that was pending,
 * whose descriptor is the bell, unless it has FRCT: there the bell is not what the application polls
 * (stream.h).
 */
enum { FD_PORT, FD_PEER_BELL, FD_BELL, N_FDS };

/* What a record layer adds, and UDP, IP and Ethernet below, about: congestion control counts it. */
#define OVERHEAD_BELOW 66u

static int fill(struct flow *f, const Irm__FlowUp *m)
{
        if (m->ipcp_type >= IPCP_INVALID || pb_qos_get(m->qos, &f->qos) < 0)
                return -EPROTO;
        if (!str_copy(f->layer, sizeof(f->layer), m->layer) || !str_copy(f->peer, sizeof(f->peer), m->peer))
                return -EPROTO;
        f->id        = m->flow_id;
        f->port_id   = m->port_id;
        f->ipcp_type = (enum ipcp_type)m->ipcp_type;
        f->client    = m->client;
        return 0;
}

/* Who the peer is, as far as it was proved. */
static int fill_peer(struct flow *f, const Irm__FlowUp *m)
{
        if (m->fingerprint.len != 0 && m->fingerprint.len != sizeof(f->fingerprint))
                return -EPROTO;
        if (m->fingerprint.len > 0)
                memcpy(f->fingerprint, m->fingerprint.data, sizeof(f->fingerprint));
        f->authenticated = m->authenticated;
        return 0;
}

/* Whether what @m says of secrets and first data goes together. */
static bool is_sealed_right(const Irm__FlowUp *m)
{
        size_t secret = m->suite == SUITE_PLAIN ? 0 : RECORD_SECRET;

        if (m->suite >= SUITE_N || m->data.len > FLOW_DATA_MAX)
                return false;
        if (m->send_secret.len != secret || m->recv_secret.len != secret)
                return false;
        /* Only a server can wait for its client's first record, if there are records. */
        return !m->hold || (m->suite != SUITE_PLAIN && !m->client);
}

/* @data: where first data goes that may be read at once; NULL: nowhere. */
static bool is_taken_at_once(const Irm__FlowUp *m, const struct flow_data *data)
{
        return data != NULL && !m->hold && m->data.len <= data->recv_size;
}

/* What becomes of a packet on the way: nothing on this host, or if the application does not mind damage. */
static enum inbox_kind kind_of(const Irm__FlowUp *m)
{
        if (m->suite != SUITE_PLAIN)
                return INBOX_SEALED;
        return m->packet_max != 0 && m->qos != NULL && m->qos->ber == 0 ? INBOX_SUMMED : INBOX_PLAIN;
}

static size_t overhead_of(enum inbox_kind kind)
{
        switch (kind) {
        case INBOX_SEALED: return RECORD_OVERHEAD;
        case INBOX_SUMMED: return CRC32_LEN;
        default: return 0;
        }
}

/* Both halves, with @first bytes of first data to be read like a message. */
static int fill_boxes(struct flow *f, const Irm__FlowUp *m, size_t first)
{
        enum inbox_kind kind   = kind_of(m);
        bool            sealed = kind == INBOX_SEALED;

        f->suite = m->suite;
        if (kind != INBOX_PLAIN)
                f->out = outbox_create(sealed ? m->send_secret.data : NULL);
        if (kind != INBOX_PLAIN || first > 0)
                f->in = inbox_create(kind, sealed ? m->recv_secret.data : NULL, m->data.data, first, m->hold);
        if ((kind != INBOX_PLAIN && f->out == NULL) || ((kind != INBOX_PLAIN || first > 0) && f->in == NULL))
                return -ENOMEM;
        return 0;
}

/* A message is a packet. */
static int fill_raw(struct flow *f, const Irm__FlowUp *m, const struct flow_data *data)
{
        size_t overhead = overhead_of(kind_of(m));

        f->max_message = PORT_MSG_MAX;
        if (m->packet_max != 0 && m->packet_max < PORT_MSG_MAX + overhead) {
                if (m->packet_max <= overhead)
                        return -EPROTO;
                f->max_message = m->packet_max - overhead;
        }
        return fill_boxes(f, m, is_taken_at_once(m, data) ? 0 : m->data.len);
}

static bool has_frct(const Irm__FlowUp *m)
{
        return m->packet_max != 0 && m->qos != NULL && m->qos->in_order != 0;
}

/* What is left of a packet of the layer for one of FRCT. 0: not enough. */
static size_t packet_of(const Irm__FlowUp *m)
{
        size_t max    = m->packet_max < PORT_MSG_MAX ? m->packet_max : PORT_MSG_MAX - 1;
        size_t record = overhead_of(kind_of(m));

        return max < FRCT_PACKET_MIN + record ? 0 : max - record;
}

static int fill_stream(struct flow *f, const Irm__FlowUp *m, const struct flow_data *data)
{
        struct stream_conf conf = {
                .frct      = {.packet     = packet_of(m),
                              .overhead   = OVERHEAD_BELOW,
                              .mpl_ns     = m->mpl_ms * NS_PER_MS,
                              .timeout_ns = f->qos.timeout * NS_PER_MS,
                              .reliable   = f->qos.loss == 0,
                              .cc         = CC_BBR},
                .first     = m->data.data,
                .first_len = is_taken_at_once(m, data) ? 0 : m->data.len,
                .hold      = m->hold,
        };

        if (conf.frct.packet == 0 ||
            getrandom(&conf.frct.seed, sizeof(conf.frct.seed), 0) != sizeof(conf.frct.seed))
                return -EPROTO;
        if (fill_boxes(f, m, 0) < 0)
                return -ENOMEM;
        conf.out       = f->out;
        conf.in        = f->in;
        f->max_message = FRCT_MESSAGE_MAX;
        f->stream      = stream_create(&conf);
        return f->stream == NULL ? -ENOMEM : 0;
}

static int read_flow_up(struct flow *f, const Irm__FlowUp *m, const struct flow_data *data)
{
        int r = fill(f, m);

        if (r == 0)
                r = fill_peer(f, m);
        if (r == 0 && !is_sealed_right(m))
                r = -EPROTO;
        if (r < 0)
                return r;
        return has_frct(m) ? fill_stream(f, m, data) : fill_raw(f, m, data);
}

static int read_answer(const struct answer *ans, size_t n_fds, struct rpc *rpc, const struct flow_data *data,
                       struct flow **out)
{
        const Irm__FlowUp *m = ans->reply->flow_up;
        struct flow       *f;
        int                r;

        if (ans->reply->body_case != IRM__REPLY__BODY_FLOW_UP || ans->msg->more || m->side > 1)
                return -EPROTO;
        r = answer_check_fds(ans, n_fds);
        if (r < 0)
                return r;
        f = calloc(1, sizeof(*f));
        if (f == NULL)
                return -ENOMEM;
        r = read_flow_up(f, m, data);
        if (r < 0) {
                flow_free(f);
                return r;
        }
        f->rpc = rpc_ref(rpc);
        *out   = f;
        return 0;
}

int arrive_fd(const struct answer *ans, size_t i)
{
        int *fd = &ans->msg->fds[i];
        int  high;

        if (*fd <= 2) {
                high = fcntl(*fd, F_DUPFD_CLOEXEC, 3);
                if (high < 0)
                        return -errno;
                fd_close(fd);
                *fd = high;
        }
        return *fd < TABLE_MAX ? *fd : -EMFILE;
}

/* What the caller gets besides the flow. */
struct gifts {
        qosspec_t        *qs;   /* or NULL */
        struct flow_data *data; /* or NULL */
};

static void give(const struct flow *f, const Irm__FlowUp *m, struct gifts g)
{
        if (g.qs != NULL)
                *g.qs = f->qos;
        if (m->data.len > 0 && is_taken_at_once(m, g.data)) {
                memcpy(g.data->recv, m->data.data, m->data.len);
                g.data->recv_len = m->data.len;
        }
}

/*
 * @front: the flow descriptor, if it is not the bell.
 *
 * With both locks of @s: makes it the flow @f, which is taken over, success or not. The answer keeps its
 * descriptors on failure.
 */
static int open_slot(struct slot *s, struct flow *f, const struct answer *ans, int bell, int front,
                     struct gifts g)
{
        struct port_ctl *mapping;
        unsigned         side      = ans->reply->flow_up->side;
        int              memfd     = ans->msg->fds[FD_PORT];
        int              peer_bell = arrive_fd(ans, FD_PEER_BELL);
        int              r         = peer_bell;

        if (r >= 0) {
                mapping = f->port_id != 0 ? shelf_take(&process.shelf, f->port_id) : NULL;
                r       = f->stream == NULL ? slot_open(s, f, mapping, memfd, side, bell, peer_bell)
                                            : slot_open_stream(s, f, mapping, memfd, side, bell, peer_bell, front);
        }
        if (r < 0) {
                flow_free(f);
                return r;
        }
        ans->msg->fds[FD_PEER_BELL] = -1;
        if (f->client && f->out != NULL)
                slot_greet(s, g.data != NULL && g.data->send_len > 0);
        give(f, ans->reply->flow_up, g);
        return 0;
}

int arrive_slot(int fd, struct slot **out)
{
        struct slot *s = table_get(&process.flows, fd);

        if (s == NULL)
                return -ENOMEM;
        slot_lock(s);
        if (s->state != SLOT_FREE) {
                /* The application has closed its descriptor, or we would not have got the number. */
                slot_unlock(s);
                dealloc_lost(s);
                slot_lock(s);
        }
        if (s->state != SLOT_FREE) {
                slot_unlock(s);
                return -EBADF;
        }
        *out = s;
        return 0;
}

/* The reading end of a pipe of our own, as a flow descriptor. */
static int make_front(void)
{
        int p[2];
        int front;

        if (pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0)
                return -errno;
        front = fcntl(p[0], F_DUPFD_CLOEXEC, 3);
        fd_close(&p[0]);
        fd_close(&p[1]);
        if (front >= TABLE_MAX) {
                fd_close(&front);
                return -EMFILE;
        }
        return front < 0 ? -errno : front;
}

/* In the slot of @fd, which is @front or the bell. */
static int arrive_in(int fd, struct flow *f, const struct answer *ans, int bell, int front, struct gifts g)
{
        struct slot *s;
        int          r = arrive_slot(fd, &s);

        if (r < 0) {
                flow_free(f);
                return r;
        }
        r = open_slot(s, f, ans, bell, front, g);
        slot_unlock(s);
        return r;
}

static int arrive_new(struct flow *f, const struct answer *ans, struct gifts g)
{
        int bell  = arrive_fd(ans, FD_BELL);
        int front = bell >= 0 && f->stream != NULL ? make_front() : -1;
        int fd    = f->stream != NULL ? front : bell;
        int r;

        if (bell < 0 || fd < 0) {
                flow_free(f);
                return bell < 0 ? bell : fd;
        }
        r = arrive_in(fd, f, ans, bell, front, g);
        if (r < 0) {
                fd_close(&front);
                return r;
        }
        ans->msg->fds[FD_BELL] = -1;
        return fd;
}

int arrive(struct ask *a, const struct answer *ans, qosspec_t *qs, struct flow_data *data)
{
        struct flow *f;
        int          r = read_answer(ans, N_FDS, a->rpc, data, &f);

        if (r == 0)
                r = arrive_new(f, ans, (struct gifts){qs, data});
        a->over = r >= 0;
        return r;
}

int arrive_pending(struct slot *s, const struct answer *ans, qosspec_t *qs)
{
        struct ask *a     = s->ask;
        int         front = s->port.bell;
        bool stream = ans->reply->body_case == IRM__REPLY__BODY_FLOW_UP && has_frct(ans->reply->flow_up);
        struct flow *f;
        int          r = read_answer(ans, stream ? N_FDS : N_FDS - 1, a->rpc, NULL, &f);
        int          bell;

        if (r < 0)
                return r;
        (void)bell_clear(front); /* it rang for this answer */
        bell = stream ? arrive_fd(ans, FD_BELL) : front;
        if (bell < 0) {
                flow_free(f);
                return bell;
        }
        r = open_slot(s, f, ans, bell, stream ? front : -1, (struct gifts){qs, NULL});
        if (r == 0 && stream)
                ans->msg->fds[FD_BELL] = -1;
        a->over = r == 0;
        return r;
}
