/* flow.c - the puppet's verbs for one flow: dev.h and fccntl.h. */
#include "puppet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ouroboros/dev.h>
#include <ouroboros/errno.h>
#include <ouroboros/fccntl.h>
#include <ouroboros/irm.h>

static const struct {
        const char      *name;
        const qosspec_t *spec;
} cubes[] = {
        {"raw", &qos_raw},
        {"raw_no_errors", &qos_raw_no_errors},
        {"best_effort", &qos_best_effort},
        {"video", &qos_video},
        {"voice", &qos_voice},
        {"data", &qos_data},
};

/* "none" is NULL. */
static qosspec_t *qos_arg(const struct call *c, int i, qosspec_t *qs)
{
        for (size_t k = 0; i < c->argc && k < sizeof(cubes) / sizeof(cubes[0]); k++) {
                if (strcmp(cubes[k].name, c->argv[i]) == 0) {
                        *qs = *cubes[k].spec;
                        return qs;
                }
        }
        return NULL;
}

static void put_qos(struct call *c, const qosspec_t *qs)
{
        fprintf(c->more, ", \"qos\": [%u, %llu, %u, %u, %u, %u, %u, %u]", qs->delay,
                (unsigned long long)qs->bandwidth, qs->availability, qs->loss, qs->ber, qs->in_order,
                qs->max_gap, qs->timeout);
}

/* "null" and "empty" stand for what a line cannot hold. */
static const char *name_arg(const struct call *c, int i)
{
        if (strcmp(c->argv[i], "null") == 0)
                return NULL;
        return strcmp(c->argv[i], "empty") == 0 ? "" : c->argv[i];
}

static long do_alloc(struct call *c)
{
        struct timespec ts;
        qosspec_t       qs, *wish = qos_arg(c, 1, &qs);
        int             fd  = flow_alloc(name_arg(c, 0), wish, call_time(c, 2, &ts));
        int             err = errno;

        if (fd >= 0 && wish != NULL)
                put_qos(c, wish);
        errno = err;
        return fd;
}

static long do_accept(struct call *c)
{
        struct timespec ts;
        qosspec_t       qs;
        int             fd = flow_accept(&qs, call_time(c, 0, &ts));

        if (fd >= 0)
                put_qos(c, &qs);
        return fd;
}

static long do_alloc_start(struct call *c)
{
        struct timespec ts;
        qosspec_t       qs;

        return flow_alloc_start(name_arg(c, 0), qos_arg(c, 1, &qs), call_time(c, 2, &ts));
}

static long do_alloc_finish(struct call *c)
{
        return flow_alloc_finish((int)call_long(c, 0), NULL);
}

static long do_accept_fd(struct call *c)
{
        (void)c;
        return flow_accept_fd();
}

static long do_dealloc(struct call *c)
{
        return flow_dealloc((int)call_long(c, 0));
}

static long do_read(struct call *c)
{
        size_t  size = (size_t)call_long(c, 1);
        char   *buf  = malloc(size + 1);
        ssize_t n    = flow_read((int)call_long(c, 0), buf, size);
        int     err  = errno;

        if (n > 0)
                call_put_hex(c, buf, (size_t)n);
        free(buf);
        errno = err;
        return n;
}

static unsigned char nibble(char c)
{
        return (unsigned char)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* For free(). */
static unsigned char *unhex(const char *hex, size_t *len)
{
        unsigned char *buf;

        *len = strlen(hex) / 2;
        buf  = malloc(*len + 1);
        for (size_t i = 0; i < *len; i++)
                buf[i] = (unsigned char)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
        return buf;
}

static long do_write(struct call *c)
{
        size_t         len;
        unsigned char *buf = unhex(c->argv[1], &len);
        ssize_t        n   = flow_write((int)call_long(c, 0), buf, len);

        free(buf);
        return n;
}

/* -- first data: HEX to send ("none": nothing), SIZE of the buffer for what is received ------------------- */

static void data_open(const struct call *c, int i, struct flow_data *d)
{
        memset(d, 0, sizeof(*d));
        if (strcmp(c->argv[i], "none") != 0)
                d->send = unhex(c->argv[i], &d->send_len);
        d->recv_size = (size_t)call_long(c, i + 1);
        d->recv      = malloc(d->recv_size + 1);
}

static void data_close(struct call *c, int fd, struct flow_data *d)
{
        int err = errno;

        if (fd >= 0)
                call_put_hex(c, d->recv, d->recv_len);
        free((void *)d->send);
        free(d->recv);
        errno = err;
}

static long do_alloc_data(struct call *c)
{
        struct flow_data d;
        int              fd;

        data_open(c, 1, &d);
        fd = flow_alloc_data(name_arg(c, 0), NULL, NULL, &d);
        data_close(c, fd, &d);
        return fd;
}

static long do_accept_data(struct call *c)
{
        struct flow_data d;
        int              fd;

        data_open(c, 0, &d);
        fd = flow_accept_data(NULL, NULL, &d);
        data_close(c, fd, &d);
        return fd;
}

/* So many zeros: for lengths, among them 0, rather than content. */
static long do_write_zeros(struct call *c)
{
        size_t  len = (size_t)call_long(c, 1);
        void   *buf = calloc(1, len + 1);
        ssize_t n   = flow_write((int)call_long(c, 0), buf, len);

        free(buf);
        return n;
}

static long do_get_flags(struct call *c)
{
        uint32_t flags = 0;
        int      r     = fccntl((int)call_long(c, 0), FLOWGFLAGS, &flags);

        fprintf(c->more, ", \"flags\": %u", flags);
        return r;
}

static long do_set_flags(struct call *c)
{
        return fccntl((int)call_long(c, 0), FLOWSFLAGS, (uint32_t)call_long(c, 1));
}

static long do_get_timeout(struct call *c)
{
        struct timespec ts = {0};
        int r = fccntl((int)call_long(c, 0), c->argv[1][0] == 'r' ? FLOWGRCVTIMEO : FLOWGSNDTIMEO, &ts);

        fprintf(c->more, ", \"ms\": %lld", (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000);
        return r;
}

static long do_set_timeout(struct call *c)
{
        struct timespec ts;

        return fccntl((int)call_long(c, 0), c->argv[1][0] == 'r' ? FLOWSRCVTIMEO : FLOWSSNDTIMEO,
                      call_time(c, 2, &ts));
}

static long do_get_qos(struct call *c)
{
        qosspec_t qs = {0};
        int       r  = fccntl((int)call_long(c, 0), FLOWGQOSSPEC, &qs);

        put_qos(c, &qs);
        return r;
}

static long do_queued(struct call *c)
{
        size_t rx = 0, tx = 0;
        int    fd = (int)call_long(c, 0);
        int    r  = fccntl(fd, FLOWGRXQLEN, &rx);

        if (r == 0)
                r = fccntl(fd, FLOWGTXQLEN, &tx);
        fprintf(c->more, ", \"rx\": %zu, \"tx\": %zu", rx, tx);
        return r;
}

static long do_info(struct call *c)
{
        struct flow_info info = {0};
        int              r    = fccntl((int)call_long(c, 0), FLOWGINFO, &info);

        fprintf(c->more, ", \"layer\": \"%s\", \"type\": \"%s\", \"max_message\": %u, \"flow_id\": %llu",
                info.layer, info.ipcp_type, info.max_message, (unsigned long long)info.flow_id);
        return r;
}

static long do_peer(struct call *c)
{
        struct flow_peer peer = {0};
        int              r    = fccntl((int)call_long(c, 0), FLOWGPEER, &peer);

        fprintf(c->more,
                ", \"authenticated\": %u, \"encrypted\": %u, \"suite\": %u, \"confirmed\": %u, \"identity\": "
                "\"%s\"",
                peer.authenticated, peer.encrypted, peer.suite, peer.confirmed, peer.identity);
        call_put_hex(c, peer.fingerprint, sizeof(peer.fingerprint));
        return r;
}

static long do_stats(struct call *c)
{
        struct flow_stats s = {0};
        int               r = fccntl((int)call_long(c, 0), FLOWGSTATS, &s);

        fprintf(c->more,
                ", \"tx\": [%llu, %llu], \"rx\": [%llu, %llu], \"tx_wakes\": %llu, \"rx_waits\": %llu",
                (unsigned long long)s.tx_messages, (unsigned long long)s.tx_bytes,
                (unsigned long long)s.rx_messages, (unsigned long long)s.rx_bytes,
                (unsigned long long)s.tx_wakes, (unsigned long long)s.rx_waits);
        return r;
}

/* Any command with a NULL argument. */
static long do_fccntl_null(struct call *c)
{
        return fccntl((int)call_long(c, 0), (int)call_long(c, 1), NULL);
}

static long do_strerror(struct call *c)
{
        fprintf(c->more, ", \"text\": \"%s\"", o7s_strerror((int)call_long(c, 0)));
        return 0;
}

/* A management call, for what the library says to those who may not. */
static long do_name_create(struct call *c)
{
        struct name_info info = {.pol_lb = LB_RR};
        int              r, err;

        strncpy(info.name, c->argv[0], NAME_SIZE);
        r   = irm_create_name(&info);
        err = errno;
        fprintf(c->more, ", \"reason\": \"%s\"", irm_reason());
        errno = err;
        return r;
}

const struct verb flow_verbs[] = {
        {"alloc", 1, do_alloc},
        {"accept", 0, do_accept},
        {"alloc_data", 3, do_alloc_data},
        {"accept_data", 2, do_accept_data},
        {"alloc_start", 1, do_alloc_start},
        {"alloc_finish", 1, do_alloc_finish},
        {"accept_fd", 0, do_accept_fd},
        {"dealloc", 1, do_dealloc},
        {"read", 2, do_read},
        {"write", 2, do_write},
        {"write_zeros", 2, do_write_zeros},
        {"get_flags", 1, do_get_flags},
        {"set_flags", 2, do_set_flags},
        {"get_timeout", 2, do_get_timeout},
        {"set_timeout", 3, do_set_timeout},
        {"get_qos", 1, do_get_qos},
        {"queued", 1, do_queued},
        {"info", 1, do_info},
        {"peer", 1, do_peer},
        {"stats", 1, do_stats},
        {"fccntl_null", 2, do_fccntl_null},
        {"strerror", 1, do_strerror},
        {"name_create", 1, do_name_create},
        {NULL, 0, NULL},
};
