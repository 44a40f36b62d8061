/*
 * pump_out.c - from rings to the link.
 *
 *     RESTING --- bell ---> READY <--- a record --- LINGERING --- nothing came ---> RESTING
 *                             |---- ring empty --->
 *
 * A bell only puts its flow among those that are ready; what sends is a check of the loop, that is right
 * after all that was polled, for a bounded number of turns. As long as anything is left, the loop does not
 * sleep, but it polls between: what comes in, and control traffic, waits for TURNS batches at most.
 *
 * A flow whose ring has become empty is looked at a little longer (LINGER_NS) before its bell is armed, since
 * a writer who finds us awake pays no system call, and we none to wake up. It pays only if the next packet
 * comes soon: the first time that it did not, the flow has to show a short pause before it is tried again,
 * then three, seven, ... A flow with longer pauses never does, and is not waited for.
 */
#include "ipcpd/shim/pump_parts.h"

#include <errno.h>

#include "base/clock.h"

#define BATCH       64u           /* packets of a turn */
#define BATCH_BYTES (64u * 1024u) /* the same          */
#define TURNS       8             /* between two polls */

#define LINGER_NS (30 * NS_PER_US)
#define LOOK_NS   (2 * NS_PER_US)   /* of it, without a poll                                          */
#define SHORT_NS  (200 * NS_PER_US) /* a pause that might have been short but for the time a bell takes */
#define GAP_MAX   1023

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile("yield");
#endif
}

/* -- where flows stand ------------------------------------------------------- */

static void move(struct pump_flow *f, enum pump_out to)
{
        struct pump *p = f->pump;

        if (f->out == PUMP_READY)
                TAILQ_REMOVE(&p->ready, f, in_out);
        else if (f->out == PUMP_LINGERING)
                TAILQ_REMOVE(&p->lingering, f, in_out);
        f->out  = to;
        f->used = 0;
        if (to == PUMP_READY)
                TAILQ_INSERT_TAIL(&p->ready, f, in_out);
        else if (to == PUMP_LINGERING)
                TAILQ_INSERT_TAIL(&p->lingering, f, in_out);
}

static void on_check(uv_check_t *h);

static void on_idle(uv_idle_t *h)
{
        (void)h; /* that it runs is all */
}

/* Has the loop go on as long as there is something to do. */
static void run(struct pump *p)
{
        bool work = !p->halted && !(TAILQ_EMPTY(&p->ready) && TAILQ_EMPTY(&p->lingering));

        if (work == p->running)
                return;
        p->running = work;
        if (work) {
                uv_check_start(&p->check, on_check);
                uv_idle_start(&p->idle, on_idle);
        } else {
                uv_check_stop(&p->check);
                uv_idle_stop(&p->idle);
        }
}

void pump_out_stop(struct pump_flow *f)
{
        move(f, PUMP_DEAF);
        f->over = true;
        uv_poll_stop(&f->bell);
}

/* There is nothing more to read. @f may be gone. */
static void finish(struct pump_flow *f)
{
        struct pump *p = f->pump;

        pump_out_stop(f);
        if (f->ended)
                p->ops->drained(p->ctx, f->ctx);
}

void pump_out_break(struct pump_flow *f)
{
        struct pump *p = f->pump;

        f->broken = true;
        if (f->ended) {
                finish(f);
                return;
        }
        pump_out_stop(f);
        p->ops->broken(p->ctx, f->ctx);
}

/* -- lingering --------------------------------------------------------------- */

static void learn(struct pump_flow *f, bool paid)
{
        f->gap  = paid ? 0 : f->gap >= GAP_MAX / 2 ? GAP_MAX : (uint16_t)(2 * f->gap + 1);
        f->skip = f->gap;
}

static void rest(struct pump_flow *f)
{
        move(f, port_rx_rest(&f->port) ? PUMP_RESTING : PUMP_READY);
}

/* One look. */
static void look(struct pump_flow *f, int64_t now_ns)
{
        if (port_rx_moved(&f->port, port_rx_seen(&f->port))) {
                learn(f, true);
                move(f, PUMP_READY);
        } else if (now_ns - f->empty_ns >= LINGER_NS) {
                learn(f, false);
                rest(f);
        }
}

static void look_at_all(struct pump *p, int64_t now_ns)
{
        struct pump_flow *next;

        for (struct pump_flow *f = TAILQ_FIRST(&p->lingering); f != NULL; f = next) {
                next = TAILQ_NEXT(f, in_out);
                look(f, now_ns);
        }
}

static void look_around(struct pump *p)
{
        int64_t begin_ns = clock_now_ns();
        int64_t now_ns   = begin_ns;

        while (TAILQ_EMPTY(&p->ready) && !TAILQ_EMPTY(&p->lingering) && now_ns - begin_ns < LOOK_NS) {
                relax();
                look_at_all(p, now_ns);
                now_ns = clock_now_ns();
        }
}

/* -- turns ------------------------------------------------------------------- */

static void on_bell(uv_poll_t *h, int status, int events)
{
        struct pump_flow *f = h->data;

        (void)status;
        (void)events;
        if (f->out == PUMP_RESTING) {
                port_rx_enter(&f->port);
                if (f->skip > 0 && clock_now_ns() - f->empty_ns < SHORT_NS)
                        f->skip--;
                move(f, PUMP_READY);
                run(f->pump);
        }
        port_rx_unring(&f->port); /* or it would be reported in every turn of the loop */
        if (port_peer(&f->port) == PORT_DIED)
                uv_poll_stop(h); /* likewise; nothing rings any more, and the flow is on its way to its end */
}

/* The ring is empty. @f may be gone. */
static void emptied(struct pump_flow *f)
{
        const uint8_t *p;
        size_t         len;
        int            r = port_look_again(&f->port, &p, &len);

        if (r == 0) {
                move(f, PUMP_READY);
        } else if (r == -EPROTO) {
                pump_out_break(f);
        } else if (r != -EAGAIN || f->ended) {
                finish(f);
        } else {
                f->empty_ns = clock_now_ns();
                if (f->skip > 0)
                        rest(f);
                else
                        move(f, PUMP_LINGERING);
        }
}

/* How many of @v, from the first, are (@fit) or are not small enough. */
static size_t count_alike(const struct pump_flow *f, const struct iovec *v, size_t n, bool fit)
{
        size_t i = 0;

        while (i < n && (v[i].iov_len <= f->packet_max) == fit)
                i++;
        return i;
}

/*
 * Takes @n of @v, and the turn is over, but for a link that cut it short: that would favour whoever is first
 * each time. Who has ended the flow may have left one ring of records; an application that goes on writing
 * does not put off the end. @f may be gone.
 */
static void take(struct pump_flow *f, const struct iovec *v, size_t n)
{
        port_pop_batch(&f->port, v, n);
        f->used += (unsigned)n;
        if (!f->pump->halted || f->used >= BATCH)
                move(f, PUMP_READY); /* to the end of the line */
        if (!f->ended)
                return;
        for (size_t i = 0; i < n; i++)
                f->left -= (int64_t)ring_record(v[i].iov_len);
        if (f->left <= 0)
                finish(f);
}

/* @f may be gone. */
static void send_batch(struct pump_flow *f, const struct iovec *v, size_t n)
{
        struct pump *p    = f->pump;
        size_t       sent = p->link_ops->send_data(p->link, &f->path, v, n);

        p->halted = sent < n;
        f->facts.packets_out += sent;
        for (size_t i = 0; i < sent; i++)
                f->facts.bytes_out += v[i].iov_len;
        if (sent > 0)
                take(f, v, sent);
}

/* A turn of the first in line, or what is left of it. @f may be gone. */
static void take_turn(struct pump_flow *f)
{
        struct iovec v[BATCH];
        int          n = port_peek_batch(&f->port, v, BATCH - f->used, BATCH_BYTES);
        size_t       fit;

        if (n == -EAGAIN) {
                emptied(f);
                return;
        }
        if (n < 0) {
                pump_out_break(f);
                return;
        }
        fit = count_alike(f, v, (size_t)n, true);
        if (fit > 0) {
                send_batch(f, v, fit);
        } else {
                fit = count_alike(f, v, (size_t)n, false);
                f->facts.too_large += fit;
                take(f, v, fit);
        }
}

static void on_check(uv_check_t *h)
{
        struct pump *p = h->data;

        if (!TAILQ_EMPTY(&p->lingering))
                look_at_all(p, clock_now_ns());
        for (int i = 0; i < TURNS && !p->halted && !TAILQ_EMPTY(&p->ready); i++)
                take_turn(TAILQ_FIRST(&p->ready));
        if (!p->halted)
                look_around(p);
        run(p);
}

/* -- from outside ------------------------------------------------------------ */

void pump_out_init(struct pump *p, uv_loop_t *loop)
{
        uv_check_init(loop, &p->check);
        uv_idle_init(loop, &p->idle);
        p->check.data = p;
        p->idle.data  = p;
}

/* port_open() has left the port: whatever is in it by now has rung. */
void pump_out_start(struct pump_flow *f)
{
        f->out = PUMP_RESTING;
        uv_poll_start(&f->bell, UV_READABLE, on_bell);
}

void pump_out_end(struct pump_flow *f)
{
        const uint8_t *p;
        size_t         len;

        if (f->out == PUMP_RESTING)
                port_rx_enter_uncalled(&f->port);
        if (f->over || !f->has_path || port_peek(&f->port, &p, &len) < 0) {
                finish(f);
                return;
        }
        f->left = (int64_t)PORT_RING_SIZE;
        if (f->out != PUMP_READY)
                move(f, PUMP_READY);
        run(f->pump);
}

void pump_writable(struct pump *p)
{
        p->halted = false;
        run(p);
}
