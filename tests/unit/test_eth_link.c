/*
 * test_eth_link.c - two links at the ends of a cable (veth), in a network namespace of the test's own, on
 * one loop; and a stranger on the same cable who sends what is not theirs. Needs root, or it is skipped.
 *
 *     ea [link a] --------------- eb [link b]
 *      + stranger
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "ipcpd/common/caps.h"
#include "ipcpd/eth/eth.h"
#include "random.h"
#include "wire/eth.h"

#define BIG 9000u

static const uint8_t mac_a[ETH_MAC] = {0x02, 0, 0, 0, 0, 0x0a};
static const uint8_t mac_b[ETH_MAC] = {0x02, 0, 0, 0, 0, 0x0b};

static bool is_root_of_net; /* there is a namespace of our own */

/* -- one end --------------------------------------------------------------- */

struct end {
        const struct link_ops *ops;
        void                  *link;
        struct link_addr       from; /* of the last packet */
        uint32_t               eid;
        uint8_t                bytes[65536];
        size_t                 len;
        unsigned               controls, datas, batches, writables, states;
        bool                   works;
        uint64_t               expected; /* seed of the bytes that come */
        bool                   check;
};

static void on_control(void *ctx, const struct link_addr *from, const uint8_t *p, size_t len)
{
        struct end *x = ctx;

        x->controls++;
        x->from = *from;
        x->len  = len;
        memcpy(x->bytes, p, len);
}

static void on_data(void *ctx, const struct link_addr *from, uint32_t eid, const uint8_t *p, size_t len)
{
        struct end *x = ctx;
        uint8_t     want[BIG];

        if (x->check) {
                assert_int_equal(len, 1 + random_below(&x->expected, 1497));
                random_fill(&x->expected, want, 8);
                assert_memory_equal(p, want, len < 8 ? len : 8);
        }
        x->datas++;
        x->from = *from;
        x->eid  = eid;
        x->len  = len;
}

static void on_batch(void *ctx)
{
        ((struct end *)ctx)->batches++;
}

static void on_writable(void *ctx)
{
        ((struct end *)ctx)->writables++;
}

static void on_state(void *ctx, bool works)
{
        struct end *x = ctx;

        assert_int_not_equal(works, x->works);
        x->works = works;
        x->states++;
}

/* -- both, and their loop -------------------------------------------------- */

struct fixture {
        const struct link_ops *ops;
        uv_loop_t              loop;
        uv_timer_t             tick;
        struct end             a, b;
        int                    stranger; /* a packet socket at ea */
};

/* Another process, since this one gives up what that takes: see test_all_without_capabilities(). */
static int changer = -1;

static void ip(const char *command)
{
        int status = -1;

        assert_true(send(changer, command, strlen(command) + 1, 0) > 0);
        assert_true(recv(changer, &status, sizeof(status), 0) > 0);
        assert_int_equal(status, 0);
}

static void change(int fd)
{
        char command[128], line[256];
        int  status;

        while (recv(fd, command, sizeof(command), 0) > 0) {
                snprintf(line, sizeof(line), "ip %s >/dev/null 2>&1", command);
                status = system(line);
                send(fd, &status, sizeof(status), MSG_NOSIGNAL);
        }
        _exit(0);
}

static void start_changer(void)
{
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
        if (fork() == 0) {
                close(fds[0]);
                change(fds[1]);
        }
        close(fds[1]);
        changer = fds[0];
}

static bool has_carrier(int fd, const char *dev)
{
        struct ifreq rq = {0};

        snprintf(rq.ifr_name, sizeof(rq.ifr_name), "%s", dev);
        return ioctl(fd, SIOCGIFFLAGS, &rq) == 0 && rq.ifr_flags & IFF_RUNNING;
}

static void plug_in(void)
{
        int fd = socket(AF_INET, SOCK_DGRAM, 0);

        ip("link add ea address 02:00:00:00:00:0a type veth peer name eb address 02:00:00:00:00:0b");
        ip("link set ea up");
        ip("link set eb up");
        for (int i = 0; i < 2000 && !(has_carrier(fd, "ea") && has_carrier(fd, "eb")); i++)
                usleep(1000);
        close(fd);
}

struct opening {
        struct fixture *x;
        struct end     *end;
        const char     *dev;
        uint16_t        ethertype;
        int             result;
        uint64_t        caps; /* that are left */
};

static uint64_t caps_of_thread(void)
{
        struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct   d[2] = {0};

        syscall(SYS_capget, &head, d);
        return (uint64_t)(d[1].permitted | d[1].effective | d[1].inheritable) << 32 |
               (d[0].permitted | d[0].effective | d[0].inheritable);
}

static void *open_here(void *arg)
{
        struct opening    *o    = arg;
        struct link_up     up   = {o->end, on_control, on_data, on_batch, on_writable, on_state, NULL, NULL};
        struct ipcp_config conf = {.type = o->x->ops->type};

        snprintf(conf.eth.dev, sizeof(conf.eth.dev), "%s", o->dev);
        conf.eth.ethertype = o->ethertype;
        o->end->ops        = o->x->ops;
        o->end->works      = true;
        o->result          = o->x->ops->open(&o->end->link, &o->x->loop, &conf, &up);
        o->caps            = caps_of_thread();
        return NULL;
}

static uint16_t ethertype_of(const struct link_ops *ops)
{
        return ops->type == IPCP_ETH_DIX ? 0xA000 : 0;
}

/* In a thread, since a link takes the capabilities of the one that opens it, and the test needs them. */
static void open_end(struct fixture *x, struct end *end, const char *dev)
{
        struct opening o = {.x = x, .end = end, .dev = dev, .ethertype = ethertype_of(x->ops)};
        pthread_t      t;

        assert_int_equal(pthread_create(&t, NULL, open_here, &o), 0);
        pthread_join(t, NULL);
        assert_int_equal(o.result, 0);
        assert_true(o.caps == 0);
}

static void on_tick(uv_timer_t *t)
{
        (void)t;
}

static int setup(void **state)
{
        struct fixture    *x = calloc(1, sizeof(*x));
        struct sockaddr_ll a = {.sll_family = AF_PACKET};

        if (!is_root_of_net)
                return free(x), 0;
        x->ops = *state;
        *state = x;
        uv_loop_init(&x->loop);
        uv_timer_init(&x->loop, &x->tick);
        plug_in();
        open_end(x, &x->a, "ea");
        open_end(x, &x->b, "eb");
        x->stranger   = socket(AF_PACKET, SOCK_RAW, 0);
        a.sll_ifindex = (int)if_nametoindex("ea");
        return bind(x->stranger, (const struct sockaddr *)&a, sizeof(a));
}

static int teardown(void **state)
{
        struct fixture *x = *state;
        int             r;

        if (!is_root_of_net)
                return 0;
        x->a.ops->close(x->a.link);
        x->b.ops->close(x->b.link);
        uv_close((uv_handle_t *)&x->tick, NULL);
        close(x->stranger);
        uv_run(&x->loop, UV_RUN_DEFAULT);
        r = uv_loop_close(&x->loop);
        ip("link del ea");
        free(x);
        return r;
}

/* Turns the loop until *@n is @want, for 2 s at most. */
static void run_until(struct fixture *x, const unsigned *n, unsigned want)
{
        int64_t end = clock_now_ns() + 2 * NS_PER_S;

        uv_timer_start(&x->tick, on_tick, 1, 1);
        while (*n < want && clock_now_ns() < end)
                uv_run(&x->loop, UV_RUN_ONCE);
        uv_timer_stop(&x->tick);
        assert_int_equal(*n, want);
}

static void run_for(struct fixture *x, int64_t ns)
{
        int64_t end = clock_now_ns() + ns;

        uv_timer_start(&x->tick, on_tick, 1, 1);
        while (clock_now_ns() < end)
                uv_run(&x->loop, UV_RUN_ONCE);
        uv_timer_stop(&x->tick);
}

static struct link_addr addr_of(const uint8_t mac[ETH_MAC])
{
        struct link_addr a = {.host_len = ETH_MAC, .len = ETH_MAC};

        memcpy(a.b, mac, ETH_MAC);
        return a;
}

static struct link_path path_to(const uint8_t mac[ETH_MAC])
{
        return (struct link_path){.to = addr_of(mac), .eid = 0x12, .own_eid = 0x14};
}

static void send_to_b(struct fixture *x, const char *text)
{
        struct link_addr to = addr_of(mac_b);

        x->a.ops->send_control(x->a.link, &to, (const uint8_t *)text, strlen(text));
}

static size_t send_one(struct end *from, const uint8_t to[ETH_MAC], size_t len)
{
        static uint8_t   bytes[BIG];
        struct link_path path = path_to(to);
        struct iovec     one  = {bytes, len};

        return from->ops->send_data(from->link, &path, &one, 1);
}

static struct eth_counts counts(struct end *x)
{
        struct eth_counts c;

        eth_link_counts(x->link, &c);
        return c;
}

#define FIXTURE(x)           \
        struct fixture *x;   \
        if (!is_root_of_net) \
                skip();      \
        x = *state

/* -- between the two ------------------------------------------------------- */

static void test_control(void **state)
{
        struct link_addr a, b;
        char             text[64];

        FIXTURE(x);
        a = addr_of(mac_a);
        b = addr_of(mac_b);
        send_to_b(x, "to you");
        run_until(x, &x->b.controls, 1);
        assert_int_equal(x->b.len, 6);
        assert_memory_equal(x->b.bytes, "to you", 6);
        assert_true(link_addr_equal(&x->b.from, &a));
        x->b.ops->send_control(x->b.link, NULL, (const uint8_t *)"to all", 6);
        run_until(x, &x->a.controls, 1);
        assert_memory_equal(x->a.bytes, "to all", 6);
        assert_true(link_addr_equal(&x->a.from, &b));
        x->ops->addr_text(&b, text);
        assert_string_equal(text, "02:00:00:00:00:0b");
        assert_int_equal(x->b.datas + x->a.datas, 0);
        assert_true(x->a.batches > 0 && x->b.batches > 0);
}

static void test_facts(void **state)
{
        struct link_facts f;

        FIXTURE(x);
        x->ops->facts(x->a.link, &f);
        assert_int_equal(f.packet_max, x->ops->type == IPCP_ETH_DIX ? 1496 : 1497);
        assert_int_equal(f.control_max, f.packet_max);
        assert_int_equal(f.pad_to, 0);
        assert_false(f.proves);
        assert_int_equal(f.mpl_ms, 100);
        assert_null(x->ops->find);
        assert_null(x->ops->publish);
        assert_int_equal(send_one(&x->a, mac_b, f.packet_max), 1);
        run_until(x, &x->b.datas, 1);
        assert_int_equal(x->b.len, f.packet_max);
        assert_int_equal(x->b.eid, 0x12);
}

/* @n packets of random lengths, whose first bytes are random too. */
static void send_many(struct fixture *x, uint64_t *seed, size_t n)
{
        static uint8_t   bytes[100][1497];
        struct iovec     iov[100];
        struct link_path path = path_to(mac_b);

        for (size_t i = 0; i < n; i++) {
                iov[i] = (struct iovec){bytes[i], 1 + random_below(seed, 1497)};
                random_fill(seed, bytes[i], 8);
        }
        assert_int_equal(x->a.ops->send_data(x->a.link, &path, iov, n), n);
}

/* Enough of them that the receiver goes from quiet to busy, and back. */
static void test_data_in_order(void **state)
{
        uint64_t seed = 1;
        unsigned sent = 0;

        FIXTURE(x);
        if (x->ops->type == IPCP_ETH_DIX)
                ip("link set ea mtu 1501"), ip("link set eb mtu 1501"), run_for(x, 20 * NS_PER_MS);
        x->b.check    = true;
        x->b.expected = seed;
        for (unsigned round = 0; round < 200; round++) {
                send_many(x, &seed, 1 + round % 100);
                sent += 1 + round % 100;
                if (round % 10 == 0)
                        run_until(x, &x->b.datas, sent);
        }
        run_until(x, &x->b.datas, sent);
        run_for(x, 5 * NS_PER_MS);
        send_many(x, &seed, 1);
        run_until(x, &x->b.datas, sent + 1);
        assert_int_equal(counts(&x->b).refused + counts(&x->b).full + counts(&x->a).lost, 0);
        assert_int_equal(counts(&x->b).in, sent + 1);
        assert_int_equal(counts(&x->a).out, sent + 1);
}

/* -- strangers ------------------------------------------------------------- */

/* A frame to b as it should be, with a control packet of one byte and padding. */
static size_t good_frame(const struct fixture *x, uint8_t out[64])
{
        struct eth_frame h = {.ethertype = 0xA000, .len = 1};
        struct wr        w = {out, out + 64, false};

        memset(out, 0, 64);
        memcpy(h.dst, mac_b, ETH_MAC);
        memcpy(h.src, "\2\0\0\0\0\x0c", ETH_MAC);
        if (x->ops->type == IPCP_ETH_DIX)
                eth_dix_put(&w, &h);
        else
                eth_llc_put(&w, &h);
        wr_be(&w, '!', 1);
        return 60;
}

static void inject(const struct fixture *x, const void *frame, size_t len)
{
        assert_int_equal(send(x->stranger, frame, len, 0), len);
}

/* The good frame with one byte changed: nothing of it comes up. @refused: by us, not by the filter. */
static void refuses(struct fixture *x, size_t at, uint8_t value, bool refused)
{
        uint8_t  frame[64];
        size_t   len    = good_frame(x, frame);
        uint64_t before = counts(&x->b).refused;
        unsigned n      = x->b.controls;

        frame[at] = value;
        inject(x, frame, len);
        good_frame(x, frame);
        inject(x, frame, len);
        run_until(x, &x->b.controls, n + 1);
        assert_int_equal(x->b.len, 1);
        assert_int_equal(x->b.bytes[0], '!');
        assert_int_equal(counts(&x->b).refused, before + refused);
        assert_int_equal(x->b.datas, 0);
}

static void test_strangers(void **state)
{
        FIXTURE(x);
        refuses(x, 5, 0x0d, false);  /* to somebody else      */
        refuses(x, 0, 0x03, false);  /* to a group            */
        refuses(x, 6, 0x03, false);  /* from a group          */
        refuses(x, 11, 0x0b, true);  /* from ourselves        */
        refuses(x, 12, 0x08, false); /* IP, or not a length   */
        if (x->ops->type == IPCP_ETH_DIX) {
                refuses(x, 16, 0xff, true); /* longer than it is */
                refuses(x, 17, 43, true);
        } else {
                refuses(x, 13, 47, true);    /* longer than it is   */
                refuses(x, 13, 2, true);     /* no LLC              */
                refuses(x, 14, 0x42, false); /* a spanning tree     */
                refuses(x, 14, 0x11, false); /* a group             */
                refuses(x, 15, 0x3D, true);  /* a response          */
                refuses(x, 16, 0x13, false); /* unnumbered poll     */
        }
}

/* A packet of a flow is for one host. */
static void test_data_to_all(void **state)
{
        static const uint8_t all[ETH_MAC] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

        FIXTURE(x);
        assert_int_equal(send_one(&x->a, all, 10), 1);
        send_to_b(x, "after");
        run_until(x, &x->b.controls, 1);
        assert_int_equal(x->b.datas, 0);
        assert_int_equal(counts(&x->b).refused, 1);
}

/* The tag is no longer in the frame when we would see it. */
static void test_vlan(void **state)
{
        uint8_t frame[64], tagged[68];
        size_t  len;

        FIXTURE(x);
        len = good_frame(x, frame);
        memcpy(tagged, frame, 12);
        memcpy(tagged + 12, "\x81\x00\x00\x05", 4);
        memcpy(tagged + 16, frame + 12, len - 12);
        inject(x, tagged, len + 4);
        run_for(x, 20 * NS_PER_MS);
        assert_int_equal(x->b.controls, 0);
        inject(x, frame, len);
        run_until(x, &x->b.controls, 1);
}

/* -- the interface --------------------------------------------------------- */

static void test_down_and_up(void **state)
{
        FIXTURE(x);
        ip("link set eb down");
        run_until(x, &x->a.states, 1); /* a has no carrier */
        run_until(x, &x->b.states, 1);
        assert_false(x->a.works || x->b.works);
        assert_int_equal(send_one(&x->a, mac_b, 100), 1);
        assert_int_equal(send_one(&x->b, mac_a, 100), 1);
        send_to_b(x, "lost");
        assert_int_equal(counts(&x->a).lost, 2);
        ip("link set eb up");
        run_until(x, &x->a.states, 2);
        run_until(x, &x->b.states, 2);
        assert_true(x->a.works && x->b.works);
        assert_int_equal(send_one(&x->a, mac_b, 100), 1);
        run_until(x, &x->b.datas, 1);
        assert_int_equal(x->b.controls, 0);
}

/* Nobody has told us yet that there is no carrier: the queue looks full, and we are to try again. */
static void test_no_carrier_is_noticed(void **state)
{
        unsigned n;

        FIXTURE(x);
        n = x->a.writables;
        ip("link set eb down");
        assert_int_equal(send_one(&x->a, mac_b, 100), 0);
        run_until(x, &x->a.states, 1);
        run_for(x, 5 * NS_PER_MS);
        assert_true(x->a.writables > n);
        assert_int_equal(send_one(&x->a, mac_b, 100), 1);
}

/* Its successor has another index and another address. */
static void go_and_come_back(struct fixture *x)
{
        static const uint8_t mac_c[ETH_MAC] = {0x02, 0, 0, 0, 0, 0x0c};
        struct link_facts    f;

        ip("link del ea");
        run_until(x, &x->a.states, 1);
        run_until(x, &x->b.states, 1);
        assert_int_equal(send_one(&x->a, mac_b, 100), 1);
        x->ops->facts(x->a.link, &f);
        assert_true(f.packet_max > 1400);
        run_for(x, 5 * NS_PER_MS);
        ip("link add ex type veth peer name ey"); /* takes an index */
        ip("link add ea address 02:00:00:00:00:0a type veth peer name eb address 02:00:00:00:00:0c");
        ip("link del ex");
        ip("link set ea up");
        ip("link set eb up");
        run_until(x, &x->a.states, 2);
        run_until(x, &x->b.states, 2);
        assert_int_equal(send_one(&x->a, mac_c, 100), 1);
        run_until(x, &x->b.datas, 1);
        assert_int_equal(send_one(&x->b, mac_a, 100), 1);
        run_until(x, &x->a.datas, 1);
}

static void test_gone_and_back(void **state)
{
        FIXTURE(x);
        go_and_come_back(x);
}

static void test_mtu(void **state)
{
        uint32_t more = 0;

        FIXTURE(x);
        ip("link set ea mtu 9000");
        ip("link set eb mtu 9000");
        run_for(x, 20 * NS_PER_MS);
        more = x->ops->packet_max(x->a.link, NULL);
        assert_int_equal(more, x->ops->type == IPCP_ETH_DIX ? 8996 : 1497);
        assert_int_equal(send_one(&x->a, mac_b, more), 1);
        run_until(x, &x->b.datas, 1);
        assert_int_equal(x->b.len, more);
        ip("link set ea mtu 1000");
        run_for(x, 20 * NS_PER_MS);
        assert_int_equal(send_one(&x->a, mac_b, 1200), 1); /* thrown away */
        assert_int_equal(counts(&x->a).lost, 1);
        assert_int_equal(send_one(&x->a, mac_b, 900), 1);
        run_until(x, &x->b.datas, 2);
        assert_int_equal(x->a.states + x->b.states, 0);
}

static void test_address_changes(void **state)
{
        static const uint8_t mac_d[ETH_MAC] = {0x02, 0, 0, 0, 0, 0x0d};

        FIXTURE(x);
        ip("link set eb address 02:00:00:00:00:0d");
        run_for(x, 20 * NS_PER_MS);
        assert_int_equal(send_one(&x->a, mac_b, 100), 1);
        assert_int_equal(send_one(&x->a, mac_d, 101), 1);
        run_until(x, &x->b.datas, 1);
        assert_int_equal(x->b.len, 101);
}

/* -- opening --------------------------------------------------------------- */

static int try_open(struct fixture *x, const char *dev, uint16_t ethertype)
{
        struct end     end = {0};
        struct opening o   = {.x = x, .end = &end, .dev = dev, .ethertype = ethertype};

        open_here(&o);
        run_for(x, NS_PER_MS);
        return o.result;
}

/* These fail before anything is given up. */
static void test_open_fails(void **state)
{
        FIXTURE(x);
        assert_int_equal(try_open(x, "nothere", ethertype_of(x->ops)), -ENODEV);
        assert_int_equal(try_open(x, "", ethertype_of(x->ops)), -ENODEV);
        assert_int_equal(try_open(x, "lo", ethertype_of(x->ops)), -ENODEV);
        ip("link set eb mtu 100");
        assert_int_equal(try_open(x, "eb", ethertype_of(x->ops)), -ENODEV);
        if (x->ops->type == IPCP_ETH_DIX)
                assert_int_equal(try_open(x, "ea", 0x05ff), -EINVAL);
        assert_true(caps_of_thread() != 0);
}

/* It is told once the loop turns, not from within. */
static void test_open_while_down(void **state)
{
        FIXTURE(x);
        x->b.ops->close(x->b.link);
        run_for(x, NS_PER_MS);
        ip("link set eb down");
        memset(&x->b, 0, sizeof(x->b));
        open_end(x, &x->b, "eb");
        assert_int_equal(x->b.states, 0);
        run_until(x, &x->b.states, 1);
        ip("link set eb up");
        run_until(x, &x->b.states, 2);
        run_for(x, 20 * NS_PER_MS);
        send_to_b(x, "hello");
        run_until(x, &x->b.controls, 1);
}

/* -- a socket that takes no more ------------------------------------------- */

static int fails_with, fails_after;

int __real_sendmmsg(int fd, struct mmsghdr *msg, unsigned n, int flags);
int __wrap_sendmmsg(int fd, struct mmsghdr *msg, unsigned n, int flags);

/* Sends some, then fails once. */
int __wrap_sendmmsg(int fd, struct mmsghdr *msg, unsigned n, int flags)
{
        if (fails_with == 0)
                return __real_sendmmsg(fd, msg, n, flags);
        if (fails_after > 0) {
                n           = (unsigned)fails_after;
                fails_after = 0;
                return __real_sendmmsg(fd, msg, n, flags);
        }
        errno      = fails_with;
        fails_with = 0;
        return -1;
}

static size_t send_five(struct fixture *x, int error)
{
        uint8_t          byte = 'x';
        struct iovec     iov[5];
        struct link_path path = path_to(mac_b);

        for (size_t i = 0; i < 5; i++)
                iov[i] = (struct iovec){&byte, 1};
        fails_with  = error;
        fails_after = 2;
        return x->a.ops->send_data(x->a.link, &path, iov, 5);
}

static void test_full(void **state)
{
        FIXTURE(x);
        assert_int_equal(send_five(x, EAGAIN), 2);
        assert_int_equal(x->a.writables, 0);
        run_until(x, &x->a.writables, 1);
        run_for(x, 5 * NS_PER_MS);
        assert_int_equal(x->a.writables, 1);
        assert_int_equal(send_five(x, ENOBUFS), 2);
        run_until(x, &x->a.writables, 2);
        run_until(x, &x->b.datas, 4);
        assert_int_equal(counts(&x->a).lost, 0);
}

static void test_send_errors(void **state)
{
        FIXTURE(x);
        assert_int_equal(send_five(x, EMSGSIZE), 5); /* all but the third */
        run_until(x, &x->b.datas, 4);
        assert_int_equal(counts(&x->a).lost, 1);
        assert_int_equal(send_five(x, ENETDOWN), 5); /* two */
        run_until(x, &x->b.datas, 6);
        assert_int_equal(counts(&x->a).lost, 4);
}

/* -- the last one ---------------------------------------------------------- */

/* Whatever happens to the interface, a link that is open needs none. */
static void test_all_without_capabilities(void **state)
{
        FIXTURE(x);
        assert_int_equal(caps_drop(), 0);
        assert_true(caps_of_thread() == 0);
        assert_int_equal(socket(AF_PACKET, SOCK_RAW, 0), -1);
        ip("link set eb mtu 9000");
        go_and_come_back(x);
}

/* -------------------------------------------------------------------------- */

static bool enter_namespace(void)
{
        return unshare(CLONE_NEWNET) == 0 && system("ip link set lo up >/dev/null 2>&1") == 0 &&
               system("ip link add ea type veth peer name eb >/dev/null 2>&1") == 0 &&
               system("ip link del ea >/dev/null 2>&1") == 0;
}

#define BOTH(test)                                                                      \
        {#test " (dix)", test, setup, teardown, (void *)(uintptr_t)&eth_dix_link},      \
        {                                                                               \
#test " (llc)", test, setup, teardown, (void *)(uintptr_t)&eth_llc_link \
        }

int main(void)
{
        const struct CMUnitTest tests[] = {
                BOTH(test_control),
                BOTH(test_facts),
                BOTH(test_data_in_order),
                BOTH(test_strangers),
                BOTH(test_data_to_all),
                BOTH(test_vlan),
                BOTH(test_down_and_up),
                BOTH(test_no_carrier_is_noticed),
                BOTH(test_gone_and_back),
                BOTH(test_mtu),
                BOTH(test_address_changes),
                BOTH(test_open_fails),
                BOTH(test_open_while_down),
                BOTH(test_full),
                BOTH(test_send_errors),
                {"test_all_without_capabilities", test_all_without_capabilities, setup, teardown,
                 (void *)(uintptr_t)&eth_dix_link},
        };

        log_init("test", LOG_ERROR);
        is_root_of_net = enter_namespace();
        if (is_root_of_net)
                start_changer();
        else
                print_message("no network namespace with a veth pair can be made here: skipped\n");
        return cmocka_run_group_tests(tests, NULL, NULL);
}
