#include "dev/stream.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ouroboros/errno.h>
#include <ouroboros/fccntl.h>

#include "base/clock.h"
#include "base/fd.h"
#include "crypt/secret.h"
#include "dev/inbox.h"
#include "dev/outbox.h"
#include "dev/service.h"
#include "shm/bell.h"

/* A port that is full is looked at again after this; the congestion window keeps it from being so for long. */
#define FULL_NS (1 * NS_PER_MS)

/*
 * Nobody gets up for a timer earlier than this: at a fast pace each packet would cost a sleep. The pacer gives who comes
 * late what has gathered meanwhile.
 */
#define SOON_NS (100 * NS_PER_US)

/* Packets that one turn takes in before it sends: acknowledgements must not wait for a flood to end. */
#define TAKE_MAX 64

/*
 * So often in one turn, and turns in one call: a peer who sends without end keeps nobody, the rest is the
 * service thread's.
 */
#define ROUNDS_MAX 16
#define TURNS_MAX  4

struct stream {
        pthread_mutex_t lock;
        struct frct    *engine;
        size_t          packet;
        struct outbox  *out;
        struct inbox   *in;
        struct port    *port; /* NULL: closed */
        uint8_t        *first;
        size_t          first_len, first_at;
        bool            hold;
        bool            linger;
        bool            full;   /* the port was, in the last turn                  */
        int             broken; /* 0, or what the port said when it came to an end */
        bool            over;   /* the engine is, and those who sleep were told    */
        unsigned        asleep; /* threads of the application, in the port         */
        bool            closed;
        int             ring;    /* ours, of the pipe that it polls, to ring and to clear */
        bool            shown;   /* it is readable                                  */
        bool            between; /* messages, in reading                            */
        struct served   served;
        uint8_t        *packet_in; /* one packet each: encrypted flows            */
        uint8_t        *packet_out;
};

/* -- birth and death ------------------------------------------------------------- */

static bool take_first(struct stream *s, const struct stream_conf *conf)
{
        s->hold = conf->hold;
        if (conf->first_len == 0)
                return true;
        s->first = malloc(conf->first_len);
        if (s->first == NULL)
                return false;
        memcpy(s->first, conf->first, conf->first_len);
        s->first_len = conf->first_len;
        return true;
}

struct stream *stream_create(const struct stream_conf *conf)
{
        struct stream *s = calloc(1, sizeof(*s));

        if (s == NULL)
                return NULL;
        pthread_mutex_init(&s->lock, NULL);
        s->packet     = conf->frct.packet;
        s->out        = conf->out;
        s->in         = conf->in;
        s->ring       = -1;
        s->linger     = true;
        s->engine     = frct_create(&conf->frct, clock_now_ns());
        s->packet_in  = malloc(s->packet);
        s->packet_out = malloc(s->packet);
        if (s->engine != NULL && s->packet_in != NULL && s->packet_out != NULL && take_first(s, conf))
                return s;
        stream_destroy(s);
        return NULL;
}

static void drop_first(struct stream *s)
{
        if (s->first == NULL)
                return;
        secret_wipe(s->first, s->first_len);
        free(s->first);
        s->first     = NULL;
        s->first_len = 0;
}

static void wipe_packet(uint8_t *p, size_t n)
{
        if (p != NULL)
                secret_wipe(p, n);
        free(p);
}

void stream_destroy(struct stream *s)
{
        if (s == NULL)
                return;
        frct_destroy(s->engine);
        drop_first(s);
        wipe_packet(s->packet_in, s->packet);
        wipe_packet(s->packet_out, s->packet);
        fd_close(&s->ring);
        pthread_mutex_destroy(&s->lock);
        free(s);
}

void stream_hold(struct stream *s)
{
        pthread_mutex_lock(&s->lock);
}

void stream_release(struct stream *s)
{
        pthread_mutex_unlock(&s->lock);
}

void stream_forget(struct stream *s)
{
        if (s == NULL)
                return;
        pthread_mutex_init(&s->lock, NULL);
        s->port = NULL;
        stream_destroy(s);
}

/* -- packets in ------------------------------------------------------------------ */

/* Takes one that is longer than any packet. 0: it is gone, and nothing is left of it. */
static ssize_t skip_sealed(struct stream *s)
{
        ssize_t n;

        do
                n = inbox_read(s->in, s->port, s->packet_in, s->packet, false);
        while (n > 0 && !inbox_between(s->in));
        return n < 0 ? n : 0;
}

/* What comes is in *@packet, its length is returned; or as port_look(). */
static ssize_t next_sealed(struct stream *s, const uint8_t **packet)
{
        ssize_t n = inbox_read(s->in, s->port, s->packet_in, s->packet, true);

        if (n == -EMSGSIZE)
                n = skip_sealed(s);
        *packet = s->packet_in;
        if (inbox_confirmed(s->in))
                s->hold = false;
        return n;
}

static ssize_t next_plain(const struct stream *s, const uint8_t **packet)
{
        size_t len;
        int    r = port_look(s->port, packet, &len);

        return r < 0 ? r : (ssize_t)len;
}

/*
 * One packet to the engine. A plain one is read where it lies: the engine looks at each byte of it once, so
 * that it does not matter if it is altered meanwhile.
 */
static int take_packet(struct stream *s, int64_t now_ns)
{
        const uint8_t *packet;
        ssize_t        n = s->in != NULL ? next_sealed(s, &packet) : next_plain(s, &packet);

        if (n < 0)
                return (int)n;
        (void)frct_rx(s->engine, packet, (size_t)n, false, now_ns);
        if (s->in == NULL)
                port_pop(s->port);
        return 0;
}

/* The end of the port is not the end of what the peer has said: that is in the engine. */
static void port_ended(struct stream *s, int why)
{
        if (s->broken != 0)
                return;
        s->broken = why;
        frct_down(s->engine);
}

/* True: there may be more. */
static bool take_in(struct stream *s, int64_t now_ns)
{
        int r = 0;

        for (unsigned i = 0; r == 0 && i < TAKE_MAX; i++)
                r = s->broken == 0 ? take_packet(s, now_ns) : -EAGAIN;
        if (r < 0 && r != -EAGAIN)
                port_ended(s, r);
        return r == 0;
}

/* -- packets out ------------------------------------------------------------------ */

static int put_sealed(const struct stream *s, int64_t now_ns)
{
        uint8_t *to;
        size_t   n;
        int      r;

        r = port_reserve(s->port, s->packet + outbox_overhead(s->out), false,
                         &to); /* only to see whether there is room */
        if (r < 0)
                return r;
        n = frct_tx(s->engine, s->packet_out, now_ns);
        if (n == 0)
                return 0;
        r = outbox_write(s->out, s->port, s->packet_out, n);
        return r < 0 ? r : 1;
}

static int put_plain(const struct stream *s, int64_t now_ns)
{
        uint8_t *to;
        size_t   n;
        int      r = port_reserve(s->port, s->packet, false, &to);

        if (r < 0)
                return r;
        n = frct_tx(s->engine, to, now_ns);
        if (n == 0)
                return 0;
        port_commit(s->port, n, n, true);
        return 1;
}

/* An end that no packet said, but a timer or the port by the hand of one thread, concerns those who sleep. */
static void tell_end(struct stream *s)
{
        if (s->over || !frct_is_over(s->engine))
                return;
        s->over = true;
        if (s->asleep > 0)
                port_rouse(s->port);
}

static void put_all(struct stream *s, int64_t now_ns)
{
        int r;

        do
                r = s->out != NULL ? put_sealed(s, now_ns) : put_plain(s, now_ns);
        while (r > 0);
        if (r == -EAGAIN) {
                s->full = true;
                frct_expire(s->engine, now_ns); /* who never makes room is as good as dead */
        } else if (r < 0) {
                port_ended(s, r);
        }
}

static void put_out(struct stream *s, int64_t now_ns)
{
        s->full = false;
        if (s->broken == 0)
                put_all(s, now_ns);
        tell_end(s);
}

/* -- turns ------------------------------------------------------------------------- */

static bool has_first(const struct stream *s)
{
        return s->first != NULL && !s->hold;
}

static int look(struct stream *s)
{
        ptrdiff_t n;

        if (has_first(s))
                return 0;
        n = frct_look(s->engine);
        return n == 0 ? -EAGAIN : n > 0 ? 0 : (int)n;
}

/* The pipe says whether there is something to read. */
static void show(struct stream *s)
{
        bool readable = look(s) != -EAGAIN;

        if (readable && !s->shown)
                bell_ring(s->ring);
        else if (!readable && s->shown)
                (void)bell_clear(s->ring);
        s->shown = readable;
}

static int64_t due_ns(const struct stream *s, int64_t now_ns)
{
        int64_t due = frct_due_ns(s->engine);

        /* What is due has no room: to try again at once would only spin. */
        if (s->full)
                return now_ns + FULL_NS;
        return due < now_ns + SOON_NS ? now_ns + SOON_NS : due;
}

static void turn(struct stream *s, int64_t now_ns)
{
        bool more = true;

        for (unsigned i = 0; more && i < ROUNDS_MAX; i++) {
                more = take_in(s, now_ns);
                put_out(s, now_ns);
        }
}

/*
 * What would have to wait for a bell is taken care of before it is armed. False: there is too much of it, and
 * no bell will tell.
 */
static bool turn_and_rest(struct stream *s, int64_t now_ns)
{
        for (unsigned i = 0; i < TURNS_MAX; i++) {
                turn(s, now_ns);
                if (s->broken != 0 || port_rx_rest(s->port))
                        return true;
        }
        return false;
}

/* When the service thread has to look next, if nobody is asleep. */
static int64_t turn_alone(struct stream *s, int64_t now_ns)
{
        return turn_and_rest(s, now_ns) ? due_ns(s, now_ns) : now_ns;
}

/* -- opening and closing ------------------------------------------------------------ */

int stream_open(struct stream *s, struct port *port, int front)
{
        int r = s->ring = bell_open_both(front);

        s->port          = port;
        s->served.stream = s;
        s->served.bell   = port->bell;
        atomic_store(&s->served.due_ns, 0); /* it has its first turn at once */
        if (r >= 0)
                r = service_add(&s->served);
        if (r < 0)
                s->port = NULL;
        return r;
}

void stream_close(struct stream *s)
{
        if (s->port == NULL || s->closed)
                return;
        service_remove(&s->served);
        pthread_mutex_lock(&s->lock);
        s->closed = true;
        pthread_mutex_unlock(&s->lock);
}

/* -- the service thread ------------------------------------------------------------- */

/*
 * Threads that sleep in the port see to what comes, and to what is due: they only have to be told what a
 * timer did.
 */
static int64_t serve_sleepers(struct stream *s, int64_t now_ns)
{
        port_rx_unring(s->port); /* first: it may find that the peer is gone */
        turn(s, now_ns);
        port_rouse(s->port);
        return CLOCK_NEVER;
}

bool stream_serve(struct stream *s, int64_t now_ns)
{
        int64_t due;
        bool    rings;

        pthread_mutex_lock(&s->lock);
        due = s->asleep > 0 ? serve_sleepers(s, now_ns) : turn_alone(s, now_ns);
        show(s);
        atomic_store(&s->served.due_ns, due);
        rings = s->broken == 0;
        pthread_mutex_unlock(&s->lock);
        return rings;
}

/* -- calls --------------------------------------------------------------------------- */

/* With the lock: a thread of the application comes in; what it asks for may just have arrived. */
static int64_t enter(struct stream *s)
{
        int64_t now_ns = clock_now_ns();

        port_rx_enter(s->port);
        turn(s, now_ns);
        return now_ns;
}

/*
 * @r is the outcome of an attempt. Announces a sleeper if that is wanted; true: there is something new
 * already, try again. Who goes to sleep has shown what he took in: it may be for somebody who polls.
 */
static bool again(struct stream *s, ssize_t r, uint32_t *ticket)
{
        if (r != -EAGAIN || ticket == NULL)
                return false;
        s->asleep++;
        if (port_rx_prepare_next(s->port, ticket)) {
                show(s);
                return false;
        }
        s->asleep--;
        port_rx_awake(s->port);
        return s->broken == 0;
}

/* The protocol could go on in this direction, but who has called flow_dealloc() reads nothing more. */
static ssize_t write_once(struct stream *s, const void *buf, size_t n)
{
        int64_t now_ns = enter(s);
        int     r      = frct_peer_done(s->engine) ? -EFLOWDOWN : frct_write(s->engine, buf, n, now_ns);

        if (r == 0)
                put_out(s, now_ns);
        return r < 0 ? r : (ssize_t)n;
}

ssize_t stream_write(struct stream *s, const void *buf, size_t n, uint32_t *ticket)
{
        ssize_t r;

        pthread_mutex_lock(&s->lock);
        do
                r = write_once(s, buf, n);
        while (again(s, r, ticket));
        pthread_mutex_unlock(&s->lock);
        return r;
}

static ssize_t read_first(struct stream *s, void *buf, size_t n, bool whole)
{
        size_t left = s->first_len - s->first_at;

        if (n < left && whole)
                return -EMSGSIZE;
        if (n > left)
                n = left;
        memcpy(buf, s->first + s->first_at, n);
        s->first_at += n;
        s->between = s->first_at == s->first_len;
        if (s->between)
                drop_first(s);
        return (ssize_t)n;
}

static ssize_t read_engine(struct stream *s, void *buf, size_t n, bool whole, int64_t now_ns)
{
        ptrdiff_t left = frct_look(s->engine);

        if (left <= 0)
                return left == 0 ? -EAGAIN : left;
        if (n < (size_t)left && whole)
                return -EMSGSIZE;
        s->between = n >= (size_t)left;
        n          = frct_read(s->engine, buf, n, now_ns);
        put_out(s, now_ns); /* the window may have opened */
        return (ssize_t)n;
}

static ssize_t read_once(struct stream *s, void *buf, size_t n, bool whole)
{
        int64_t now_ns;

        if (has_first(s) || frct_look(s->engine) > 0)
                now_ns = clock_now_ns();
        else
                now_ns = enter(s);
        return has_first(s) ? read_first(s, buf, n, whole) : read_engine(s, buf, n, whole, now_ns);
}

ssize_t stream_read(struct stream *s, void *buf, size_t n, bool whole, uint32_t *ticket)
{
        ssize_t r;

        pthread_mutex_lock(&s->lock);
        do
                r = read_once(s, buf, n, whole);
        while (again(s, r, ticket));
        pthread_mutex_unlock(&s->lock);
        return r;
}

int stream_look(struct stream *s)
{
        int r;

        pthread_mutex_lock(&s->lock);
        r = look(s);
        if (r == -EAGAIN) {
                enter(s);
                r        = look(s);
                s->shown = true; /* or nobody would have come to look: show() takes it back, whoever rang */
        }
        pthread_mutex_unlock(&s->lock);
        return r;
}

int stream_sleep(struct stream *s, uint32_t ticket, int64_t deadline_ns)
{
        int64_t now_ns = clock_now_ns();
        int64_t wake_ns;
        int     r;

        pthread_mutex_lock(&s->lock);
        wake_ns = due_ns(s, now_ns);
        pthread_mutex_unlock(&s->lock);
        if (wake_ns <= deadline_ns) {
                (void)port_rx_sleep_on(s->port, ticket, wake_ns);
                return 0;
        }
        r = port_rx_sleep_on(s->port, ticket, deadline_ns);
        return r == -ETIMEDOUT ? r : 0;
}

void stream_awake(struct stream *s)
{
        pthread_mutex_lock(&s->lock);
        s->asleep--;
        port_rx_awake(s->port);
        pthread_mutex_unlock(&s->lock);
}

void stream_leave(struct stream *s)
{
        int64_t now_ns = clock_now_ns();
        int64_t due;

        pthread_mutex_lock(&s->lock);
        port_rx_enter_uncalled(s->port); /* a bell that rings for nothing calls the service thread */
        if (s->asleep > 0) {
                turn(s, now_ns);
                due = due_ns(s, now_ns);
        } else {
                due = turn_alone(s, now_ns);
        }
        show(s);
        service_due(&s->served, due);
        pthread_mutex_unlock(&s->lock);
}

static int finish_once(struct stream *s)
{
        int64_t now_ns = enter(s);
        int     r      = frct_fin(s->engine, now_ns);

        put_out(s, now_ns);
        if (r == 0 && s->linger && s->broken == 0 && !frct_is_quiet(s->engine))
                r = -EAGAIN;
        return r;
}

int stream_finish(struct stream *s, uint32_t *ticket)
{
        int r;

        pthread_mutex_lock(&s->lock);
        do
                r = finish_once(s);
        while (again(s, r, ticket));
        pthread_mutex_unlock(&s->lock);
        return r;
}

void stream_greet(struct stream *s, bool wakes)
{
        pthread_mutex_lock(&s->lock);
        (void)outbox_say(s->out, s->port, RECORD_KEEPALIVE, wakes);
        pthread_mutex_unlock(&s->lock);
}

bool stream_between(struct stream *s)
{
        bool between;

        pthread_mutex_lock(&s->lock);
        between = s->between;
        pthread_mutex_unlock(&s->lock);
        return between;
}

/* -- settings and facts --------------------------------------------------------------- */

uint32_t stream_flags(struct stream *s)
{
        return (frct_is_reliable(s->engine) ? FRCTFRTX : 0) | FRCTFRESCNTL | (s->linger ? FRCTFLINGER : 0);
}

int stream_set_flags(struct stream *s, uint32_t flags)
{
        uint32_t fixed = stream_flags(s) & ~(uint32_t)FRCTFLINGER;

        if ((flags & ~(uint32_t)FRCTFLINGER) != fixed)
                return -EINVAL;
        pthread_mutex_lock(&s->lock);
        s->linger = flags & FRCTFLINGER;
        pthread_mutex_unlock(&s->lock);
        return 0;
}

void stream_stats(struct stream *s, struct frct_stats *out)
{
        pthread_mutex_lock(&s->lock);
        frct_stats(s->engine, out);
        pthread_mutex_unlock(&s->lock);
}

uint64_t stream_wakes(struct stream *s)
{
        uint64_t wakes;

        pthread_mutex_lock(&s->lock);
        wakes = s->port->wakes;
        pthread_mutex_unlock(&s->lock);
        return wakes;
}

bool stream_is_down(struct stream *s)
{
        bool down;

        pthread_mutex_lock(&s->lock);
        down = frct_is_over(s->engine);
        pthread_mutex_unlock(&s->lock);
        return down;
}

bool stream_confirmed(struct stream *s)
{
        bool confirmed;

        pthread_mutex_lock(&s->lock);
        confirmed = s->in != NULL && inbox_confirmed(s->in);
        pthread_mutex_unlock(&s->lock);
        return confirmed;
}
