/*
 * test_udp_link.c - the UDP link: addresses and configuration; packets between two links of this host, in
 * batches and one by one; what is malformed or cannot be sent; path MTUs, in a network namespace of its own
 * where the system allows one.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "ipcpd/udp/udp.h"
#include "ipcpd/udp/udp_addr.h"
#include "ipcpd/udp/udp_conf.h"
#include "ipcpd/udp/udp_recv.h"
#include "ipcpd/udp/udp_send.h"

#define PORT_A 41001
#define PORT_B 41002
#define KEPT   4096 /* packets that an end remembers */

/* -- an end: a link and what it was told ------------------------------------- */

struct end {
        const struct link_ops *ops;
        void                  *link;
        struct link_addr       own;
        struct link_addr       from; /* of the last packet */
        size_t                 n_control, n_data, n_batch, n_writable;
        uint32_t               eid;
        size_t                 lens[KEPT]; /* of data packets */
        bool                   bad;        /* a data packet was not as filled() makes them */
        uint8_t                last[2048];
        size_t                 last_len;
        uint32_t               asks[16];
        size_t                 n_asks, n_found;
        bool                   ask_again, close_at_data;
};

static uv_loop_t loop;

static void keep(struct end *e, const struct link_addr *from, const uint8_t *p, size_t len)
{
        e->from     = *from;
        e->last_len = len;
        memcpy(e->last, p, len < sizeof(e->last) ? len : sizeof(e->last));
}

static void on_control(void *ctx, const struct link_addr *from, const uint8_t *p, size_t len)
{
        struct end *e = ctx;

        keep(e, from, p, len);
        e->n_control++;
}

static void on_data(void *ctx, const struct link_addr *from, uint32_t eid, const uint8_t *p, size_t len)
{
        struct end *e = ctx;

        assert_int_not_equal(eid, 0);
        keep(e, from, p, len);
        e->eid = eid;
        for (size_t i = 0; i < len; i++)
                e->bad |= p[i] != (uint8_t)e->n_data;
        if (e->n_data < KEPT)
                e->lens[e->n_data] = len;
        e->n_data++;
        if (e->close_at_data) {
                e->ops->close(e->link);
                e->link = NULL;
        }
}

static void on_batch(void *ctx)
{
        struct end *e = ctx;

        assert_non_null(e->link);
        e->n_batch++;
}

static void on_writable(void *ctx)
{
        struct end *e = ctx;

        e->n_writable++;
}

static void on_found(void *ctx, uint32_t ask, const struct link_addr *addrs, size_t n)
{
        struct end *e = ctx;

        (void)addrs;
        assert_int_equal(n, 0);
        assert_true(e->n_found < 16);
        e->asks[e->n_found++] = ask;
        if (e->ask_again)
                e->ops->find(e->link, ask + 100, (const uint8_t *)"x", 1);
        e->ask_again = false;
}

static struct link_up up_of(struct end *e)
{
        return (struct link_up){.ctx      = e,
                                .control  = on_control,
                                .data     = on_data,
                                .batch    = on_batch,
                                .writable = on_writable,
                                .found    = on_found};
}

static struct ipcp_config conf4(const char *host, uint16_t port)
{
        struct ipcp_config c = {.type = IPCP_UDP4};

        assert_int_equal(inet_pton(AF_INET, host, &c.udp4.ip_addr), 1);
        c.udp4.port = port;
        return c;
}

static struct ipcp_config conf6(const char *host, uint16_t port)
{
        struct ipcp_config c = {.type = IPCP_UDP6};

        assert_int_equal(inet_pton(AF_INET6, host, &c.udp6.ip_addr), 1);
        c.udp6.port = port;
        return c;
}

static union udp_sockaddr sockaddr_of(const char *host, uint16_t port)
{
        union udp_sockaddr sa = {.in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)}};

        if (inet_pton(AF_INET6, host, &sa.in6.sin6_addr) == 1)
                return sa;
        memset(&sa, 0, sizeof(sa));
        sa.in4.sin_family = AF_INET;
        sa.in4.sin_port   = htons(port);
        assert_int_equal(inet_pton(AF_INET, host, &sa.in4.sin_addr), 1);
        return sa;
}

static struct link_addr addr_of(const char *host, uint16_t port)
{
        union udp_sockaddr sa = sockaddr_of(host, port);
        struct link_addr   a;

        assert_true(udp_addr_get(&a, &sa, 0));
        return a;
}

static void open_end(struct end *e, const struct link_ops *ops, const struct ipcp_config *conf)
{
        struct link_up up = up_of(e);

        memset(e, 0, sizeof(*e));
        e->ops = ops;
        assert_int_equal(ops->open(&e->link, &loop, conf, &up), 0);
}

static void close_end(struct end *e)
{
        e->ops->close(e->link);
        e->link = NULL;
}

static void on_alarm(uv_timer_t *t)
{
        (void)t;
}

/* Turns the loop until *@n is @want, or time is up. */
static void turn(const size_t *n, size_t want)
{
        int64_t    until_ns = clock_now_ns() + 10 * NS_PER_S;
        uv_timer_t t;

        uv_update_time(&loop);
        uv_timer_init(&loop, &t);
        uv_timer_start(&t, on_alarm, 10, 10);
        while (*n < want && clock_now_ns() < until_ns)
                uv_run(&loop, UV_RUN_ONCE);
        uv_close((uv_handle_t *)&t, NULL);
        uv_run(&loop, UV_RUN_NOWAIT);
        assert_int_equal(*n, want);
}

static void settle(void)
{
        uv_timer_t t;

        uv_update_time(&loop);
        uv_timer_init(&loop, &t);
        uv_timer_start(&t, on_alarm, 20, 20);
        uv_run(&loop, UV_RUN_ONCE);
        uv_run(&loop, UV_RUN_NOWAIT);
        uv_close((uv_handle_t *)&t, NULL);
        uv_run(&loop, UV_RUN_NOWAIT);
}

static int begin(void **state)
{
        (void)state;
        return uv_loop_init(&loop);
}

/* Fails if a handle was left. */
static int end(void **state)
{
        (void)state;
        for (int i = 0; i < 3; i++)
                uv_run(&loop, UV_RUN_NOWAIT);
        return uv_loop_close(&loop);
}

/* -- addresses --------------------------------------------------------------- */

static void test_address_text(void **state)
{
        struct link_addr a4 = addr_of("192.0.2.1", 3435);
        struct link_addr a6 = addr_of("2001:db8::1", 65535);
        struct link_addr no = {.len = 0};
        char             text[UDP_ADDR_TEXT];

        (void)state;
        assert_int_equal(a4.host_len, 4);
        assert_int_equal(a4.len, 6);
        assert_memory_equal(a4.b, "\xC0\x00\x02\x01\x0D\x6B", 6);
        udp_addr_text(&a4, text);
        assert_string_equal(text, "192.0.2.1:3435");
        assert_int_equal(a6.host_len, 16);
        assert_int_equal(a6.len, 18);
        udp_addr_text(&a6, text);
        assert_string_equal(text, "[2001:db8::1]:65535");
        udp_addr_text(&no, text);
        assert_string_equal(text, "?");
}

static bool accepted(const char *host, uint16_t port, uint32_t scope_id, uint32_t scope)
{
        union udp_sockaddr sa = sockaddr_of(host, port);
        union udp_sockaddr back;
        struct link_addr   a;

        if (sa.sa.sa_family == AF_INET6)
                sa.in6.sin6_scope_id = scope_id;
        if (!udp_addr_get(&a, &sa, scope)) {
                assert_int_equal(a.len, 0);
                return false;
        }
        assert_int_equal(udp_addr_put(&back, &a, scope), udp_addr_len(sa.sa.sa_family));
        assert_memory_equal(&back, &sa, udp_addr_len(sa.sa.sa_family));
        return true;
}

static void test_addresses_that_are_none(void **state)
{
        (void)state;
        assert_true(accepted("192.0.2.1", 1, 0, 0));
        assert_true(accepted("127.0.0.1", 65535, 0, 0));
        assert_false(accepted("192.0.2.1", 0, 0, 0));
        assert_false(accepted("0.0.0.0", 1, 0, 0));
        assert_false(accepted("255.255.255.255", 1, 0, 0));
        assert_false(accepted("224.0.0.1", 1, 0, 0));
        assert_true(accepted("2001:db8::1", 1, 0, 0));
        assert_true(accepted("::1", 1, 0, 0));
        assert_false(accepted("2001:db8::1", 0, 0, 0));
        assert_false(accepted("::", 1, 0, 0));
        assert_false(accepted("ff02::1", 1, 0, 0));
        assert_false(accepted("::ffff:192.0.2.1", 1, 0, 0));
        assert_true(accepted("fe80::1", 1, 3, 3));
        assert_false(accepted("fe80::1", 1, 3, 0));
        assert_false(accepted("fe80::1", 1, 3, 4));
        assert_false(accepted("fe80::1", 1, 0, 0));
}

/* -- configuration ----------------------------------------------------------- */

static int conf_result(const struct ipcp_config *c)
{
        struct udp_conf out;

        return udp_conf_get(&out, c->type == IPCP_UDP4 ? AF_INET : AF_INET6, c);
}

static void test_configuration(void **state)
{
        struct ipcp_config c = conf4("127.0.0.1", PORT_A);
        struct udp_conf    out;
        char               text[UDP_ADDR_TEXT];

        (void)state;
        c.udp4.n_peers       = 2;
        c.udp4.peers[0].addr = c.udp4.ip_addr;
        c.udp4.peers[1].addr = c.udp4.ip_addr;
        c.udp4.peers[1].port = 7;
        assert_int_equal(udp_conf_get(&out, AF_INET, &c), 0);
        assert_int_equal(out.port, PORT_A);
        assert_int_equal(out.dns.sa.sa_family, AF_UNSPEC);
        udp_addr_text(&out.peers[0], text);
        assert_string_equal(text, "127.0.0.1:41001");
        udp_addr_text(&out.peers[1], text);
        assert_string_equal(text, "127.0.0.1:7");
        inet_pton(AF_INET, "192.0.2.53", &c.udp4.dns_addr);
        assert_int_equal(udp_conf_get(&out, AF_INET, &c), 0);
        assert_int_equal(out.dns.sa.sa_family, AF_INET);
}

static void test_bad_configuration(void **state)
{
        struct ipcp_config c;

        (void)state;
        c = conf4("0.0.0.0", PORT_A);
        assert_int_equal(conf_result(&c), -EINVAL);
        c = conf4("127.0.0.1", 0);
        assert_int_equal(conf_result(&c), -EINVAL);
        c              = conf4("127.0.0.1", PORT_A);
        c.udp4.n_peers = 1; /* 0.0.0.0 */
        assert_int_equal(conf_result(&c), -EINVAL);
        c.udp4.n_peers = UDP_PEERS_MAX + 1;
        assert_int_equal(conf_result(&c), -EINVAL);
        c = conf6("::ffff:127.0.0.1", PORT_A);
        assert_int_equal(conf_result(&c), -EINVAL);
        c = conf6("fe80::dead:beef", PORT_A);
        assert_int_equal(conf_result(&c), -EADDRNOTAVAIL);
        c              = conf6("::1", PORT_A);
        c.udp6.n_peers = 1;
        inet_pton(AF_INET6, "fe80::1", &c.udp6.peers[0].addr);
        assert_int_equal(conf_result(&c), -EINVAL);
}

static void test_bind_fails(void **state)
{
        struct ipcp_config mine = conf4("127.0.0.1", PORT_A), other = conf4("192.0.2.77", PORT_A);
        struct end         a;
        struct link_up     up = up_of(&a);
        void              *link;

        (void)state;
        open_end(&a, &udp4_link, &mine);
        assert_int_equal(udp4_link.open(&link, &loop, &mine, &up), -EADDRINUSE);
        assert_int_equal(udp4_link.open(&link, &loop, &other, &up), -EADDRNOTAVAIL);
        close_end(&a);
        udp4_link.close(NULL);
}

/* -- packets ------------------------------------------------------------------ */

/* @n packets of @len bytes, of which the i-th is all i. */
static struct iovec *filled(size_t n, size_t len)
{
        struct iovec *v = calloc(n, sizeof(*v));

        for (size_t i = 0; i < n; i++) {
                v[i] = (struct iovec){malloc(len + 1), len};
                memset(v[i].iov_base, (int)(uint8_t)i, len + 1);
        }
        return v;
}

static void free_filled(struct iovec *v, size_t n)
{
        for (size_t i = 0; i < n; i++)
                free(v[i].iov_base);
        free(v);
}

/*
 * Sends what lies in @v, a window at a time so that the receiver's buffer is not overrun, and looks at what
 * came.
 */
static void exchange(struct end *a, struct end *b, const struct link_addr *to, const struct iovec *v,
                     size_t n, size_t window)
{
        struct link_path path = {*to, 0xA1B2C3D4, 1};
        size_t           some;

        b->n_data = 0;
        b->bad    = false;
        for (size_t at = 0; at < n; at += some) {
                some = n - at < window ? n - at : window;
                assert_int_equal(a->ops->send_data(a->link, &path, v + at, some), some);
                turn(&b->n_data, at + some);
        }
        assert_false(b->bad);
        assert_int_equal(b->eid, 0xA1B2C3D4);
        for (size_t i = 0; i < n && i < KEPT; i++)
                assert_int_equal(b->lens[i], v[i].iov_len);
}

static void test_pair(const struct link_ops *ops, const struct ipcp_config *ca, const struct ipcp_config *cb,
                      const struct link_addr *own_a, const struct link_addr *own_b)
{
        struct end    a, b;
        struct iovec *v = filled(300, 1400);

        open_end(&a, ops, ca);
        open_end(&b, ops, cb);
        exchange(&a, &b, own_b, v, 300, 64);
        assert_true(link_addr_equal(&b.from, own_a));
        assert_true(b.n_batch > 0);
        for (size_t i = 0; i < 300; i++) /* short, long, equal, growing, shrinking, empty */
                v[i].iov_len = i % 7 == 0 ? i : i % 11 == 0 ? 0 : i % 3 == 0 ? 1400 : 100 + i % 50 / 10;
        exchange(&a, &b, own_b, v, 300, 100);
        for (size_t i = 0; i < 300; i++)
                v[i].iov_len = 1;
        exchange(&a, &b, own_b, v, 300, 300);
        free_filled(v, 300);
        v = filled(6, 30000); /* two to a run */
        exchange(&a, &b, own_b, v, 6, 6);
        free_filled(v, 6);
        ops->send_control(b.link, own_a, (const uint8_t *)"hello", 5);
        turn(&a.n_control, 1);
        assert_true(link_addr_equal(&a.from, own_b));
        assert_int_equal(a.last_len, 5);
        assert_memory_equal(a.last, "hello", 5);
        close_end(&a);
        close_end(&b);
}

static void test_packets4(void **state)
{
        struct ipcp_config ca = conf4("127.0.0.1", PORT_A), cb = conf4("127.0.0.2", PORT_B);
        struct link_addr   a = addr_of("127.0.0.1", PORT_A), b = addr_of("127.0.0.2", PORT_B);

        (void)state;
        test_pair(&udp4_link, &ca, &cb, &a, &b);
}

static bool has_ip6(void)
{
        union udp_sockaddr sa = sockaddr_of("::1", PORT_A);
        int                fd = socket(AF_INET6, SOCK_DGRAM, 0);
        bool               ok = fd >= 0 && bind(fd, &sa.sa, sizeof(sa.in6)) == 0;

        if (fd >= 0)
                close(fd);
        return ok;
}

static void test_packets6(void **state)
{
        struct ipcp_config ca = conf6("::1", PORT_A), cb = conf6("::1", PORT_B);
        struct link_addr   a = addr_of("::1", PORT_A), b = addr_of("::1", PORT_B);

        (void)state;
        if (!has_ip6())
                skip();
        test_pair(&udp6_link, &ca, &cb, &a, &b);
}

static void test_control_to_peers(void **state)
{
        struct ipcp_config ca = conf4("127.0.0.1", PORT_A), cb = conf4("127.0.0.2", PORT_A);
        struct ipcp_config cc = conf4("127.0.0.3", PORT_B);
        struct end         a, b, c;

        (void)state;
        ca.udp4.n_peers       = 2;
        ca.udp4.peers[0].addr = cb.udp4.ip_addr;
        ca.udp4.peers[1].addr = cc.udp4.ip_addr;
        ca.udp4.peers[1].port = PORT_B;
        open_end(&a, &udp4_link, &ca);
        open_end(&b, &udp4_link, &cb);
        open_end(&c, &udp4_link, &cc);
        udp4_link.send_control(a.link, NULL, (const uint8_t *)"who?", 4);
        turn(&b.n_control, 1);
        turn(&c.n_control, 1);
        assert_memory_equal(c.last, "who?", 4);
        udp4_link.send_control(b.link, NULL, (const uint8_t *)"nobody", 6);
        close_end(&a);
        close_end(&b);
        close_end(&c);
}

/* -- what is hostile, or goes wrong -------------------------------------------- */

static void test_any_datagram(void **state)
{
        struct ipcp_config ca = conf4("127.0.0.1", PORT_A);
        union udp_sockaddr to = sockaddr_of("127.0.0.1", PORT_A);
        struct end         a;
        uint8_t            junk[60000];
        int                fd = socket(AF_INET, SOCK_DGRAM, 0);

        (void)state;
        memset(junk, 0xA5, sizeof(junk));
        open_end(&a, &udp4_link, &ca);
        for (size_t len = 0; len < 40; len++)
                assert_int_equal(sendto(fd, junk, len, 0, &to.sa, sizeof(to.in4)), len);
        turn(&a.n_data, 36);
        for (size_t i = 0; i < 36; i++)
                assert_int_equal(a.lens[i], i);
        assert_int_equal(sendto(fd, junk, sizeof(junk), 0, &to.sa, sizeof(to.in4)), sizeof(junk));
        turn(&a.n_data, 37);
        assert_int_equal(a.lens[36], sizeof(junk) - 4);
        assert_int_equal(a.n_control, 0);
        close(fd);
        close_end(&a);
}

static void test_pieces(void **state)
{
        union udp_sockaddr    from = sockaddr_of("192.0.2.1", 9), nowhere = sockaddr_of("192.0.2.1", 0);
        struct end            a    = {.link = &a};
        struct link_up        up   = up_of(&a);
        struct udp_socket     none = {-1, false, false};
        struct udp_recv      *u    = udp_recv_create(&none, 0, &up);
        const uint8_t         p[]  = {0, 0, 0, 1, 0, 0, 0, 0, 7, 8};
        struct udp_recv_facts facts;

        (void)state;
        udp_recv_pieces(u, &from, p, sizeof(p), 4); /* data, control, a rest that is too short */
        udp_recv_facts(u, &facts);
        assert_int_equal(a.n_data, 1);
        assert_int_equal(a.n_control, 1);
        assert_int_equal(facts.refused, 1);
        udp_recv_pieces(u, &from, p, 0, 0);
        udp_recv_pieces(u, &from, p, 3, 100);
        udp_recv_pieces(u, &nowhere, p, sizeof(p), 4);
        udp_recv_facts(u, &facts);
        assert_int_equal(a.n_data, 1);
        assert_int_equal(facts.refused, 4);
        udp_recv_destroy(u);
}

static void test_close_from_within(void **state)
{
        struct ipcp_config ca = conf4("127.0.0.1", PORT_A), cb = conf4("127.0.0.2", PORT_B);
        struct link_addr   to   = addr_of("127.0.0.2", PORT_B);
        struct link_path   path = {to, 5, 6};
        struct iovec      *v    = filled(40, 100);
        struct end         a, b;

        (void)state;
        open_end(&a, &udp4_link, &ca);
        open_end(&b, &udp4_link, &cb);
        b.close_at_data = true;
        assert_int_equal(udp4_link.send_data(a.link, &path, v, 40), 40);
        turn(&b.n_data, 1);
        settle();
        assert_int_equal(b.n_data, 1);
        free_filled(v, 40);
        close_end(&a);
}

/* No route, refused by the kernel: gone, and the next one to somebody else goes well. */
static void test_thrown_away(void **state)
{
        struct ipcp_config ca = conf4("127.0.0.1", PORT_A), cb = conf4("127.0.0.2", PORT_B);
        struct link_addr   nobody = addr_of("127.0.0.9", PORT_B), to = addr_of("127.0.0.2", PORT_B);
        struct link_path   far  = {addr_of("192.0.2.1", PORT_B), 5, 6}; /* from 127.0.0.1: EINVAL */
        struct iovec      *v    = filled(40, 100);
        struct iovec       huge = {calloc(1, 65536), 65536};
        struct end         a, b;

        (void)state;
        open_end(&a, &udp4_link, &ca);
        open_end(&b, &udp4_link, &cb);
        assert_int_equal(udp4_link.send_data(a.link, &far, v, 40), 40);
        far.to = nobody; /* ICMP says that the port is closed: nothing comes of it */
        assert_int_equal(udp4_link.send_data(a.link, &far, v, 40), 40);
        far.to = to;
        assert_int_equal(udp4_link.send_data(a.link, &far, &huge, 1), 1);
        udp4_link.send_control(a.link, &nobody, (const uint8_t *)"x", 1);
        settle();
        udp4_link.send_control(a.link, &to, (const uint8_t *)"x", 1);
        turn(&b.n_control, 1);
        assert_int_equal(b.n_data, 0);
        free_filled(v, 40);
        free(huge.iov_base);
        close_end(&a);
        close_end(&b);
}

/* -- names ---------------------------------------------------------------------- */

static void test_nobody_is_found(void **state)
{
        struct ipcp_config ca = conf4("127.0.0.1", PORT_A);
        struct end         a;

        (void)state;
        open_end(&a, &udp4_link, &ca);
        a.ask_again = true;
        for (uint32_t i = 1; i <= 10; i++)
                udp4_link.find(a.link, i, (const uint8_t *)"hash", 4);
        assert_int_equal(a.n_found, 0); /* not from within */
        turn(&a.n_found, 11);
        for (uint32_t i = 1; i <= 10; i++)
                assert_int_equal(a.asks[i - 1], i);
        assert_int_equal(a.asks[10], 101);
        assert_int_equal(udp4_link.publish(a.link, 9, (const uint8_t *)"hash", 4, true), 0);
        udp4_link.find(a.link, 12, (const uint8_t *)"hash", 4);
        close_end(&a);
        settle();
        assert_int_equal(a.n_found, 11);
}

/* -- numbers ---------------------------------------------------------------------- */

static void test_eids(void **state)
{
        (void)state;
        assert_int_equal(udp4_link.eid(UINT64_C(0x1122334455667788)), 0x55667788);
        assert_int_not_equal(udp4_link.eid(0), 0);
        assert_int_not_equal(udp4_link.eid(UINT64_C(0xFFFFFFFE00000000)), 0);
}

static void test_facts(void **state)
{
        struct ipcp_config ca = conf4("127.0.0.1", PORT_A);
        struct link_addr   to = addr_of("127.0.0.2", PORT_B);
        struct link_facts  facts;
        struct end         a;

        (void)state;
        open_end(&a, &udp4_link, &ca);
        udp4_link.facts(a.link, &facts);
        assert_true(facts.packet_max >= 36 && facts.packet_max <= 65503);
        assert_int_equal(facts.control_max, 1200);
        assert_int_equal(facts.pad_to, 1200);
        assert_true(facts.proves);
        assert_int_equal(facts.mpl_ms, 5000);
        assert_int_equal(udp4_link.packet_max(a.link, &to), facts.packet_max);
        close_end(&a);
}

/* -- a network of our own ------------------------------------------------------------ */

static int new_namespace(void)
{
        return unshare(CLONE_NEWNET) == 0 ? open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC) : -1;
}

static void enter(int ns)
{
        assert_int_equal(setns(ns, CLONE_NEWNET), 0);
}

static void ip(const char *fmt, ...)
{
        char    line[512] = "ip ";
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(line + 3, sizeof(line) - 3, fmt, ap);
        va_end(ap);
        if (system(line) != 0)
                fail_msg("%s", line);
}

static void cable(int ns_here, const char *here, int ns_there, const char *there)
{
        enter(ns_here);
        ip("link add %s type veth peer name %s", here, there);
        ip("link set %s up", here);
        ip("link set %s netns /proc/%d/fd/%d", there, getpid(), ns_there);
        enter(ns_there);
        ip("link set %s up", there);
}

static void forward(void)
{
        int fd = open("/proc/sys/net/ipv4/ip_forward", O_WRONLY);

        assert_int_equal(write(fd, "1", 1), 1);
        close(fd);
}

/*
 *     a 10.9.1.1 ---- 10.9.1.2 router 10.9.2.2 ---- 10.9.2.1 b
 *          MTU 1500                      narrow later
 */
static void build(int ns[3])
{
        cable(ns[0], "a0", ns[1], "r0");
        cable(ns[2], "b0", ns[1], "r1");
        enter(ns[1]);
        ip("addr add 10.9.1.2/24 dev r0");
        ip("addr add 10.9.2.2/24 dev r1");
        forward();
        enter(ns[0]);
        ip("addr add 10.9.1.1/24 dev a0");
        ip("route add default via 10.9.1.2");
        enter(ns[2]);
        ip("addr add 10.9.2.1/24 dev b0");
        ip("route add default via 10.9.2.2");
}

static void narrow(int ns[3])
{
        enter(ns[1]);
        ip("link set r1 mtu 1300");
        enter(ns[2]);
        ip("link set b0 mtu 1300");
}

/*
 * A flow whose packets are as large as they may be goes on when the path becomes narrower; who comes later
 * is told.
 */
static void narrowing(int ns[3])
{
        struct ipcp_config ca = conf4("10.9.1.1", PORT_A), cb = conf4("10.9.2.1", PORT_A);
        struct link_addr   to   = addr_of("10.9.2.1", PORT_A);
        struct iovec      *v    = filled(40, 1468);
        struct iovec      *one  = filled(1, 1468);
        struct link_path   path = {to, 7, 8};
        struct end         a, b;

        enter(ns[2]);
        open_end(&b, &udp4_link, &cb);
        enter(ns[0]);
        open_end(&a, &udp4_link, &ca);
        assert_int_equal(udp4_link.packet_max(a.link, &to), 1468);
        exchange(&a, &b, &to, v, 40, 40);
        narrow(ns);
        enter(ns[0]);
        assert_int_equal(udp4_link.packet_max(a.link, &to),
                         1468); /* nobody has told the kernel yet, nor it us */
        assert_int_equal(udp4_link.send_data(a.link, &path, one, 1), 1);
        settle();
        usleep(1100 * 1000);
        assert_int_equal(udp4_link.packet_max(a.link, &to), 1268);
        exchange(&a, &b, &to, v, 40, 40); /* fragmented: such runs are cut here */
        free_filled(v, 40);
        free_filled(one, 1);
        close_end(&a);
        close_end(&b);
}

/* Both on one cable, by link-local addresses alone. */
static void link_local(int ns[3])
{
        struct ipcp_config ca = conf6("fe80::a", PORT_A), cr = conf6("fe80::c", PORT_A);
        struct end         a, r;

        enter(ns[1]);
        ip("addr add fe80::c/64 dev r0 nodad");
        open_end(&r, &udp6_link, &cr);
        enter(ns[0]);
        ip("addr add fe80::a/64 dev a0 nodad");
        ca.udp6.n_peers       = 1;
        ca.udp6.peers[0].addr = cr.udp6.ip_addr;
        open_end(&a, &udp6_link, &ca);
        udp6_link.send_control(a.link, NULL, (const uint8_t *)"near", 4);
        turn(&r.n_control, 1);
        udp6_link.send_control(r.link, &r.from, (const uint8_t *)"here", 4);
        turn(&a.n_control, 1);
        assert_int_equal(udp6_link.packet_max(a.link, &a.from), 1448);
        close_end(&a);
        close_end(&r);
}

/* A device that passes little: the socket's buffer fills, and writable() comes when there is room. */
static void full(int ns[3])
{
        struct ipcp_config ca   = conf4("10.9.1.1", PORT_A);
        struct link_path   path = {addr_of("10.9.1.2", PORT_B), 7, 8};
        struct iovec      *v    = filled(100, 1400);
        struct end         a;
        size_t             n = 100;

        enter(ns[0]);
        if (system("tc qdisc add dev a0 root tbf rate 100mbit burst 20kb limit 100mb 2>/dev/null") != 0) {
                free_filled(v, 100);
                return; /* the kernel has none */
        }
        open_end(&a, &udp4_link, &ca);
        for (int i = 0; i < 1000 && n == 100; i++)
                n = udp4_link.send_data(a.link, &path, v, 100);
        assert_true(n < 100);
        assert_int_equal(a.n_writable, 0);
        turn(&a.n_writable, 1);
        assert_true(udp4_link.send_data(a.link, &path, v, 1) == 1);
        free_filled(v, 100);
        close_end(&a);
}

static void test_network(void **state)
{
        int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        int ns[3];

        (void)state;
        for (int i = 0; i < 3; i++) {
                ns[i] = new_namespace();
                if (ns[i] < 0 || system("ip link set lo up 2>/dev/null") != 0)
                        skip();
        }
        build(ns);
        narrowing(ns);
        link_local(ns);
        full(ns);
        uv_run(&loop, UV_RUN_DEFAULT);
        enter(home);
        for (int i = 0; i < 3; i++)
                close(ns[i]);
        close(home);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_address_text),
                TEST(test_addresses_that_are_none),
                TEST(test_configuration),
                TEST(test_bad_configuration),
                TEST(test_bind_fails),
                TEST(test_packets4),
                TEST(test_packets6),
                TEST(test_control_to_peers),
                TEST(test_any_datagram),
                TEST(test_pieces),
                TEST(test_close_from_within),
                TEST(test_thrown_away),
                TEST(test_nobody_is_found),
                TEST(test_eids),
                TEST(test_facts),
                TEST(test_network),
        };

        log_init("test_udp_link", LOG_INFO);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
