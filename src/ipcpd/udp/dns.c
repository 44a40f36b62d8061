/*
 * dns.c - the directory: what is asked of the server, in which order, and what its answers mean.
 *
 * Questions are under way side by side, each with a socket. Updates of one name wait for each other:
 * otherwise a repeated "add" could overtake the "delete" after it. Who asks bounds how many there are.
 */
#include "ipcpd/udp/dns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>

#include <ouroboros/errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "crypt/hash.h"
#include "ipcpd/common/ops.h"
#include "ipcpd/udp/dns_message.h"
#include "ipcpd/udp/dns_name.h"
#include "ipcpd/udp/dns_query.h"
#include "ipcpd/udp/dns_tsig.h"
#include "ipcpd/udp/dns_verdict.h"

#define DNS_PORT 53

/* What a hash is shown by in the log. */
#define HASH_FMT     "%02x%02x%02x%02x"
#define HASH_ARGS(h) (h)[0], (h)[1], (h)[2], (h)[3]

enum kind { FIND, UPDATE, N_KINDS };

/* At once: so many sockets, and what a server's receive buffer takes without loss. */
static const unsigned int under_way_max[N_KINDS] = {[FIND] = 256, [UPDATE] = 16};

struct question {
        struct dns *dns;
        TAILQ_ENTRY(question) next;
        enum kind         kind;
        uint32_t          ask;
        bool              there;
        bool              under_way;
        size_t            len;
        uint8_t           hash[HASH_MAX];
        struct dns_query *query;
        struct dns_mac    mac; /* of an update that was signed */
        const char       *why; /* the last answer to it could not be believed; or NULL */
};

TAILQ_HEAD(questions, question);

struct dns {
        uv_loop_t        *loop;
        struct dns_up     up;
        struct dns_config conf;
        char              zone[DNS_NAME_MAX + 1];
        char              server[INET6_ADDRSTRLEN + 8]; /* as text */
        struct dns_key   *key;                          /* NULL: none */
        struct questions  questions;                    /* the oldest first */
        unsigned int      under_way[N_KINDS];
        bool              silent; /* the last question got no answer */
};

/* -- outcomes -------------------------------------------------------------- */

static void note_silence(struct dns *d, bool silent)
{
        if (silent && !d->silent)
                log_warn("the DNS server %s does not answer", d->server);
        if (!silent && d->silent)
                log_info("the DNS server %s answers again", d->server);
        d->silent = silent;
}

static void log_update(const struct question *x, int result, const char *why)
{
        const char *what = x->there ? "registered" : "unregistered";

        if (result == 0)
                log_dbg("name " HASH_FMT ": %s with the DNS server %s", HASH_ARGS(x->hash), what,
                        x->dns->server);
        else
                log_warn("name " HASH_FMT ": cannot be %s with the DNS server %s: %s", HASH_ARGS(x->hash),
                         what, x->dns->server, why);
}

static void question_free(struct question *x)
{
        dns_query_close(x->query);
        free(x);
}

/* Takes it out of the queue. */
static void question_end(struct question *x)
{
        struct dns *d = x->dns;

        TAILQ_REMOVE(&d->questions, x, next);
        if (x->under_way)
                d->under_way[x->kind]--;
        question_free(x);
}

static void start_all(struct dns *d);

/* Last line of who calls it: the owner may close the directory from within. */
static void update_over(struct question *x, int result, const char *why)
{
        struct dns   *d   = x->dns;
        struct dns_up up  = d->up;
        uint32_t      ask = x->ask;

        log_update(x, result, why);
        question_end(x);
        start_all(d);
        up.published(up.ctx, ask, result);
}

/* As above. */
static void find_over(struct question *x, const struct sockaddr_storage *hosts, size_t n)
{
        struct dns   *d   = x->dns;
        struct dns_up up  = d->up;
        uint32_t      ask = x->ask;

        log_dbg("name " HASH_FMT ": %zu hosts", HASH_ARGS(x->hash), n);
        question_end(x);
        start_all(d);
        up.found(up.ctx, ask, hosts, n);
}

/* -- answers --------------------------------------------------------------- */

static bool update_answered(struct question *x, const uint8_t *p, size_t len)
{
        const char *why;
        int         result;

        if (!dns_verdict(x->dns->key, &x->mac, p, len, clock_wall_ns() / NS_PER_S, &result, &why)) {
                x->why = why;
                return false;
        }
        note_silence(x->dns, false);
        update_over(x, result, why);
        return true;
}

static void find_answered(struct question *x, const uint8_t *p, size_t len)
{
        struct sockaddr_storage hosts[DNS_HOSTS_MAX];
        unsigned int            code = dns_message_code(p);
        int                     n    = 0;

        note_silence(x->dns, false);
        if (code == DNS_NOERROR)
                n = dns_message_hosts(p, len, hosts, DNS_HOSTS_MAX);
        if (n < 0 || (code != DNS_NOERROR && code != DNS_NXDOMAIN))
                log_dbg("name " HASH_FMT ": no usable answer of the DNS server %s: code %u, %d",
                        HASH_ARGS(x->hash), x->dns->server, code, n);
        find_over(x, hosts, n < 0 ? 0 : (size_t)n);
}

static bool on_answer(void *ctx, const uint8_t *p, size_t len)
{
        struct question *x = ctx;

        if (x->kind == UPDATE)
                return update_answered(x, p, len);
        find_answered(x, p, len);
        return true;
}

static void update_failed(struct question *x, int result)
{
        if (x->why != NULL)
                update_over(x, -EAUTH, x->why);
        else if (result == -EHOSTUNREACH)
                update_over(x, result, "it does not answer");
        else
                update_over(x, result, strerrordesc_np(-result));
}

static void on_failed(void *ctx, int result)
{
        struct question *x = ctx;

        if (x->why == NULL && result == -EHOSTUNREACH)
                note_silence(x->dns, true);
        if (x->kind == UPDATE)
                update_failed(x, result);
        else
                find_over(x, NULL, 0);
}

static const struct dns_query_up query_up = {on_answer, on_failed};

/* -- questions ------------------------------------------------------------- */

static int build(struct question *x, struct dns_message *m)
{
        struct dns *d = x->dns;
        char        name[DNS_NAME_MAX + 1];
        uint16_t    id;
        int         r;

        if (getrandom(&id, sizeof(id), 0) != sizeof(id))
                return -EIO;
        r = dns_name(name, x->hash, x->len, d->zone);
        if (r == 0 && x->kind == FIND)
                return dns_message_find(m, id, name, d->conf.family);
        if (r == 0)
                r = dns_message_update(m, id, d->zone, name, &d->conf.own, x->there);
        if (r == 0 && d->key != NULL)
                r = dns_tsig_sign(d->key, m, clock_wall_ns() / NS_PER_S, &x->mac);
        return r;
}

static void start(struct question *x)
{
        struct dns_message m;
        int                r = build(x, &m);

        x->under_way = true;
        x->dns->under_way[x->kind]++;
        if (r < 0)
                dns_query_fail(x->query, r);
        else
                dns_query_ask(x->query, &x->dns->conf.server, &m);
}

static bool same_name(const struct question *a, const struct question *b)
{
        return a->kind == b->kind && a->len == b->len && memcmp(a->hash, b->hash, a->len) == 0;
}

/* Whether nothing that was asked before has to be over first. */
static bool may_start(const struct question *x)
{
        const struct question *other;

        if (x->under_way || x->dns->under_way[x->kind] >= under_way_max[x->kind])
                return false;
        if (x->kind == FIND)
                return true;
        TAILQ_FOREACH (other, &x->dns->questions, next)
                if (other == x || same_name(other, x))
                        break;
        return other == x;
}

static void start_all(struct dns *d)
{
        struct question *x;

        TAILQ_FOREACH (x, &d->questions, next)
                if (may_start(x))
                        start(x);
}

static int ask(struct dns *d, enum kind kind, uint32_t number, const uint8_t *hash, size_t len, bool there)
{
        struct question *x;

        if (len == 0 || len > HASH_MAX)
                return -EINVAL;
        x = calloc(1, sizeof(*x));
        if (x == NULL)
                return -ENOMEM;
        x->query = dns_query_open(d->loop, &query_up, x);
        if (x->query == NULL) {
                free(x);
                return -ENOMEM;
        }
        x->dns   = d;
        x->kind  = kind;
        x->ask   = number;
        x->there = there;
        x->len   = len;
        memcpy(x->hash, hash, len);
        TAILQ_INSERT_TAIL(&d->questions, x, next);
        if (may_start(x))
                start(x);
        return 0;
}

void dns_find(struct dns *d, uint32_t number, const uint8_t *hash, size_t len)
{
        int r = ask(d, FIND, number, hash, len, false);

        if (r < 0)
                log_err("a question to the DNS server %s: %s", d->server, strerrordesc_np(-r));
}

int dns_publish(struct dns *d, uint32_t number, const uint8_t *hash, size_t len, bool there)
{
        int r = ask(d, UPDATE, number, hash, len, there);

        return r < 0 ? r : IPCP_LATER;
}

/* -- life ------------------------------------------------------------------ */

static bool unspecified(const struct sockaddr_storage *a)
{
        if (a->ss_family == AF_INET)
                return ((const struct sockaddr_in *)a)->sin_addr.s_addr == htonl(INADDR_ANY);
        return IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)a)->sin6_addr);
}

static bool inet(int family)
{
        return family == AF_INET || family == AF_INET6;
}

/* Why @c cannot be, or NULL. */
static const char *fault(const struct dns_config *c)
{
        static const uint8_t longest[HASH_MAX];
        char                 name[DNS_NAME_MAX + 1];
        struct dns_message   m;

        if (!inet(c->family) || c->own.ss_family != c->family || unspecified(&c->own))
                return "there is no own address to register";
        if (!inet(c->server.ss_family) || unspecified(&c->server))
                return "the server has no address";
        if (c->zone == NULL || *c->zone == 0 || *c->zone == '.')
                return "there is no zone";
        if (dns_name(name, longest, sizeof(longest), c->zone) < 0)
                return "the zone's name is too long";
        return dns_message_find(&m, 0, name, c->family) == -EINVAL ? "the zone is not the name of one" : NULL;
}

static void set_server(struct dns *d)
{
        struct sockaddr_in  *sin  = (struct sockaddr_in *)&d->conf.server;
        struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&d->conf.server;
        in_port_t           *port = sin->sin_family == AF_INET ? &sin->sin_port : &sin6->sin6_port;
        const void *addr = sin->sin_family == AF_INET ? (void *)&sin->sin_addr : (void *)&sin6->sin6_addr;

        if (*port == 0)
                *port = htons(DNS_PORT);
        inet_ntop(sin->sin_family, addr, d->server, sizeof(d->server));
        if (*port != htons(DNS_PORT))
                snprintf(d->server + strlen(d->server), 8, "#%u", (unsigned int)ntohs(*port));
}

static int configure(struct dns *d, const struct dns_config *conf)
{
        const char *why = fault(conf);
        int         r   = why == NULL ? 0 : -EINVAL;

        if (r < 0) {
                log_err("DNS: %s", why);
                return r;
        }
        if (conf->key_file != NULL)
                r = dns_key_read(&d->key, conf->key_file, &why);
        if (r < 0) {
                log_err("DNS: the key file %s %s", conf->key_file, why);
                return r;
        }
        d->conf = *conf;
        set_server(d);
        snprintf(d->zone, sizeof(d->zone), "%s", conf->zone);
        return 0;
}

int dns_open(struct dns **out, uv_loop_t *loop, const struct dns_config *conf, const struct dns_up *up)
{
        struct dns *d = calloc(1, sizeof(*d));
        int         r;

        if (d == NULL)
                return -ENOMEM;
        d->loop = loop;
        d->up   = *up;
        TAILQ_INIT(&d->questions);
        r = configure(d, conf);
        if (r < 0) {
                dns_close(d);
                return r;
        }
        *out = d;
        return 0;
}

void dns_close(struct dns *d)
{
        struct question *x;

        if (d == NULL)
                return;
        while ((x = TAILQ_FIRST(&d->questions)) != NULL) {
                TAILQ_REMOVE(&d->questions, x, next);
                question_free(x);
        }
        dns_key_free(d->key);
        free(d);
}
