/*
 * stress_hostile.c - a port whose other side has gone mad: a process that writes random bytes all over the
 * memory, its own and our words included, rings for nothing, eats rings, and punches holes. We read and write
 * on, in all ways of waiting, and expect errors and rubbish, but neither a crash nor a step outside the
 * mapping nor a call that does not come back by its deadline.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <ouroboros/errno.h>

#include "base/clock.h"
#include "base/fd.h"
#include "shm/bell.h"
#include "shm/port.h"

#include "guarded.h"
#include "random.h"
#include "stress.h"

#define PATIENCE_NS (5 * NS_PER_S) /* for one step: a busy machine may be slow, but not that slow */

/* Between the two processes, beside the port. */
struct shared {
        atomic_bool      done;
        _Atomic uint64_t flow; /* counts the victim's */
};

struct scene {
        struct stress *s;
        int            memfd;
        struct bell    bell[2];
        struct shared *shared;
};

/* What the victim has seen. */
struct tally {
        uint64_t steps, messages, eagain, eproto, flowdown;
};

/* -- the mad side ---------------------------------------------------------- */

/* Values that look like positions near others are more dangerous than noise. */
static void scribble(uint8_t *mem, uint64_t *random)
{
        uint64_t at = random_below(random, 4) == 0 ? random_below(random, PORT_SIZE / 8)
                                                   : random_below(random, RING_PAGE / 8);
        uint64_t v;

        memcpy(&v, mem + 8 * random_below(random, 160), 8);
        switch (random_below(random, 6)) {
        case 0: v = random_next(random); break;
        case 1: v += 8 * random_below(random, 1024); break;
        case 2: v = (v | (PORT_RING_SIZE - 1)) + 1; break;
        case 3: v = random_below(random, 4); break;
        case 4: v -= random_below(random, PORT_RING_SIZE); break;
        default: v = (uint64_t)RING_SKIP << 32 | RING_SKIP;
        }
        memcpy(mem + 8 * at, &v, random_below(random, 2) == 0 ? 8 : 4);
}

static void play_with_bells(struct scene *c, uint64_t *random)
{
        char junk[16];

        switch (random_below(random, 3)) {
        case 0: bell_ring(c->bell[0].other); break;
        case 1: (void)!read(c->bell[0].other, junk, sizeof(junk)); break;
        default:
                (void)fallocate(c->memfd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                (off_t)(RING_PAGE * random_below(random, 129)), RING_PAGE);
        }
}

/* What a peer in its right mind would do: this leads the victim deep into the states that are then spoilt. */
struct half_mad {
        uint64_t       flow;
        struct ring_tx tx;
        struct ring_rx rx;
};

static void join(struct half_mad *h, uint8_t *mem, uint64_t flow)
{
        struct ring_ctl *ctl = (struct ring_ctl *)(void *)mem;

        h->flow = flow;
        ring_tx_init(&h->tx, &ctl[1], mem + RING_PAGE + PORT_RING_SIZE, PORT_RING_SIZE);
        ring_rx_init(&h->rx, &ctl[0], mem + RING_PAGE, PORT_RING_SIZE);
}

static void behave(struct half_mad *h, uint64_t *random)
{
        size_t len = 1 + (size_t)random_below(random, random_below(random, 16) == 0 ? PORT_MSG_MAX : 300);
        const uint8_t *msg;
        uint8_t       *to;

        if (ring_tx_reserve(&h->tx, len, &to) == 0) {
                memset(to, 'x', len);
                ring_tx_commit(&h->tx, len);
        }
        while (ring_rx_peek(&h->rx, PORT_MSG_MAX, &msg, &len) == 0)
                (void)ring_rx_pop(&h->rx);
        (void)ring_rx_publish(&h->rx);
}

static void go_mad(void *arg)
{
        struct scene   *c      = arg;
        uint64_t        random = c->s->seed + 1;
        uint8_t        *mem    = mmap(NULL, PORT_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, c->memfd, 0);
        struct half_mad h      = {0};

        STRESS_CHECK(c->s, mem != MAP_FAILED);
        join(&h, mem, 0);
        while (!c->shared->done) {
                uint64_t flow = c->shared->flow;

                if (flow != h.flow)
                        join(&h, mem, flow);
                /* some flows meet nothing else, some a little of it, some none */
                if (random_below(&random, 1000) < (flow % 4 == 0 ? 1000 : flow % 4))
                        scribble(mem, &random);
                else
                        behave(&h, &random);
                if (random_below(&random, 1000) == 0)
                        play_with_bells(c, &random);
        }
        munmap(mem, PORT_SIZE);
}

/* -- the victim ------------------------------------------------------------ */

/* Pages that nobody may touch on both sides of the mapping, where they are free. */
static void fence_in(const struct port *p, void *guards[2])
{
        uint8_t *mem = (uint8_t *)p->ctl;

        guards[0] = mmap(mem - GUARDED_PAGE, GUARDED_PAGE, PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        guards[1] = mmap(mem + PORT_SIZE, GUARDED_PAGE, PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
}

static void tear_down(void *guards[2])
{
        for (int i = 0; i < 2; i++) {
                if (guards[i] != MAP_FAILED)
                        munmap(guards[i], GUARDED_PAGE);
        }
}

static void count(const struct scene *c, struct tally *t, int r)
{
        switch (r) {
        case 0: t->messages++; break;
        case -EAGAIN: t->eagain++; break;
        case -EPROTO: t->eproto++; break;
        case -EFLOWDOWN: t->flowdown++; break;
        default: stress_fail(c->s, "an error that the contract does not know");
        }
}

static void try_to_write(const struct scene *c, struct port *p, struct tally *t, uint64_t *random)
{
        static uint8_t buf[PORT_MSG_MAX];
        size_t len = 1 + (size_t)random_below(random, random_below(random, 16) == 0 ? PORT_MSG_MAX : 300);
        int    r   = port_write(p, buf, len);

        count(c, t, r);
        if (r == -EAGAIN && port_tx_prepare(p))
                (void)port_tx_sleep(p, clock_now_ns() + (int64_t)random_below(random, NS_PER_MS));
}

static int look(struct port *p)
{
        static uint8_t buf[PORT_MSG_MAX];
        const uint8_t *msg;
        size_t         len;
        int            r = port_peek(p, &msg, &len);

        if (r < 0)
                return r;
        if (len < 1 || len > PORT_MSG_MAX)
                return 1;
        memcpy(buf, msg, len);
        port_pop(p);
        return 0;
}

static void wait_for_more(struct port *p, uint64_t *random)
{
        uint64_t      seen = port_rx_seen(p);
        struct pollfd fd   = {.fd = p->bell, .events = POLLIN};

        switch (random_below(random, 4)) {
        case 0:
                if (port_rx_prepare(p))
                        (void)port_rx_sleep(p, clock_now_ns() + (int64_t)random_below(random, NS_PER_MS));
                port_rx_awake(p);
                break;
        case 1:
                for (int i = 0; i < 1000 && !port_rx_moved(p, seen); i++)
                        __asm__ volatile("" ::: "memory");
                break;
        case 2:
                port_rx_leave(p);
                (void)poll(&fd, 1, 1);
                port_rx_enter(p);
                break;
        default: break;
        }
}

static void try_to_read(const struct scene *c, struct port *p, struct tally *t, uint64_t *random)
{
        port_rx_enter(p);
        for (uint64_t n = random_below(random, 4); n > 0; n--) {
                int r = look(p);

                count(c, t, r);
                if (r < 0)
                        wait_for_more(p, random);
        }
        port_rx_leave(p);
        STRESS_CHECK(c->s, ring_rx_used(&p->rx) <= PORT_RING_SIZE);
        STRESS_CHECK(c->s, ring_tx_used(&p->tx) <= PORT_RING_SIZE);
        STRESS_CHECK(c->s, port_peer(p) <= PORT_DIED);
}

/* One flow: opened on memory that is new, or in any state, used for a while, closed. */
static void suffer(const struct scene *c, struct tally *t, uint64_t *random)
{
        struct port p;
        void       *guards[2];

        if (random_below(random, 8) != 0)
                STRESS_CHECK(c->s, fallocate(c->memfd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                                             (off_t)PORT_SIZE) == 0);
        c->shared->flow++;
        STRESS_CHECK(c->s, port_open(&p, c->memfd, 0, fd_dup(c->bell[0].own), fd_dup(c->bell[1].other)) == 0);
        fence_in(&p, guards);
        for (uint64_t n = random_below(random, 200); n > 0; n--, t->steps++) {
                int64_t begin = clock_now_ns();

                if (random_below(random, 2) == 0)
                        try_to_write(c, &p, t, random);
                else
                        try_to_read(c, &p, t, random);
                STRESS_CHECK(c->s, clock_now_ns() - begin < PATIENCE_NS);
        }
        tear_down(guards);
        port_close(&p);
}

static void be_sane(void *arg)
{
        struct scene *c      = arg;
        struct tally  t      = {0};
        uint64_t      random = c->s->seed + 2;

        while (clock_now_ns() < c->s->end_ns)
                suffer(c, &t, &random);
        c->shared->done = true;
        printf("%llu steps: %llu messages, %llu EAGAIN, %llu EPROTO, %llu EFLOWDOWN\n",
               (unsigned long long)t.steps, (unsigned long long)t.messages, (unsigned long long)t.eagain,
               (unsigned long long)t.eproto, (unsigned long long)t.flowdown);
        fflush(stdout);
        STRESS_CHECK(c->s, t.messages > 0 && t.eagain > 0 && t.eproto > 0 && t.flowdown > 0);
}

int main(int argc, char *argv[])
{
        struct stress s = stress_begin(argc, argv);
        struct scene  c = {.s = &s, .memfd = port_create(), .shared = stress_shared(sizeof(struct shared))};

        STRESS_CHECK(&s, c.memfd >= 0 && bell_create(&c.bell[0]) == 0 && bell_create(&c.bell[1]) == 0);
        s.threads = false;
        stress_both(&s, be_sane, go_mad, &c);
        bell_close(&c.bell[0]);
        bell_close(&c.bell[1]);
        fd_close(&c.memfd);
        return EXIT_SUCCESS;
}
