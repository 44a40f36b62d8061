#include "dev/wait.h"

#include <sched.h>

#include "base/clock.h"
#include "dev/stream.h"

/*
 * A pause takes about 25 ns. A peer that is awake on another processor has answered within the blind ones,
 * which are too few to look at the clock for. After that it may well be waiting for the processor that we are
 * spinning on, so that is offered from time to time. If it always does, pauses are a waste: two that are
 * confined to one processor take turns by yielding at once.
 */
#define PAUSES_BLIND 64
#define PAUSES_YIELD 64

/* Of a reader that lingers: first without a look, since that disturbs the writer. */
#define PAUSES_QUIET  256
#define PAUSES_LINGER 16

/* What a spinner watches, without a lock. */
struct watch {
        const struct port *port;
        uint64_t           seen;
        bool               tx;
};

static inline void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile("isb");
#endif
}

static bool moved(const struct watch *w)
{
        return w->tx ? port_tx_moved(w->port, w->seen) : port_rx_moved(w->port, w->seen);
}

static bool watch_for(const struct watch *w, unsigned pauses)
{
        while (!moved(w)) {
                if (pauses-- == 0)
                        return false;
                cpu_relax();
        }
        return true;
}

void wait_linger(struct slot *s)
{
        struct watch w = {.port = &s->port, .seen = port_rx_seen(&s->port)};

        if (s->port.rx.tail != s->port.rx.head)
                return;
        /* Opening a record takes as long as making one: another may well have come meanwhile. */
        if (s->in != NULL && moved(&w))
                return;
        if (!hunch_try(&s->rx.streaming))
                return;
        for (int i = 0; i < PAUSES_QUIET; i++)
                cpu_relax();
        hunch_learn(&s->rx.streaming, watch_for(&w, PAUSES_LINGER));
}

/* Pauses and yields. *@paused: it came during a pause, so the peer runs elsewhere. */
static bool watch_until(const struct watch *w, bool pause, int64_t end_ns, bool *paused)
{
        do {
                sched_yield();
                if (moved(w))
                        return true;
                *paused = pause && watch_for(w, PAUSES_YIELD);
        } while (!*paused && clock_now_ns() < end_ns);
        return *paused;
}

/*
 * True: what we wait for came in time. Late is no better than never: somebody else had the processor, and a
 * sleeper would have been put before them.
 */
static bool spin(const struct watch *w, bool pause, int64_t budget_ns, bool *paused)
{
        int64_t end_ns;

        *paused = watch_for(w, pause ? PAUSES_BLIND : 0);
        if (*paused)
                return true;
        end_ns = clock_now_ns() + budget_ns;
        return watch_until(w, pause, end_ns, paused) && clock_now_ns() < end_ns;
}

static int sleep_tx(struct slot *s, int64_t deadline_ns)
{
        int r;

        if (!port_tx_prepare(&s->port))
                return 0;
        s->tx.sleeps++;
        pthread_mutex_unlock(&s->tx.lock);
        r = port_tx_sleep(&s->port, deadline_ns);
        pthread_mutex_lock(&s->tx.lock);
        return r;
}

static int sleep_rx(struct slot *s, int64_t deadline_ns)
{
        int r = 0;

        port_rx_enter(&s->port); /* another reader may have left meanwhile */
        if (port_rx_prepare(&s->port)) {
                s->rx.sleeps++;
                pthread_mutex_unlock(&s->rx.lock);
                r = port_rx_sleep(&s->port, deadline_ns);
                pthread_mutex_lock(&s->rx.lock);
        }
        port_rx_awake(&s->port);
        return r;
}

static int doze(struct slot *s, struct lane *l, bool tx, int64_t budget_ns, int64_t deadline_ns)
{
        int64_t start_ns = clock_now_ns();
        int     r        = tx ? sleep_tx(s, deadline_ns) : sleep_rx(s, deadline_ns);

        patience_wasted(&l->patience, budget_ns, budget_ns + clock_now_ns() - start_ns);
        return r;
}

/* Without the lock, for up to @budget_ns. True: it came. */
static bool stay_awake(struct lane *l, const struct watch *w, int64_t budget_ns)
{
        bool pause = hunch_try(&l->elsewhere);
        bool paused;
        bool came;

        pthread_mutex_unlock(&l->lock);
        came = spin(w, pause, budget_ns, &paused);
        pthread_mutex_lock(&l->lock);
        if (pause && came)
                hunch_learn(&l->elsewhere, paused);
        return came;
}

static int wait_for(struct slot *s, struct lane *l, const struct watch *w, int64_t deadline_ns)
{
        int64_t budget_ns = patience_budget_ns(&l->patience);
        int     r         = 0;

        l->waiters++;
        if (budget_ns > 0 && stay_awake(l, w, budget_ns))
                patience_paid(&l->patience, budget_ns);
        else if (s->state == SLOT_OPEN && !atomic_load(&s->broken))
                r = doze(s, l, w->tx, budget_ns, deadline_ns);
        l->waiters--;
        return r;
}

int wait_rx(struct slot *s, int64_t deadline_ns)
{
        struct watch w = {.port = &s->port, .seen = port_rx_seen(&s->port)};

        return wait_for(s, &s->rx, &w, deadline_ns);
}

int wait_tx(struct slot *s, int64_t deadline_ns)
{
        struct watch w = {.port = &s->port, .seen = port_tx_seen(&s->port), .tx = true};

        return wait_for(s, &s->tx, &w, deadline_ns);
}

int wait_stream(struct slot *s, struct lane *l, uint32_t ticket, int64_t deadline_ns)
{
        struct stream *stream = s->stream;
        int            r;

        l->waiters++;
        l->sleeps++;
        pthread_mutex_unlock(&l->lock);
        r = stream_sleep(stream, ticket, deadline_ns);
        pthread_mutex_lock(&l->lock);
        stream_awake(stream);
        l->waiters--;
        return r;
}
