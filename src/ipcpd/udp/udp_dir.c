#include "ipcpd/udp/udp_dir.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ipcpd/udp/dns.h"

/*
 * Without DNS the answer is known at once, but must not come from within the question: they wait for the next
 * turn of the loop.
 */
struct udp_dir {
        const struct udp_conf *conf;
        const struct link_up  *up;
        struct dns            *dns;  /* NULL: none                 */
        uv_timer_t             turn; /* runs while any ask waits   */
        uint32_t              *asks; /* that are to be told nobody */
        size_t                 n_asks, cap;
        bool                   closed;
};

/* -- without DNS ------------------------------------------------------------- */

static void answer_nobody(uv_timer_t *t)
{
        struct udp_dir *d    = t->data;
        uint32_t       *asks = d->asks;
        size_t          n    = d->n_asks;

        d->asks   = NULL; /* who is answered may ask again */
        d->n_asks = d->cap = 0;
        for (size_t i = 0; i < n && !d->closed; i++)
                d->up->found(d->up->ctx, asks[i], NULL, 0);
        free(asks);
}

static bool grow(struct udp_dir *d)
{
        size_t    cap  = d->cap == 0 ? 8 : 2 * d->cap;
        uint32_t *asks = reallocarray(d->asks, cap, sizeof(*asks));

        if (asks == NULL)
                return false;
        d->asks = asks;
        d->cap  = cap;
        return true;
}

static void find_nobody(struct udp_dir *d, uint32_t ask)
{
        if (d->n_asks == d->cap && !grow(d)) {
                log_err("out of memory: question %u about a name gets no answer", ask);
                return;
        }
        d->asks[d->n_asks++] = ask;
        uv_timer_start(&d->turn, answer_nobody, 0, 0);
}

/* -- with DNS ---------------------------------------------------------------- */

/* A host's address from the directory, which knows no ports: the layer's own is added. */
static bool get_host(const struct udp_dir *d, struct link_addr *out, const struct sockaddr_storage *host)
{
        union udp_sockaddr sa;
        in_port_t          port = htons(d->conf->port);

        if (host->ss_family != d->conf->family)
                return false;
        memcpy(&sa, host, udp_addr_len(d->conf->family));
        if (d->conf->family == AF_INET)
                sa.in4.sin_port = port;
        else
                sa.in6.sin6_port = port;
        return udp_addr_get(out, &sa, 0);
}

static void dns_found(void *ctx, uint32_t ask, const struct sockaddr_storage *hosts, size_t n)
{
        struct udp_dir  *d = ctx;
        struct link_addr addrs[DNS_HOSTS_MAX];
        size_t           n_addrs = 0;

        for (size_t i = 0; i < n && i < DNS_HOSTS_MAX; i++) {
                if (get_host(d, &addrs[n_addrs], &hosts[i]))
                        n_addrs++;
        }
        d->up->found(d->up->ctx, ask, addrs, n_addrs);
}

static void dns_published(void *ctx, uint32_t ask, int result)
{
        struct udp_dir *d = ctx;

        d->up->published(d->up->ctx, ask, result);
}

/* A link-local address says nothing to those on another link: it is not registered. */
static int open_dns(struct udp_dir *d, uv_loop_t *loop)
{
        const struct udp_conf *conf = d->conf;
        const struct dns_up    up   = {d, dns_found, dns_published};
        struct dns_config      dns  = {.family = conf->family};
        union udp_sockaddr     own;

        memcpy(&dns.server, &conf->dns, udp_addr_len(conf->dns.sa.sa_family));
        if (conf->scope == 0)
                memcpy(&dns.own, &own, udp_addr_put(&own, &conf->own, 0));
        dns.zone     = conf->names.zone[0] != '\0' ? conf->names.zone : UDP_DEFAULT_ZONE;
        dns.key_file = conf->names.key[0] != '\0' ? conf->names.key : NULL;
        return dns_open(&d->dns, loop, &dns, &up);
}

/* -- the directory ------------------------------------------------------------- */

static void on_closed(uv_handle_t *h)
{
        struct udp_dir *d = h->data;

        free(d->asks);
        free(d);
}

void udp_dir_close(struct udp_dir *d)
{
        if (d == NULL)
                return;
        d->closed = true;
        dns_close(d->dns);
        d->dns = NULL;
        uv_close((uv_handle_t *)&d->turn, on_closed);
}

int udp_dir_open(struct udp_dir **out, uv_loop_t *loop, const struct udp_conf *conf, const struct link_up *up)
{
        struct udp_dir *d = calloc(1, sizeof(*d));
        int             r = 0;

        if (d == NULL) {
                log_err("out of memory");
                return -ENOMEM;
        }
        d->conf = conf;
        d->up   = up;
        uv_timer_init(loop, &d->turn);
        d->turn.data = d;
        if (conf->dns.sa.sa_family != AF_UNSPEC)
                r = open_dns(d, loop);
        if (r < 0) {
                udp_dir_close(d);
                return r;
        }
        *out = d;
        return 0;
}

void udp_dir_find(struct udp_dir *d, uint32_t ask, const uint8_t *hash, size_t len)
{
        if (d->dns != NULL)
                dns_find(d->dns, ask, hash, len);
        else
                find_nobody(d, ask);
}

int udp_dir_publish(struct udp_dir *d, uint32_t ask, const uint8_t *hash, size_t len, bool there)
{
        return d->dns != NULL ? dns_publish(d->dns, ask, hash, len, there) : 0;
}
