/*
 * net_main.c - one end of a comparison over a network; bench_net.py starts them.
 *
 *     o7s_bench_net FILE server|client stream|echo|first WAY [--own A] [--peer A] [--port N] [--dev D] [--mac M]
 *                   [--security DIR] [--name N] [--qos raw|data] [--size N] [--first-data]
 *
 *     stream   the client sends messages without end                    each end counts bytes in FILE (struct net_shared)
 *     echo     the client sends one and waits until it is back          the client counts, and how long they took
 *     first    it opens a connection, asks, has its answer, and closes  the same, but for closing
 *
 * Both write a line when they are ready. The client works between a line on its input and the end of net_shared.run, and then
 * writes another line.
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"

#include "net.h"

static struct net_shared    *shared;
static const struct net_way *way;
static struct net_conf       conf;
static _Alignas(64) uint8_t memory[NET_BYTES_MAX];

static void die(const char *what)
{
        perror(what);
        exit(EXIT_FAILURE);
}

static void ready(void)
{
        if (write(STDOUT_FILENO, "\n", 1) != 1)
                exit(EXIT_FAILURE);
}

static void add(_Atomic uint64_t *to, uint64_t n)
{
        atomic_store_explicit(to, atomic_load_explicit(to, memory_order_relaxed) + n, memory_order_relaxed);
}

static bool running(void)
{
        return atomic_load_explicit(&shared->run, memory_order_relaxed) != 0;
}

static bool recv_all(int fd, size_t len)
{
        while (len > 0) {
                ssize_t n = way->recv(fd, memory, len);

                if (n <= 0)
                        return false;
                len -= (size_t)n;
        }
        return true;
}

/* -- what they do --------------------------------------------------------------- */

static void stream_serve(int fd)
{
        ssize_t n;

        while ((n = way->recv(fd, memory, conf.size)) >= 0)
                add(&shared->received, (uint64_t)n);
}

static void stream_ask(int fd)
{
        while (running()) {
                ssize_t n = way->send(fd, memory, conf.size);

                if (n < 0)
                        die("send");
                add(&shared->sent, (uint64_t)n);
        }
}

static void echo_serve(int fd)
{
        while (recv_all(fd, conf.size) && way->send(fd, memory, conf.size) > 0)
                ;
}

static void echo_ask(int fd)
{
        while (running()) {
                int64_t from_ns = clock_now_ns();

                if (way->send(fd, memory, conf.size) < 0 || !recv_all(fd, conf.size))
                        die("echo");
                add(&shared->done_ns, (uint64_t)(clock_now_ns() - from_ns));
                add(&shared->done, 1);
        }
}

static void first_serve(int fd)
{
        if (recv_all(fd, conf.size))
                (void)way->send(fd, memory, conf.size);
        while (way->recv(fd, memory, conf.size) > 0)
                ;
}

static void first_ask(int fd)
{
        (void)fd;
        while (running()) {
                int64_t from_ns = clock_now_ns();

                fd = way->open(&conf);
                if (fd < 0 || (conf.question == NULL && way->send(fd, memory, conf.size) < 0) ||
                    !recv_all(fd, conf.size))
                        die("first");
                add(&shared->done_ns, (uint64_t)(clock_now_ns() - from_ns));
                add(&shared->done, 1);
                way->close(fd);
        }
}

static const struct work {
        const char *name;
        bool        connected, answers;
        void (*serve)(int fd);
        void (*ask)(int fd);
} works[] = {
        {"stream", true, false, stream_serve, stream_ask},
        {"echo", true, true, echo_serve, echo_ask},
        {"first", false, true, first_serve, first_ask},
};

static void serve(const struct work *w)
{
        int listener = way->listen(&conf);

        if (listener < 0)
                die("listen");
        ready();
        for (;;) {
                int fd = way->accept(&conf, listener);

                if (fd < 0)
                        die("accept");
                w->serve(fd);
                way->close(fd);
        }
}

static void ask(const struct work *w)
{
        int  fd = w->connected ? way->open(&conf) : 0;
        char line;

        if (fd < 0)
                die("open");
        ready();
        while (read(STDIN_FILENO, &line, 1) == 1) {
                w->ask(fd);
                ready();
        }
}

/* -- the command line ------------------------------------------------------------- */

static const struct net_way *const ways[] = {&net_flow,   &net_udp, &net_udp_m, &net_udp_gso,
                                             &net_packet, &net_tcp, &net_tls};

static const struct option long_options[] = {
        {"own", required_argument, NULL, 'o'},
        {"peer", required_argument, NULL, 'p'},
        {"port", required_argument, NULL, 'P'},
        {"dev", required_argument, NULL, 'd'},
        {"mac", required_argument, NULL, 'm'},
        {"security", required_argument, NULL, 's'},
        {"name", required_argument, NULL, 'n'},
        {"qos", required_argument, NULL, 'q'},
        {"size", required_argument, NULL, 'z'},
        {"first-data", no_argument, NULL, 'f'},
        {NULL, 0, NULL, 0},
};

static void set_mac(const char *text)
{
        unsigned b[6] = {0};

        (void)sscanf(text, "%x:%x:%x:%x:%x:%x", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5]);
        for (int i = 0; i < 6; i++)
                conf.mac[i] = (uint8_t)b[i];
}

static void set_option(int id, const char *arg)
{
        switch (id) {
        case 'o': conf.own = arg; break;
        case 'p': conf.peer = arg; break;
        case 'P': conf.port = (uint16_t)atoi(arg); break;
        case 'd': conf.dev = arg; break;
        case 'm': set_mac(arg); break;
        case 's': conf.security = arg; break;
        case 'n': conf.name = arg; break;
        case 'q': conf.qos = arg; break;
        case 'z': conf.size = strtoul(arg, NULL, 10); break;
        case 'f': conf.question = memory; break;
        default: exit(2);
        }
}

static void open_shared(const char *path)
{
        int fd = open(path, O_RDWR | O_CLOEXEC);

        if (fd < 0)
                die(path);
        shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (shared == MAP_FAILED)
                die(path);
        close(fd);
}

static const struct work *find(const char *work, const char *by)
{
        const struct work *found = NULL;

        for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++)
                found = strcmp(works[i].name, work) == 0 ? &works[i] : found;
        for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
                way = strcmp(ways[i]->name, by) == 0 ? ways[i] : way;
        return way != NULL ? found : NULL;
}

int main(int argc, char **argv)
{
        const struct work *w = argc > 4 ? find(argv[3], argv[4]) : NULL;
        int                id;

        if (w == NULL) {
                fprintf(stderr,
                        "usage: o7s_bench_net FILE server|client stream|echo|first WAY [OPTION]...\n");
                return 2;
        }
        open_shared(argv[1]);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        conf = (struct net_conf){.qos = "raw", .size = 64, .answers = w->answers};
        while ((id = getopt_long(argc - 4, argv + 4, "", long_options, NULL)) != -1)
                set_option(id, optarg);
        if (conf.size == 0 || conf.size > NET_BYTES_MAX)
                return 2;
        memory[0] = 1;
        if (strcmp(argv[2], "server") == 0)
                serve(w);
        else
                ask(w);
        return 0;
}
