/*
 * bench_pump.c - what the pump of a shim (ipcpd/shim/pump.h) costs by itself: an application in a process
 * of its own at one end of a port, and a link that copies packets out, as a kernel would, or makes them up.
 *
 *     out         the application writes as fast as it can
 *     in          packets come in batches of 64, as many as the application takes
 *     echo        they come in, the application sends them back: so many go both ways
 *     round trip  the same with one packet at a time
 *
 * Rows take turns, a slice each, so that a machine whose speed changes changes it for all of them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "ipcpd/shim/pump.h"
#include "shm/bell.h"
#include "shm/port.h"

#include "cpu.h"
#include "stats.h"

enum way { WAY_OUT, WAY_IN, WAY_ECHO, WAY_ROUND };

struct row {
        const char *name;
        size_t      size;
        enum way    way;
};

static const struct row rows[] = {
        {"out 64 B", 64, WAY_OUT},          {"out 1400 B", 1400, WAY_OUT}, {"in 64 B", 64, WAY_IN},
        {"in 1400 B", 1400, WAY_IN},        {"echo 64 B", 64, WAY_ECHO},   {"echo 1400 B", 1400, WAY_ECHO},
        {"round trip 64 B", 64, WAY_ROUND},
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))
#define BATCH  64
#define WINDOW (2 * BATCH) /* packets of an echo that are under way */

#define SPIN_NS (50 * NS_PER_US)

static void die(const char *what)
{
        perror(what);
        exit(EXIT_FAILURE);
}

/* -- the application --------------------------------------------------------- */

static uint8_t buf[PORT_MSG_MAX];

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile("yield");
#endif
}

static bool spin(const struct port *p, bool (*moved)(const struct port *p, uint64_t seen), uint64_t seen)
{
        int64_t end = clock_now_ns() + SPIN_NS;

        while (clock_now_ns() < end) {
                for (int i = 0; i < 20; i++) {
                        if (moved(p, seen))
                                return true;
                        relax();
                }
        }
        return false;
}

/* False: the flow is over. */
static bool put(struct port *p, size_t len)
{
        int r;

        while ((r = port_write(p, buf, len)) == -EAGAIN) {
                if (!spin(p, port_tx_moved, port_tx_seen(p)) && port_tx_prepare(p))
                        port_tx_sleep(p, CLOCK_NEVER);
        }
        return r == 0;
}

static bool get(struct port *p)
{
        const uint8_t *at;
        size_t         len;
        int            r;

        while ((r = port_look(p, &at, &len)) == -EAGAIN) {
                if (spin(p, port_rx_moved, port_rx_seen(p)))
                        continue;
                if (port_rx_prepare(p))
                        port_rx_sleep(p, CLOCK_NEVER);
                port_rx_awake(p);
        }
        if (r < 0)
                return false;
        memcpy(buf, at, len);
        port_pop(p);
        return true;
}

static void run_application(const struct row *row, struct port *p)
{
        port_rx_enter(p);
        while (row->way == WAY_OUT || get(p)) {
                if (row->way != WAY_IN && !put(p, row->size))
                        break;
        }
        _exit(EXIT_SUCCESS);
}

/* -- the link ---------------------------------------------------------------- */

struct bench {
        const struct row *row;
        uv_loop_t         loop;
        uv_idle_t         source;
        struct pump      *pump;
        struct pump_flow *flow;
        uint64_t          sent, under_way;
        uint8_t           packet[PORT_MSG_MAX];
};

static void come_in(struct bench *b, uint64_t n)
{
        for (uint64_t i = 0; i < n; i++)
                pump_in(b->flow, b->packet, b->row->size);
        b->under_way += n;
        pump_batch(b->pump);
}

static size_t send_data(void *link, const struct link_path *path, const struct iovec *v, size_t n)
{
        struct bench *b = link;

        (void)path;
        for (size_t i = 0; i < n; i++)
                memcpy(b->packet, v[i].iov_base, v[i].iov_len);
        b->sent += n;
        b->under_way -= n;
        if (b->row->way == WAY_ROUND)
                uv_idle_start(&b->source, b->source.idle_cb);
        return n;
}

static const struct link_ops null_link = {.program = "null", .send_data = send_data};

static void on_idle(uv_idle_t *h)
{
        struct bench *b = h->data;

        switch (b->row->way) {
        case WAY_OUT: uv_idle_stop(h); break;
        case WAY_IN: come_in(b, BATCH); break;
        case WAY_ECHO:
                if (b->under_way + BATCH <= WINDOW)
                        come_in(b, BATCH);
                break;
        case WAY_ROUND:
                uv_idle_stop(h);
                come_in(b, 1);
                break;
        }
}

static void over(void *ctx, void *flow_ctx)
{
        (void)ctx;
        (void)flow_ctx;
        fprintf(stderr, "bench_pump: the application has gone\n");
        exit(EXIT_FAILURE);
}

static const struct pump_ops pump_ops = {.broken = over, .drained = over};

static void on_timer(uv_timer_t *t)
{
        uv_stop(t->loop);
}

/* -- a slice ----------------------------------------------------------------- */

static uint64_t packets(const struct bench *b)
{
        struct pump_facts f;

        pump_flow_facts(b->flow, &f);
        return b->row->way == WAY_IN ? f.packets_in : f.packets_out;
}

static double run_for(struct bench *b, uint64_t ms)
{
        uv_timer_t t;
        uint64_t   before = packets(b);
        int64_t    begin  = clock_now_ns();

        uv_update_time(&b->loop);
        uv_timer_init(&b->loop, &t);
        uv_timer_start(&t, on_timer, ms, 0);
        uv_run(&b->loop, UV_RUN_DEFAULT);
        uv_close((uv_handle_t *)&t, NULL);
        uv_run(&b->loop, UV_RUN_NOWAIT);
        return (double)(packets(b) - before) * (double)NS_PER_S / (double)(clock_now_ns() - begin);
}

static pid_t start_application(const struct row *row, int cpu, int memfd, const struct bell bells[2])
{
        struct port p;
        pid_t       child = fork();

        if (child < 0)
                die("fork");
        if (child > 0)
                return child;
        cpu_pin(getpid(), cpu);
        if (port_open(&p, memfd, 0, bells[0].own, bells[1].other) < 0)
                die("port_open");
        run_application(row, &p);
        _exit(EXIT_SUCCESS);
}

static void open_pump(struct bench *b, int memfd, const struct bell bells[2])
{
        const struct ipcp_port port = {memfd, bells[1].own, bells[0].other};
        const struct link_path path = {.eid = 1};

        uv_loop_init(&b->loop);
        uv_idle_init(&b->loop, &b->source);
        b->source.data = b;
        b->pump        = pump_open(&b->loop, &null_link, b, &pump_ops, b);
        if (b->pump == NULL || pump_add(b->pump, &b->flow, port, NULL) < 0)
                die("pump");
        pump_set_path(b->flow, &path, PORT_MSG_MAX);
        uv_idle_start(&b->source, on_idle);
}

static double run_slice(const struct row *row, const int cpus[2], uint64_t ms)
{
        static struct bench b;
        struct bell         bells[2];
        int                 memfd = port_create();
        double              rate;
        pid_t               child;

        if (memfd < 0 || bell_create(&bells[0]) < 0 || bell_create(&bells[1]) < 0)
                die("port");
        child = start_application(row, cpus[1], memfd, bells);
        cpu_pin(getpid(), cpus[0]);
        b = (struct bench){.row = row};
        open_pump(&b, memfd, bells);
        bells[1].own   = -1;
        bells[0].other = -1;
        (void)run_for(&b, ms / 10);
        rate = run_for(&b, ms);
        pump_close(b.pump);
        uv_close((uv_handle_t *)&b.source, NULL);
        uv_run(&b.loop, UV_RUN_NOWAIT);
        uv_loop_close(&b.loop);
        waitpid(child, NULL, 0);
        bell_close(&bells[0]);
        bell_close(&bells[1]);
        return rate;
}

static void print_row(const struct row *row, double *v, size_t n)
{
        const bool      time = row->way == WAY_ROUND;
        double          best = 0;
        struct estimate e;

        for (size_t i = 0; i < n; i++) {
                v[i] = time ? 1e6 / v[i] : v[i] / 1e6;
                if (i == 0 || (time ? v[i] < best : v[i] > best))
                        best = v[i];
        }
        e = stats_estimate(v, n);
        printf("%-16s %8.3f %s  [%.3f, %.3f]  best %.3f\n", row->name, e.median,
               time ? "us         " : "M packets/s", e.low, e.high, best);
}

int main(int argc, char *argv[])
{
        size_t        slices = argc > 1 ? strtoul(argv[1], NULL, 10) : 20;
        static double v[N_ROWS][STATS_MAX];
        int           cpus[2];

        if (slices < 1 || slices > STATS_MAX || argc > 2) {
                fprintf(stderr, "usage: bench_pump [slices of 100 ms per row, 1 to %d]\n", STATS_MAX);
                return 2;
        }
        if (cpu_choose(cpus) < 2) {
                fprintf(stderr, "bench_pump: needs two processors\n");
                return EXIT_FAILURE;
        }
        for (size_t s = 0; s < slices; s++) {
                for (size_t i = 0; i < N_ROWS; i++)
                        v[i][s] = run_slice(&rows[i], cpus, 100);
        }
        for (size_t i = 0; i < N_ROWS; i++)
                print_row(&rows[i], v[i], slices);
        return EXIT_SUCCESS;
}
