/*
 * eth.c - ties together the socket, its ring and batch, and the interface they are bound to.
 *
 * The socket lives as long as the link, since only opening it is a privilege: when the interface goes, it
 * waits, bound to nothing, and is bound to the next interface of that name.
 */
#include "ipcpd/eth/eth.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "ipcpd/common/caps.h"
#include "ipcpd/eth/eth_handle.h"
#include "ipcpd/eth/eth_parts.h"
#include "ipcpd/eth/eth_socket.h"

#define CONTROL_MIN 128u /* bytes that the handshake transport needs */
#define MPL_MS      100u
#define RETRY_MS    1u /* until an interface whose queue was full is tried again */

#define ETHERTYPE_MIN 0x0600u
#define ETHERTYPE_MAX 0xFFFEu

/* -- the interface --------------------------------------------------------- */

static void tell_state(struct eth *e)
{
        if (e->works == e->told_works)
                return;
        e->told_works = e->works;
        e->up.state(e->up.ctx, e->works);
}

static void on_timer(uv_timer_t *timer)
{
        struct eth *e = timer->data;

        tell_state(e);
        if (!e->closed)
                e->up.writable(e->up.ctx);
}

void eth_retry(struct eth *e)
{
        uv_timer_start(&e->timer, on_timer, RETRY_MS, 0);
}

static void on_room(void *ctx)
{
        struct eth *e = ctx;

        e->up.writable(e->up.ctx);
}

/* Makes slots of the ring large enough. Frames that are in it are lost. */
static int fit_ring(struct eth *e, uint32_t mtu)
{
        if (eth_ring_fits(&e->ring, mtu))
                return 0;
        eth_ring_close(&e->ring, e->fd);
        return eth_ring_open(&e->ring, e->fd, mtu);
}

/* Whether the interface is one that we can work with; else says why not. */
static bool is_fit(const struct eth *e, const struct eth_iface_facts *f)
{
        if (f->index == 0)
                log_err("%s: there is no such interface", e->iface.name);
        else if (!f->ethernet)
                log_err("%s is no Ethernet interface", e->iface.name);
        else if (f->mtu < CONTROL_MIN + e->kind->overhead)
                log_err("%s: an MTU of %" PRIu32 " is too small", e->iface.name, f->mtu);
        else
                return true;
        return false;
}

/* Uses the interface as it is now. 0 or -errno. */
static int attach(struct eth *e, const struct eth_iface_facts *f)
{
        int r = fit_ring(e, f->mtu);

        if (r == 0 && f->index != e->at.index)
                r = eth_socket_bind(e->fd, f->index, e->kind->protocol(e->ethertype));
        if (r < 0)
                log_err("%s: cannot be used: %s", e->iface.name, strerror(-r));
        else
                e->at = *f;
        return r;
}

static void eth_addr_text(const struct link_addr *a, char *out)
{
        snprintf(out, 64, "%02x:%02x:%02x:%02x:%02x:%02x", a->b[0], a->b[1], a->b[2], a->b[3], a->b[4],
                 a->b[5]);
}

static void log_facts(const struct eth *e)
{
        struct link_addr a = eth_addr_of(e->at.mac);
        char             text[64];

        eth_addr_text(&a, text);
        log_info("%s %s, address %s, MTU %" PRIu32, e->iface.name, e->works ? "works" : "is down", text,
                 e->at.mtu);
}

static void on_iface(void *ctx, const struct eth_iface_facts *now)
{
        struct eth *e = ctx;

        e->works = false;
        if (now->index == 0) {
                e->at.index = 0; /* the next one, whatever its index, is bound anew */
                log_warn("%s has gone", e->iface.name);
        } else if (is_fit(e, now) && attach(e, now) == 0) {
                e->works = now->works;
                log_facts(e);
        }
        if (e->works)
                e->complained = false;
        tell_state(e); /* last line: @e may be closed */
}

/* -- opening and closing --------------------------------------------------- */

static const struct eth_watch_ops watch_ops = {eth_in_drain, on_room};

static void eth_free(struct eth *e)
{
        eth_ring_close(&e->ring, e->fd);
        fd_close(&e->fd);
        free(e);
}

static void on_closed(uv_handle_t *h)
{
        struct eth *e = h->data;

        if (--e->closing == 0)
                eth_free(e);
}

/* May be called from within a callback, which looks at the ring: that goes with the last handle. */
static void eth_close(void *link)
{
        struct eth *e = link;

        if (e == NULL || e->closed)
                return;
        e->closed = true;
        e->closing += eth_watch_close(&e->watch, e, on_closed);
        e->closing += eth_iface_close(&e->iface, e, on_closed);
        e->closing += eth_handle_close((uv_handle_t *)&e->timer, e, on_closed);
}

static int open_socket(struct eth *e, uv_loop_t *loop)
{
        struct eth_filter filter;
        int               r;

        e->kind->filter(&filter, e->ethertype);
        r = eth_socket_open(&filter);
        if (r < 0) {
                log_err("cannot open a packet socket: %s", strerror(-r));
                return r;
        }
        e->fd = r;
        r     = eth_watch_open(&e->watch, loop, e->fd, &watch_ops, e);
        if (r < 0)
                log_err("cannot watch a packet socket: %s", strerror(-r));
        return r;
}

static int open_iface(struct eth *e, uv_loop_t *loop, const char *dev)
{
        int r = eth_iface_open(&e->iface, loop, dev, on_iface, e);

        if (r < 0) {
                log_err("cannot watch the interface %s: %s", dev, strerror(-r));
                return r;
        }
        if (!is_fit(e, &e->iface.last))
                return -ENODEV;
        return attach(e, &e->iface.last);
}

static int drop_privileges(void)
{
        int r = caps_drop();

        if (r < 0)
                log_err("cannot give up privileges: %s", strerror(-r));
        return r;
}

/* The shim takes it that a link works until it hears otherwise. */
static void begin(struct eth *e)
{
        e->works      = e->at.works;
        e->told_works = true;
        if (!e->works)
                uv_timer_start(&e->timer, on_timer, 0, 0);
        log_facts(e);
}

static int open_kind(void **out, const struct eth_kind *kind, uv_loop_t *loop, const struct eth_config *conf,
                     uint16_t ethertype, const struct link_up *up)
{
        struct eth *e = calloc(1, sizeof(*e));
        int         r;

        if (e == NULL)
                return -ENOMEM;
        e->kind      = kind;
        e->up        = *up;
        e->ethertype = ethertype;
        e->fd        = -1;
        uv_timer_init(loop, &e->timer);
        e->timer.data = e;
        eth_batch_init(&e->batch, ETH_HDR + kind->overhead);
        if ((r = open_socket(e, loop)) < 0 || (r = open_iface(e, loop, conf->dev)) < 0 ||
            (r = drop_privileges()) < 0) {
                eth_close(e);
                return r;
        }
        begin(e);
        *out = e;
        return 0;
}

static int dix_open(void **out, uv_loop_t *loop, const struct ipcp_config *conf, const struct link_up *up)
{
        uint16_t ethertype = conf->eth.ethertype;

        if (ethertype < ETHERTYPE_MIN || ethertype > ETHERTYPE_MAX) {
                log_err("0x%04x is no ethertype", ethertype);
                return -EINVAL;
        }
        return open_kind(out, &eth_kind_dix, loop, &conf->eth, ethertype, up);
}

static int llc_open(void **out, uv_loop_t *loop, const struct ipcp_config *conf, const struct link_up *up)
{
        return open_kind(out, &eth_kind_llc, loop, &conf->eth, 0, up);
}

/* -- facts ----------------------------------------------------------------- */

/* While the interface is away: what it had. */
static uint32_t eth_packet_max(void *link, const struct link_addr *to)
{
        struct eth *e = link;

        (void)to;
        return eth_kind_packet_max(e->kind, e->at.mtu);
}

static void eth_facts(void *link, struct link_facts *out)
{
        uint32_t max = eth_packet_max(link, NULL);

        *out = (struct link_facts){.packet_max = max, .control_max = max, .mpl_ms = MPL_MS};
}

void eth_link_counts(void *link, struct eth_counts *out)
{
        struct eth *e = link;

        e->counts.full += eth_socket_dropped(e->fd);
        *out = e->counts;
}

const struct link_ops eth_dix_link = {
        .program      = "ipcpd-eth-dix",
        .type         = IPCP_ETH_DIX,
        .open         = dix_open,
        .close        = eth_close,
        .facts        = eth_facts,
        .packet_max   = eth_packet_max,
        .eid          = eth_dix_draw,
        .eid_ok       = eth_dix_ok,
        .send_control = eth_out_control,
        .send_data    = eth_out_data,
        .addr_text    = eth_addr_text,
};

const struct link_ops eth_llc_link = {
        .program      = "ipcpd-eth-llc",
        .type         = IPCP_ETH_LLC,
        .open         = llc_open,
        .close        = eth_close,
        .facts        = eth_facts,
        .packet_max   = eth_packet_max,
        .eid          = eth_llc_draw,
        .eid_ok       = eth_llc_ok,
        .send_control = eth_out_control,
        .send_data    = eth_out_data,
        .addr_text    = eth_addr_text,
};
