/*
 * stress_wake.c - the moment at which wake-ups get lost: one side says how it is to be woken and looks once
 * more, while the other publishes and looks how to wake it (ring.h, Dekker). Both meet at a barrier and do
 * that at random distances; afterwards at least one must have seen the other. A fence less, and it fails
 * within a second on two processors.
 */
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "shm/bell.h"
#include "shm/port.h"

#include "random.h"
#include "stress.h"

#define EIGHTH_LEN (PORT_RING_SIZE / 8 - 4) /* a message whose taking is published at once */

enum scene { ARM, SLEEP, ROOM };

/* Between the two, beside the port. */
struct shared {
        _Atomic uint64_t met[2]; /* barriers that each side has come to */
        atomic_bool      over;
};

struct table {
        struct stress *s;
        int            memfd;
        struct bell    bell[2];
        struct shared *shared;
};

struct side {
        const struct table *t;
        unsigned            number;
        struct port         port;
        uint64_t            met;
        uint64_t            random;
};

static void meet(struct side *e)
{
        e->met++;
        atomic_store(&e->t->shared->met[e->number], e->met);
        for (int i = 0; atomic_load(&e->t->shared->met[!e->number]) < e->met; i++) {
                if (i > 1000)
                        sched_yield();
        }
}

/* Up to about half a microsecond, which is what the barrier takes to open on distant processors. */
static void drift(struct side *e)
{
        for (uint64_t n = random_below(&e->random, 1 + random_below(&e->random, 2000)); n > 0; n--)
                __asm__ volatile("" ::: "memory");
}

static bool readable(const struct side *e)
{
        struct pollfd p = {.fd = e->port.bell, .events = POLLIN};

        return poll(&p, 1, 0) == 1;
}

static void take(struct side *e)
{
        const uint8_t *msg;
        size_t         len;

        STRESS_CHECK(e->t->s, port_peek(&e->port, &msg, &len) == 0);
        port_pop(&e->port);
}

static void put(struct side *e, size_t len)
{
        static uint8_t buf[EIGHTH_LEN];

        STRESS_CHECK(e->t->s, port_write(&e->port, buf, len) == 0);
}

static void writer_scene(struct side *e, enum scene scene)
{
        bool waits;

        switch (scene) {
        case ARM:
        case SLEEP:
                meet(e);
                drift(e);
                put(e, 8);
                meet(e);
                break;
        case ROOM:
                for (int i = 0; i < 7; i++)
                        put(e, EIGHTH_LEN);
                meet(e);
                drift(e);
                waits = port_tx_prepare(&e->port);
                meet(e);
                if (waits)
                        STRESS_CHECK(e->t->s, e->port.tx.ctl->tx_word == RING_AWAKE);
                break;
        }
        meet(e);
}

static void reader_scene(struct side *e, enum scene scene)
{
        bool waits;

        port_rx_enter(&e->port);
        switch (scene) {
        case ARM:
                meet(e);
                drift(e);
                port_rx_leave(&e->port);
                meet(e);
                STRESS_CHECK(e->t->s, readable(e));
                port_rx_enter(&e->port);
                take(e);
                break;
        case SLEEP:
                meet(e);
                drift(e);
                waits = port_rx_prepare(&e->port);
                meet(e);
                if (waits)
                        STRESS_CHECK(e->t->s, e->port.rx.ctl->rx_word == RING_AWAKE);
                port_rx_awake(&e->port);
                take(e);
                break;
        case ROOM:
                meet(e);
                drift(e);
                take(e);
                meet(e);
                for (int i = 1; i < 7; i++)
                        take(e);
                break;
        }
        port_rx_leave(&e->port);
        STRESS_CHECK(e->t->s, !readable(e));
        meet(e);
}

/* Both draw the same kinds of scenes; side 0 says when it is over. */
static void run(const struct table *t, unsigned number, void (*play)(struct side *e, enum scene scene))
{
        struct side e      = {.t = t, .number = number, .random = t->s->seed + 1 + number};
        uint64_t    script = t->s->seed;
        uint64_t    n      = 0;

        STRESS_CHECK(t->s,
                     port_open(&e.port, t->memfd, number, t->bell[number].own, t->bell[!number].other) == 0);
        for (; !t->shared->over; n++) {
                uint64_t kind = random_below(&script, 20);

                play(&e, kind < 10 ? ARM : kind < 19 ? SLEEP : ROOM);
                if (number == 0 && clock_now_ns() >= t->s->end_ns)
                        t->shared->over = true;
                meet(&e);
        }
        if (number == 0)
                printf("%llu meetings\n", (unsigned long long)n);
        fflush(stdout);
        port_close(&e.port);
}

static void run_writer(void *arg)
{
        run(arg, 0, writer_scene);
}

static void run_reader(void *arg)
{
        run(arg, 1, reader_scene);
}

int main(int argc, char *argv[])
{
        struct stress s = stress_begin(argc, argv);
        struct table  t = {.s = &s, .memfd = port_create(), .shared = stress_shared(sizeof(struct shared))};

        STRESS_CHECK(&s, t.memfd >= 0 && bell_create(&t.bell[0]) == 0 && bell_create(&t.bell[1]) == 0);
        stress_both(&s, run_writer, run_reader, &t);
        return EXIT_SUCCESS;
}
