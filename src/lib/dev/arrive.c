#include "dev/arrive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/str.h"
#include "crypt/suite.h"
#include "dev/dealloc.h"
#include "dev/inbox.h"
#include "dev/outbox.h"
#include "dev/process.h"
#include "dev/shelf.h"
#include "pb/convert.h"
#include "shm/bell.h"

/* The order of the descriptors that come with FlowUp; the last one not with a flow that was pending. */
enum { FD_PORT, FD_PEER_BELL, FD_BELL, N_FDS };

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

static int fill_boxes(struct flow *f, const Irm__FlowUp *m, const struct flow_data *data)
{
        bool   sealed = m->suite != SUITE_PLAIN;
        size_t first  = is_taken_at_once(m, data) ? 0 : m->data.len;

        if (!is_sealed_right(m))
                return -EPROTO;
        f->suite = m->suite;
        if (sealed)
                f->out = outbox_create(m->send_secret.data);
        if (sealed || first > 0)
                f->in = inbox_create(sealed ? m->recv_secret.data : NULL, m->data.data, first, m->hold);
        if ((sealed && f->out == NULL) || ((sealed || first > 0) && f->in == NULL))
                return -ENOMEM;
        return 0;
}

static int read_flow_up(struct flow *f, const Irm__FlowUp *m, const struct flow_data *data)
{
        int r = fill(f, m);

        if (r == 0)
                r = fill_peer(f, m);
        return r == 0 ? fill_boxes(f, m, data) : r;
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
 * With both locks of @s: makes it the flow @f, which is taken over, success or not. The answer keeps its
 * descriptors on failure.
 */
static int open_slot(struct slot *s, struct flow *f, const struct answer *ans, int bell, struct gifts g)
{
        struct port_ctl *mapping;
        int              peer_bell = arrive_fd(ans, FD_PEER_BELL);
        int              r         = peer_bell;

        if (r >= 0) {
                mapping = f->port_id != 0 ? shelf_take(&process.shelf, f->port_id) : NULL;
                r       = slot_open(s, f, mapping, ans->msg->fds[FD_PORT], ans->reply->flow_up->side, bell,
                                    peer_bell);
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

static int arrive_new(struct flow *f, const struct answer *ans, struct gifts g)
{
        int          bell = arrive_fd(ans, FD_BELL);
        struct slot *s;
        int          r = bell < 0 ? bell : arrive_slot(bell, &s);

        if (r < 0) {
                flow_free(f);
                return r;
        }
        r = open_slot(s, f, ans, bell, g);
        slot_unlock(s);
        if (r < 0)
                return r;
        ans->msg->fds[FD_BELL] = -1;
        return bell;
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
        struct ask  *a    = s->ask;
        int          bell = s->port.bell;
        struct flow *f;
        int          r = read_answer(ans, N_FDS - 1, a->rpc, NULL, &f);

        if (r < 0)
                return r;
        (void)bell_clear(bell); /* it rang for this answer */
        r       = open_slot(s, f, ans, bell, (struct gifts){qs, NULL});
        a->over = r == 0;
        return r;
}
