/*
 * stress_port.c - two sides of a port, each with one to three writers and as many readers, who wait in all
 * the ways there are: asleep, spinning, polling the descriptor, coming back later. Each direction is locked
 * as port.h says. A wake-up that is lost hangs the program, and its watchdog ends it.
 *
 * A round ends in one of two ways. In good order: each side sends a last message, which its readers leave
 * where it is, so that all of them see it. Or abruptly: side 0 calls its threads back and closes, and those
 * of side 1 must find out.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <ouroboros/errno.h>

#include "base/clock.h"
#include "base/fd.h"
#include "shm/bell.h"
#include "shm/port.h"

#include "random.h"
#include "stress.h"

#define THREADS_MAX 3
#define MSG_MAX     PORT_MSG_MAX
#define LAST_LEN    (MSG_MAX - 1) /* of the last message; no other has it */

struct round {
        struct stress *s;
        uint64_t       key;
        int64_t        length_ns;
        bool           abrupt;
        int            memfd;
        struct bell    bell[2];
};

/* One side and its threads. */
struct side {
        const struct round *r;
        unsigned            number;
        struct port         port;
        pthread_mutex_t     rx_lock, tx_lock;
        bool                stop; /* under both locks: no more waits */
        atomic_bool         full; /* time is up: no more messages    */
        uint64_t            sent, taken;
        uint64_t            random;
        pthread_t           threads[2 * THREADS_MAX];
        uint8_t             out[MSG_MAX];
};

static uint64_t key_of(const struct side *e, unsigned from)
{
        return e->r->key + from;
}

static size_t len_of(const struct side *e, unsigned from, uint64_t seq)
{
        return stress_len(key_of(e, from), seq, LAST_LEN - 1);
}

/* Each thread draws numbers of its own. */
static uint64_t thread_seed(struct side *e)
{
        uint64_t seed;

        pthread_mutex_lock(&e->tx_lock);
        seed = random_next(&e->random);
        pthread_mutex_unlock(&e->tx_lock);
        return seed;
}

/* -- writing --------------------------------------------------------------- */

/* Waits for room, locked before and after. */
static void wait_tx(struct side *e, uint64_t *random)
{
        int64_t  deadline = random_below(random, 4) == 0 ? clock_now_ns() + 100 * NS_PER_US : CLOCK_NEVER;
        uint64_t seen     = port_tx_seen(&e->port);

        switch (random_below(random, 3)) {
        case 0:
                if (port_tx_prepare(&e->port)) {
                        pthread_mutex_unlock(&e->tx_lock);
                        (void)port_tx_sleep(&e->port, deadline);
                        pthread_mutex_lock(&e->tx_lock);
                }
                break;
        case 1:
                pthread_mutex_unlock(&e->tx_lock);
                for (int i = 0; i < 1000 && !port_tx_moved(&e->port, seen); i++)
                        __asm__ volatile("" ::: "memory");
                pthread_mutex_lock(&e->tx_lock);
                break;
        default:
                pthread_mutex_unlock(&e->tx_lock);
                sched_yield();
                pthread_mutex_lock(&e->tx_lock);
        }
}

/* Sends the next message, or the last one. False: the end. */
static bool send_next(struct side *e, bool last, uint64_t *random)
{
        for (;;) {
                size_t len = last ? LAST_LEN : len_of(e, e->number, e->sent);
                int    r;

                if (e->stop)
                        return false;
                stress_fill(key_of(e, e->number), e->sent, e->out, len);
                r = port_write(&e->port, e->out, len);
                if (r == 0)
                        e->sent++;
                if (r == 0 || r == -EFLOWDOWN)
                        return r == 0;
                STRESS_CHECK(e->r->s, r == -EAGAIN);
                wait_tx(e, random);
        }
}

static void *writer(void *arg)
{
        struct side *e      = arg;
        uint64_t     random = thread_seed(e);
        bool         more   = true;

        while (more && !e->full) {
                pthread_mutex_lock(&e->tx_lock);
                more = send_next(e, false, &random);
                pthread_mutex_unlock(&e->tx_lock);
                stress_dawdle(&random);
        }
        return NULL;
}

/* -- reading --------------------------------------------------------------- */

static void unlock_for_a_spin(struct side *e, uint64_t seen)
{
        pthread_mutex_unlock(&e->rx_lock);
        for (int i = 0; i < 1000 && !port_rx_moved(&e->port, seen); i++)
                __asm__ volatile("" ::: "memory");
        pthread_mutex_lock(&e->rx_lock);
}

static void sleep_rx(struct side *e, uint64_t *random)
{
        int64_t deadline = random_below(random, 4) == 0 ? clock_now_ns() + 100 * NS_PER_US : CLOCK_NEVER;

        if (port_rx_prepare(&e->port)) {
                pthread_mutex_unlock(&e->rx_lock);
                if (random_below(random, 8) == 0)
                        sched_yield();
                (void)port_rx_sleep(&e->port, deadline);
                pthread_mutex_lock(&e->rx_lock);
        }
        port_rx_awake(&e->port);
}

static void poll_rx(struct side *e)
{
        struct pollfd p = {.fd = e->port.bell, .events = POLLIN};

        port_rx_leave(&e->port);
        pthread_mutex_unlock(&e->rx_lock);
        /* Nothing rings for those who are called back. */
        (void)poll(&p, 1, e->r->abrupt && e->number == 0 ? 10 : -1);
        pthread_mutex_lock(&e->rx_lock);
        port_rx_enter(&e->port);
}

static void come_back_later(struct side *e)
{
        port_rx_leave(&e->port);
        pthread_mutex_unlock(&e->rx_lock);
        sched_yield();
        pthread_mutex_lock(&e->rx_lock);
        port_rx_enter(&e->port);
}

/* Waits for a message, locked and inside before and after. */
static void wait_rx(struct side *e, uint64_t *random)
{
        switch (random_below(random, 4)) {
        case 0: sleep_rx(e, random); break;
        case 1: unlock_for_a_spin(e, port_rx_seen(&e->port)); break;
        case 2: poll_rx(e); break;
        default: come_back_later(e);
        }
}

/* Checks the message that was peeked and takes it. False: it is the last one. */
static bool take(struct side *e, const uint8_t *p, size_t len)
{
        STRESS_CHECK(e->r->s, stress_is(key_of(e, !e->number), e->taken, p, len));
        if (len == LAST_LEN)
                return false;
        STRESS_CHECK(e->r->s, len == len_of(e, !e->number, e->taken));
        port_pop(&e->port);
        e->taken++;
        return true;
}

/* Inside and locked. False: the end. */
static bool receive_next(struct side *e, uint64_t *random)
{
        const uint8_t *p;
        size_t         len;

        for (;;) {
                enum port_end end = port_peer(&e->port); /* before the look: then nothing comes after it */
                int           r   = port_peek(&e->port, &p, &len);

                if (r == 0)
                        return take(e, p, len);
                STRESS_CHECK(e->r->s, r == -EAGAIN);
                if (e->stop || end != PORT_OPEN)
                        return false;
                wait_rx(e, random);
        }
}

static void *reader(void *arg)
{
        struct side *e      = arg;
        uint64_t     random = thread_seed(e);
        bool         more   = true;

        while (more) {
                pthread_mutex_lock(&e->rx_lock);
                port_rx_enter(&e->port);
                do
                        more = receive_next(e, &random);
                while (more && random_below(&random, 3) != 0);
                port_rx_leave(&e->port);
                pthread_mutex_unlock(&e->rx_lock);
                stress_dawdle(&random);
        }
        return NULL;
}

/* -- a side ---------------------------------------------------------------- */

static void call_back(struct side *e)
{
        pthread_mutex_lock(&e->tx_lock);
        pthread_mutex_lock(&e->rx_lock);
        e->stop = true;
        pthread_mutex_unlock(&e->rx_lock);
        pthread_mutex_unlock(&e->tx_lock);
        port_rouse(&e->port);
}

static void wait_until(const struct round *r)
{
        nanosleep(&(struct timespec){.tv_nsec = r->length_ns}, NULL);
}

static void finish(struct side *e, int n_writers, int n_readers)
{
        const struct round *r = e->r;

        wait_until(r);
        if (r->abrupt && e->number == 0)
                call_back(e);
        else if (!r->abrupt)
                e->full = true;
        for (int i = 0; i < n_writers; i++)
                pthread_join(e->threads[i], NULL);
        if (!r->abrupt) {
                pthread_mutex_lock(&e->tx_lock);
                STRESS_CHECK(r->s, send_next(e, true, &e->random));
                pthread_mutex_unlock(&e->tx_lock);
        }
        for (int i = 0; i < n_readers; i++)
                pthread_join(e->threads[n_writers + i], NULL);
}

/*
 * The other side may still be reading when we are done: whoever is last must not lose what it has not read.
 */
static void part(struct side *e)
{
        struct pollfd p = {.fd = e->port.bell, .events = POLLIN};

        if (!e->r->abrupt || e->number == 0)
                port_end(&e->port);
        while (!e->r->abrupt && port_peer(&e->port) == PORT_OPEN)
                (void)poll(&p, 1, 1);
        port_close(&e->port);
}

static void run_side(const struct round *r, unsigned number)
{
        struct side *e = calloc(1, sizeof(*e));
        int          n_writers, n_readers;

        STRESS_CHECK(r->s, e != NULL);
        *e        = (struct side){.r       = r,
                                  .number  = number,
                                  .rx_lock = PTHREAD_MUTEX_INITIALIZER,
                                  .tx_lock = PTHREAD_MUTEX_INITIALIZER,
                                  .random  = r->key + 10 + number};
        n_writers = 1 + (int)random_below(&e->random, THREADS_MAX);
        n_readers = 1 + (int)random_below(&e->random, THREADS_MAX);
        STRESS_CHECK(r->s,
                     port_open(&e->port, r->memfd, number, r->bell[number].own, r->bell[!number].other) == 0);
        for (int i = 0; i < n_writers + n_readers; i++)
                STRESS_CHECK(r->s,
                             pthread_create(&e->threads[i], NULL, i < n_writers ? writer : reader, e) == 0);
        finish(e, n_writers, n_readers);
        part(e);
        free(e);
}

static void run_side_0(void *arg)
{
        run_side(arg, 0);
}

static void run_side_1(void *arg)
{
        run_side(arg, 1);
}

static void close_bells(struct round *r)
{
        for (int i = 0; i < 2; i++) {
                if (r->s->threads) /* the sides have closed theirs */
                        r->bell[i].own = r->bell[i].other = -1;
                else /* one was closed here, the other in the child */
                        r->bell[i].own = i == 0 ? -1 : r->bell[i].own;
                if (!r->s->threads && i == 1)
                        r->bell[i].other = -1;
                bell_close(&r->bell[i]);
        }
        fd_close(&r->memfd);
}

int main(int argc, char *argv[])
{
        struct stress s      = stress_begin(argc, argv);
        uint64_t      random = s.seed;
        uint64_t      rounds = 0;

        for (; clock_now_ns() < s.end_ns; rounds++) {
                struct round r = {.s         = &s,
                                  .key       = random_next(&random),
                                  .abrupt    = random_below(&random, 2) == 0,
                                  .length_ns = (int64_t)random_below(&random, 100 * NS_PER_MS),
                                  .memfd     = port_create()};

                STRESS_CHECK(&s,
                             r.memfd >= 0 && bell_create(&r.bell[0]) == 0 && bell_create(&r.bell[1]) == 0);
                stress_both(&s, run_side_0, run_side_1, &r);
                close_bells(&r);
        }
        printf("%llu rounds\n", (unsigned long long)rounds);
        return EXIT_SUCCESS;
}
