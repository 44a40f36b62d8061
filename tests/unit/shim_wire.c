#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shim_world.h"

#define EVERYBODY WORLD_HOSTS

struct wire_packet {
        TAILQ_ENTRY(wire_packet) next;
        unsigned from, to;
        uint32_t eid; /* 0: control */
        size_t   len;
        uint8_t  bytes[];
};

/* The wire's functions that get no link are told by this which world it is. */
static struct world *the_world;

/* -- the wire -------------------------------------------------------------- */

struct link_addr host_addr(unsigned number)
{
        return (struct link_addr){.host_len = 2, .len = 3, .b = {0xfe, (uint8_t)number, 7}};
}

static void carry(uv_idle_t *h);

static void put(struct host *h, unsigned to, uint32_t eid, const uint8_t *p, size_t len)
{
        struct wire_packet *k = malloc(sizeof(*k) + len);

        assert_non_null(k);
        k->from = h->number;
        k->to   = to;
        k->eid  = eid;
        k->len  = len;
        memcpy(k->bytes, p, len);
        TAILQ_INSERT_TAIL(&h->w->wire, k, next);
        uv_idle_start(&h->w->carrier, carry);
}

static bool is_lost(struct world *w, const struct wire_packet *k)
{
        if (w->hosts[k->from].silent)
                return true;
        if (k->eid != 0 || w->lose == 0 || k->bytes[1] != w->lose_type)
                return false;
        w->lose--;
        return true;
}

static void deliver(struct host *h, const struct wire_packet *k)
{
        struct link_addr from = host_addr(k->from);

        if (!h->open || h->silent || h->number == k->from)
                return;
        if (k->eid == 0)
                h->link.control(h->link.ctx, &from, k->bytes, k->len);
        else
                h->link.data(h->link.ctx, &from, k->eid, k->bytes, k->len);
        if (h->open)
                h->link.batch(h->link.ctx);
}

static void carry(uv_idle_t *idle)
{
        struct world       *w = idle->data;
        struct wire_packet *k = TAILQ_FIRST(&w->wire);

        if (k == NULL) {
                uv_idle_stop(idle);
                return;
        }
        TAILQ_REMOVE(&w->wire, k, next);
        if (k->eid == 0 && k->bytes[1] < sizeof(w->types) / sizeof(w->types[0]))
                w->types[k->bytes[1]]++;
        w->data += k->eid != 0;
        for (unsigned i = 0; i < WORLD_HOSTS && !is_lost(w, k); i++) {
                if (k->to == EVERYBODY || k->to == i)
                        deliver(&w->hosts[i], k);
        }
        free(k);
}

/* Hosts are opened one after the other. */
static int wire_open(void **out, uv_loop_t *loop, const struct ipcp_config *conf, const struct link_up *up)
{
        struct host *h = the_world->hosts;

        (void)loop, (void)conf;
        while (h->open)
                h++;
        h->link = *up;
        h->open = true;
        *out    = h;
        return 0;
}

static void wire_close(void *link)
{
        if (link != NULL)
                ((struct host *)link)->open = false;
}

static void wire_facts(void *link, struct link_facts *out)
{
        (void)link;
        *out = (struct link_facts){.packet_max = WORLD_MAX, .control_max = 1400, .mpl_ms = 123};
}

static uint32_t wire_packet_max(void *link, const struct link_addr *to)
{
        (void)link, (void)to;
        return WORLD_MAX;
}

static uint32_t wire_eid(uint64_t r)
{
        return the_world->n_eids == 0 ? (uint32_t)r | 1 : (uint32_t)(r % the_world->n_eids) + 1;
}

static bool wire_eid_ok(uint32_t eid)
{
        return eid != 0;
}

static void wire_send_control(void *link, const struct link_addr *to, const uint8_t *p, size_t len)
{
        put(link, to == NULL ? EVERYBODY : to->b[1], 0, p, len);
}

static size_t wire_send_data(void *link, const struct link_path *path, const struct iovec *packets, size_t n)
{
        struct host *h = link;

        if (h->blocked)
                return 0;
        for (size_t i = 0; i < n; i++)
                put(h, path->to.b[1], path->eid, packets[i].iov_base, packets[i].iov_len);
        return n;
}

static void wire_addr_text(const struct link_addr *a, char *out)
{
        snprintf(out, 64, "host %u", a->b[1]);
}

static void wire_find(void *link, uint32_t ask, const uint8_t *hash, size_t len)
{
        (void)hash;
        assert_int_equal(len, WORLD_HASH);
        ((struct host *)link)->find_ask = ask;
}

static int wire_publish(void *link, uint32_t ask, const uint8_t *hash, size_t len, bool there)
{
        struct host *h = link;

        (void)hash;
        assert_int_equal(len, WORLD_HASH);
        h->publish_ask = ask;
        h->there       = there;
        return h->publish_result;
}

#define WIRE                                                                                        \
        .program = "ipcpd-wire", .type = IPCP_ETH_DIX, .open = wire_open, .close = wire_close,      \
        .facts = wire_facts, .packet_max = wire_packet_max, .eid = wire_eid, .eid_ok = wire_eid_ok, \
        .send_control = wire_send_control, .send_data = wire_send_data, .addr_text = wire_addr_text

const struct link_ops wire_plain     = {WIRE};
const struct link_ops wire_directory = {WIRE, .find = wire_find, .publish = wire_publish};

void host_link_state(struct host *h, bool works)
{
        h->link.state(h->link.ctx, works);
}

void host_unblock(struct host *h)
{
        h->blocked = false;
        h->link.writable(h->link.ctx);
}

void wire_begin(struct world *w)
{
        the_world = w;
        TAILQ_INIT(&w->wire);
        uv_idle_init(&w->loop, &w->carrier);
        w->carrier.data = w;
}

void wire_end(struct world *w)
{
        struct wire_packet *k;

        while ((k = TAILQ_FIRST(&w->wire)) != NULL) {
                TAILQ_REMOVE(&w->wire, k, next);
                free(k);
        }
        uv_close((uv_handle_t *)&w->carrier, NULL);
}
