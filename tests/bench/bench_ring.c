/*
 * bench_ring.c - what the ring and the port cost by themselves, without the library above them: message rates
 * and round trips between two processes.
 *
 *     bare     one visit (port_rx_enter) for the whole run, no locks: the ring and the look for sleepers
 *     locked   as the library does it: a mutex per direction, and a visit for every message
 *     asleep   locked, and a reader who finds nothing sleeps at once
 *
 * Rows take turns, a slice each, so that a machine whose speed changes changes it for all of them.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "shm/bell.h"
#include "shm/port.h"

#include "cpu.h"
#include "stats.h"

enum style { BARE, LOCKED, ASLEEP };

/* What a row measures. */
struct row {
        const char *name;
        size_t      size;
        enum style  style;
        bool        round_trip;
};

static const struct row rows[] = {
        {"rate 64 B, bare", 64, BARE, false},          {"rate 64 B, locked", 64, LOCKED, false},
        {"rate 1500 B, bare", 1500, BARE, false},      {"rate 1500 B, locked", 1500, LOCKED, false},
        {"rate 16 KiB, bare", 16384, BARE, false},     {"rate 16 KiB, locked", 16384, LOCKED, false},
        {"round trip 64 B, bare", 64, BARE, true},     {"round trip 64 B, locked", 64, LOCKED, true},
        {"round trip 64 B, asleep", 64, ASLEEP, true},
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

/* One process's end of the port, and what it works with. */
struct end {
        struct port     port;
        pthread_mutex_t rx_lock, tx_lock;
        uint8_t         buf[PORT_MSG_MAX];
        enum style      style;
};

static struct end me;

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile("yield");
#endif
}

static void die(const char *what)
{
        perror(what);
        exit(EXIT_FAILURE);
}

static void lock(struct end *e, pthread_mutex_t *m)
{
        if (e->style != BARE)
                pthread_mutex_lock(m);
}

static void unlock(struct end *e, pthread_mutex_t *m)
{
        if (e->style != BARE)
                pthread_mutex_unlock(m);
}

/* Sends @len bytes, waiting for room. False: the peer has ended. */
static bool put(struct end *e, size_t len)
{
        for (;;) {
                uint64_t seen;
                int      r;

                lock(e, &e->tx_lock);
                r    = port_write(&e->port, e->buf, len);
                seen = port_tx_seen(&e->port);
                unlock(e, &e->tx_lock);
                if (r != -EAGAIN)
                        return r == 0;
                for (int i = 0; !port_tx_moved(&e->port, seen); i++) {
                        relax();
                        if (i > 1000)
                                sched_yield();
                }
        }
}

/* Waits, inside and locked, until something may have come. */
static void wait_for_more(struct end *e)
{
        uint64_t seen = port_rx_seen(&e->port);

        if (e->style == ASLEEP) {
                if (port_rx_prepare(&e->port)) {
                        unlock(e, &e->rx_lock);
                        port_rx_sleep(&e->port, CLOCK_NEVER);
                        lock(e, &e->rx_lock);
                }
                port_rx_awake(&e->port);
                return;
        }
        unlock(e, &e->rx_lock);
        for (int i = 0; !port_rx_moved(&e->port, seen); i++) {
                relax();
                if (i > 1000)
                        sched_yield();
        }
        lock(e, &e->rx_lock);
        port_rx_enter(&e->port);
}

/* Receives one message. False: the end. */
static bool get(struct end *e)
{
        const uint8_t *p;
        size_t         len;
        int            r;

        lock(e, &e->rx_lock);
        if (e->style != BARE)
                port_rx_enter(&e->port);
        while ((r = port_peek(&e->port, &p, &len)) == -EAGAIN) {
                if (port_peer(&e->port) != PORT_OPEN)
                        break;
                wait_for_more(e);
        }
        if (r == 0) {
                memcpy(e->buf, p, len);
                port_pop(&e->port);
        }
        if (e->style != BARE)
                port_rx_leave(&e->port);
        unlock(e, &e->rx_lock);
        return r == 0;
}

static void join(struct end *e, enum style style, int memfd, unsigned side, const struct bell bells[2])
{
        e->style = style;
        pthread_mutex_init(&e->rx_lock, NULL);
        pthread_mutex_init(&e->tx_lock, NULL);
        if (port_open(&e->port, memfd, side, bells[side].own, bells[!side].other) < 0)
                die("port_open");
        if (style == BARE)
                port_rx_enter(&e->port);
}

/* The other process: takes what comes, or sends it back. */
static void serve(const struct row *row)
{
        while (get(&me)) {
                if (row->round_trip && !put(&me, row->size))
                        break;
        }
        _exit(EXIT_SUCCESS);
}

/* Messages (or round trips) in a slice, per second. */
static double drive(const struct row *row, int64_t slice_ns)
{
        int64_t  begin = clock_now_ns();
        int64_t  now   = begin;
        uint64_t n     = 0;

        while (now - begin < slice_ns) {
                for (int i = 0; i < 64; i++) {
                        if (!put(&me, row->size) || (row->round_trip && !get(&me)))
                                die("the other side has gone");
                }
                n += 64;
                now = clock_now_ns();
        }
        return (double)n * (double)NS_PER_S / (double)(now - begin);
}

static double run_slice(const struct row *row, const int cpus[2], int64_t slice_ns)
{
        struct bell bells[2];
        int         memfd = port_create();
        double      rate;
        pid_t       child;

        if (memfd < 0 || bell_create(&bells[0]) < 0 || bell_create(&bells[1]) < 0)
                die("port");
        child = fork();
        if (child < 0)
                die("fork");
        if (child == 0) {
                cpu_pin(getpid(), cpus[1]);
                join(&me, row->style, memfd, 1, bells);
                serve(row);
        }
        cpu_pin(getpid(), cpus[0]);
        join(&me, row->style, memfd, 0, bells);
        rate = drive(row, slice_ns);
        port_close(&me.port);
        waitpid(child, NULL, 0);
        close(memfd);
        bells[0].own   = -1;
        bells[1].other = -1;
        bell_close(&bells[0]);
        bell_close(&bells[1]);
        return rate;
}

static void print_row(const struct row *row, double *v, size_t n)
{
        struct estimate e;

        if (row->round_trip) {
                for (size_t i = 0; i < n; i++)
                        v[i] = 1e6 / v[i];
        } else {
                for (size_t i = 0; i < n; i++)
                        v[i] /= 1e6;
        }
        e = stats_estimate(v, n);
        printf("%-26s %8.3f %s  [%.3f, %.3f]\n", row->name, e.median, row->round_trip ? "us     " : "M msg/s",
               e.low, e.high);
}

int main(int argc, char *argv[])
{
        size_t        slices = argc > 1 ? strtoul(argv[1], NULL, 10) : 20;
        static double v[N_ROWS][STATS_MAX];
        int           cpus[2];

        if (slices < 1 || slices > STATS_MAX || argc > 2) {
                fprintf(stderr, "usage: bench_ring [slices of 100 ms per row, 1 to %d]\n", STATS_MAX);
                return 2;
        }
        if (cpu_choose(cpus) < 2) {
                fprintf(stderr, "bench_ring: needs two processors\n");
                return EXIT_FAILURE;
        }
        for (size_t s = 0; s < slices; s++) {
                for (size_t i = 0; i < N_ROWS; i++)
                        v[i][s] = run_slice(&rows[i], cpus, 100 * NS_PER_MS);
        }
        for (size_t i = 0; i < N_ROWS; i++)
                print_row(&rows[i], v[i], slices);
        return EXIT_SUCCESS;
}
