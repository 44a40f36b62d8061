/*
 * bench_udp_link.c - what the UDP link makes of small packets: packets per second from one process to
 * another, by a plain program (sendmmsg and recvmmsg of 64 datagrams each, no offload) and by the link. What
 * counts is what arrives.
 *
 *     bench_udp_link [bytes of a packet [slices of 200 ms [veth]]]
 *
 * The two take turns, a slice each, so that a machine whose speed changes changes it for both. Over loopback,
 * or (veth; needs the right to make namespaces, and ip(8)) between two network namespaces.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "ipcpd/udp/udp.h"

#include "cpu.h"
#include "stats.h"
#include "usage.h"

#define PORT      3435
#define BATCH     64            /* datagrams in a call of the plain program       */
#define OFFERED   256           /* packets that the link is given at once         */
#define MEMORY    (256u * 1024) /* that packets lie in, as in a flow's ring */
#define BYTES_MAX 60000u
#define EID       0x01020304u
#define WARM_NS   (50 * NS_PER_MS)
#define SLICE_NS  (200 * NS_PER_MS)

/* Shared by the two processes. */
struct shared {
        _Alignas(128) volatile uint64_t packets; /* that have arrived         */
        _Alignas(128) volatile uint64_t sent;    /* packets, by who sends them */
};

static struct shared *shared;
static const char    *hosts[2] = {"127.0.0.1", "127.0.0.2"};
static size_t         packet_len;
static uint8_t        memory[MEMORY + BYTES_MAX];

static void die(const char *what)
{
        perror(what);
        exit(EXIT_FAILURE);
}

/* -- a plain program --------------------------------------------------------- */

static int plain_socket(const char *host)
{
        struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(PORT)};
        int                fd = socket(AF_INET, SOCK_DGRAM, 0);
        int                mb = 4 * 1024 * 1024;

        if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &mb, sizeof(mb)) < 0)
                setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &mb, sizeof(mb));
        inet_pton(AF_INET, host, &sa.sin_addr);
        if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
                die("bind");
        return fd;
}

static void plain_receive(void)
{
        static uint8_t        buf[BATCH][BYTES_MAX + 4];
        static struct mmsghdr msgs[BATCH];
        static struct iovec   iov[BATCH];
        int                   fd = plain_socket(hosts[1]);

        for (size_t i = 0; i < BATCH; i++) {
                iov[i]                     = (struct iovec){buf[i], sizeof(buf[i])};
                msgs[i].msg_hdr.msg_iov    = &iov[i];
                msgs[i].msg_hdr.msg_iovlen = 1;
        }
        for (;;) {
                int r = recvmmsg(fd, msgs, BATCH, MSG_WAITFORONE, NULL);

                if (r > 0)
                        shared->packets += (unsigned)r;
        }
}

static void plain_send(int64_t until_ns)
{
        static struct mmsghdr msgs[BATCH];
        static struct iovec   iov[BATCH];
        struct sockaddr_in    to = {.sin_family = AF_INET, .sin_port = htons(PORT)};
        int                   fd = plain_socket(hosts[0]);

        inet_pton(AF_INET, hosts[1], &to.sin_addr);
        for (size_t i = 0; i < BATCH; i++) {
                iov[i]          = (struct iovec){memory + i * packet_len % MEMORY, packet_len + 4};
                msgs[i].msg_hdr = (struct msghdr){
                        .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &iov[i], .msg_iovlen = 1};
        }
        while (clock_now_ns() < until_ns) {
                int n = sendmmsg(fd, msgs, BATCH, 0);

                if (n > 0)
                        shared->sent += (unsigned)n;
        }
        close(fd);
}

/* -- the link ------------------------------------------------------------------ */

static void got_control(void *ctx, const struct link_addr *from, const uint8_t *p, size_t len)
{
        (void)ctx, (void)from, (void)p, (void)len;
}

static void got_data(void *ctx, const struct link_addr *from, uint32_t eid, const uint8_t *p, size_t len)
{
        (void)ctx, (void)from, (void)p, (void)len;
        shared->packets += eid == EID;
}

static void got_batch(void *ctx)
{
        (void)ctx;
}

static void got_writable(void *ctx)
{
        *(bool *)ctx = true;
}

static void *link_open(uv_loop_t *loop, const char *host, bool *writable)
{
        struct ipcp_config   conf = {.type = IPCP_UDP4};
        const struct link_up up   = {.ctx      = writable,
                                     .control  = got_control,
                                     .data     = got_data,
                                     .batch    = got_batch,
                                     .writable = got_writable};
        void                *link;

        inet_pton(AF_INET, host, &conf.udp4.ip_addr);
        conf.udp4.port = PORT;
        uv_loop_init(loop);
        if (udp4_link.open(&link, loop, &conf, &up) < 0)
                exit(EXIT_FAILURE);
        return link;
}

static void link_receive(void)
{
        uv_loop_t loop;
        bool      writable = true;

        link_open(&loop, hosts[1], &writable);
        uv_run(&loop, UV_RUN_DEFAULT);
}

/* The shim knows addresses from packets that came; here it is made by hand. */
static struct link_path path_to(const char *host)
{
        struct link_path path = {.to = {.host_len = 4, .len = 6}, .eid = EID, .own_eid = 1};
        in_port_t        port = htons(PORT);

        inet_pton(AF_INET, host, path.to.b);
        memcpy(path.to.b + 4, &port, sizeof(port));
        return path;
}

static void link_send(int64_t until_ns)
{
        struct link_path path     = path_to(hosts[1]);
        bool             writable = true;
        size_t           at       = 0;
        size_t           n;
        uv_loop_t        loop;
        struct iovec     packets[OFFERED];
        void            *link = link_open(&loop, hosts[0], &writable);

        while (clock_now_ns() < until_ns) {
                for (size_t i = 0; i < OFFERED; i++, at = (at + packet_len) % MEMORY)
                        packets[i] = (struct iovec){memory + at, packet_len};
                n        = udp4_link.send_data(link, &path, packets, OFFERED);
                writable = n == OFFERED;
                shared->sent += n;
                uv_run(&loop, writable ? UV_RUN_NOWAIT : UV_RUN_ONCE);
        }
        udp4_link.close(link);
        uv_run(&loop, UV_RUN_DEFAULT);
        uv_loop_close(&loop);
}

/* -- slices ------------------------------------------------------------------------ */

struct way {
        const char *name;
        void (*send)(int64_t until_ns);
        void (*receive)(void);
};

static const struct way ways[] = {{"sendmmsg, recvmmsg", plain_send, plain_receive},
                                  {"the link", link_send, link_receive}};

#define N_WAYS (sizeof(ways) / sizeof(ways[0]))

static void enter(int ns)
{
        if (ns >= 0 && setns(ns, CLONE_NEWNET) < 0)
                die("setns");
}

static pid_t begin(int ns, int cpu, void (*fn)(const struct way *w), const struct way *w)
{
        pid_t child = fork();

        if (child < 0)
                die("fork");
        if (child != 0)
                return child;
        cpu_pin(getpid(), cpu);
        enter(ns);
        fn(w);
        _exit(EXIT_SUCCESS);
}

static void run_receive(const struct way *w)
{
        w->receive();
}

static void run_send(const struct way *w)
{
        w->send(clock_now_ns() + 2 * WARM_NS + SLICE_NS);
}

static void sleep_ns(int64_t ns)
{
        struct timespec ts = clock_timespec(ns);

        nanosleep(&ts, NULL);
}

/* Of one slice, or the medians of many. */
struct figures {
        double rate;    /* million packets that arrive in a second            */
        double in, out; /* ns of a processor for each, on either side; not all that are sent arrive */
};

static struct figures run_slice(const struct way *w, const int ns[2], const int cpus[2])
{
        pid_t          receiver = begin(ns[1], cpus[0], run_receive, w);
        pid_t          sender;
        uint64_t       n, sent;
        int64_t        from_ns;
        struct usage   in, out;
        struct figures f;

        sleep_ns(WARM_NS);
        sender = begin(ns[0], cpus[1], run_send, w);
        sleep_ns(WARM_NS);
        n       = shared->packets;
        sent    = shared->sent;
        from_ns = clock_now_ns();
        in      = usage_of(receiver);
        out     = usage_of(sender);
        sleep_ns(SLICE_NS);
        n      = shared->packets - n;
        f.rate = (double)n * 1e3 / (double)(clock_now_ns() - from_ns);
        f.in   = (double)(usage_of(receiver).cpu_ns - in.cpu_ns) / (double)n;
        f.out  = (double)(usage_of(sender).cpu_ns - out.cpu_ns) / (double)(shared->sent - sent);
        waitpid(sender, NULL, 0);
        kill(receiver, SIGKILL);
        waitpid(receiver, NULL, 0);
        return f;
}

/* Two namespaces and a cable. */
static void make_veth(int ns[2])
{
        char cmd[256];

        hosts[0] = "10.66.0.1";
        hosts[1] = "10.66.0.2";
        for (int i = 1; i >= 0; i--) {
                if (unshare(CLONE_NEWNET) < 0 || (ns[i] = open("/proc/self/ns/net", O_RDONLY)) < 0)
                        die("a network namespace");
        }
        snprintf(cmd, sizeof(cmd),
                 "ip link add b0 type veth peer name b1 && ip addr add %s/24 dev b0 && ip link set b0 up && "
                 "ip link set b1 netns /proc/%d/fd/%d",
                 hosts[0], getpid(), ns[1]);
        if (system(cmd) != 0)
                exit(EXIT_FAILURE);
        enter(ns[1]);
        snprintf(cmd, sizeof(cmd), "ip addr add %s/24 dev b1 && ip link set b1 up", hosts[1]);
        if (system(cmd) != 0)
                exit(EXIT_FAILURE);
}

static int usage(void)
{
        fprintf(stderr, "usage: bench_udp_link [bytes, 1 to %u [slices, 1 to %d [veth]]]\n", BYTES_MAX,
                STATS_MAX);
        return 2;
}

int main(int argc, char *argv[])
{
        size_t        slices = argc > 2 ? strtoul(argv[2], NULL, 10) : 10;
        static double v[N_WAYS][STATS_MAX], in[N_WAYS][STATS_MAX], out[N_WAYS][STATS_MAX];
        int           ns[2] = {-1, -1};
        int           cpus[2];
        double        medians[N_WAYS];

        packet_len = argc > 1 ? strtoul(argv[1], NULL, 10) : 1400;
        if (packet_len < 1 || packet_len > BYTES_MAX || slices < 1 || slices > STATS_MAX || argc > 4)
                return usage();
        if (cpu_choose(cpus) < 2) {
                fprintf(stderr, "bench_udp_link: needs two processors\n");
                return EXIT_FAILURE;
        }
        log_init("bench_udp_link", LOG_WARNING);
        shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (shared == MAP_FAILED)
                die("mmap");
        if (argc == 4)
                make_veth(ns);
        for (size_t s = 0; s < slices; s++) {
                for (size_t i = 0; i < N_WAYS; i++) {
                        struct figures f = run_slice(&ways[i], ns, cpus);

                        v[i][s] = f.rate, in[i][s] = f.in, out[i][s] = f.out;
                }
        }
        for (size_t i = 0; i < N_WAYS; i++) {
                struct estimate e = stats_estimate(v[i], slices);

                medians[i] = e.median;
                printf("%-20s %8.3f M packets/s  [%.3f, %.3f]; processor: %.0f ns to send, %.0f ns to "
                       "receive\n",
                       ways[i].name, e.median, e.low, e.high, stats_quantile(out[i], slices, 0.5),
                       stats_quantile(in[i], slices, 0.5));
        }
        printf("%-20s %8.1f\n", "ratio", medians[1] / medians[0]);
        return EXIT_SUCCESS;
}
