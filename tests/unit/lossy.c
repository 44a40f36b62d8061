#include "lossy.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "crypt/suite.h"
#include "dev/arrive.h"
#include "dev/inbox.h"
#include "dev/outbox.h"
#include "dev/process.h"
#include "dev/stream.h"
#include "pair.h"
#include "random.h"
#include "shm/bell.h"

#define PACKET 1400u
#define HELD   4096u /* packets under way in a direction */

struct held {
        int64_t due_ns;
        size_t  len;
        uint8_t bytes[PACKET + 64];
};

struct way {
        struct held *held;
        size_t       n;
};

struct lossy {
        struct lossy_conf conf;
        struct port       port[2]; /* the relay's side of each end's port */
        struct way        way[2];  /* from that port */
        atomic_bool       cut, stall, stop, hang_up[2];
        bool              hung_up[2];
        uint64_t          random;
        pthread_t         thread;
        bool              runs;
};

/* -- the relay ---------------------------------------------------------------- */

static bool chance(struct lossy *l, unsigned per_mille)
{
        return random_below(&l->random, 1000) < per_mille;
}

static void hold(struct lossy *l, struct way *w, const uint8_t *p, size_t len, int64_t now_ns)
{
        struct held *h;

        if (w->n == HELD || len > sizeof(h->bytes))
                return;
        h         = &w->held[w->n++];
        h->due_ns = now_ns + l->conf.delay_ns + (chance(l, l->conf.late) ? 2 * NS_PER_MS : 0);
        h->len    = len;
        memcpy(h->bytes, p, len);
        if (chance(l, l->conf.damage))
                h->bytes[random_below(&l->random, len)] ^= (uint8_t)(1u << random_below(&l->random, 8));
}

static void take_in(struct lossy *l, unsigned side, int64_t now_ns)
{
        const uint8_t *p;
        size_t         len;
        int            r;

        while ((r = port_look(&l->port[side], &p, &len)) == 0) {
                if (!atomic_load(&l->cut) && !chance(l, l->conf.loss)) {
                        hold(l, &l->way[side], p, len, now_ns);
                        if (chance(l, l->conf.dup))
                                hold(l, &l->way[side], p, len, now_ns);
                }
                port_pop(&l->port[side]);
        }
        if (r != -EAGAIN && l->conf.tells)
                atomic_store(&l->hang_up[side], true);
        (void)port_rx_rest(&l->port[side]); /* gives the room back */
}

/* What is due goes to the other end, in the order in which it is due as far as that was put in. */
static void put_out(struct lossy *l, unsigned side, int64_t now_ns)
{
        struct way *w    = &l->way[side];
        size_t      left = 0;

        for (size_t i = 0; i < w->n; i++) {
                if (w->held[i].due_ns <= now_ns)
                        (void)port_write(&l->port[!side], w->held[i].bytes, w->held[i].len);
                else if (left++ != i)
                        w->held[left - 1] = w->held[i];
        }
        w->n = left;
}

static void hang_up(struct lossy *l, unsigned side)
{
        if (!atomic_load(&l->hang_up[side]) || l->hung_up[side] || l->way[side].n > 0)
                return;
        l->hung_up[side] = true;
        port_end(&l->port[!side]);
}

static void *run(void *arg)
{
        struct lossy *l = arg;

        while (!atomic_load(&l->stop)) {
                int64_t now_ns = clock_now_ns();

                for (unsigned side = 0; side < 2 && !atomic_load(&l->stall); side++) {
                        take_in(l, side, now_ns);
                        put_out(l, side, now_ns);
                        hang_up(l, side);
                }
                usleep(50);
        }
        return NULL;
}

/* -- the ends ------------------------------------------------------------------- */

static struct flow *flow_of(const struct lossy_conf *c, unsigned side)
{
        const struct pair_side *seal = &pair_sealed[side];
        struct flow            *f    = calloc(1, sizeof(*f));
        struct stream_conf      s    = {
                        .frct = {.packet     = PACKET - RECORD_OVERHEAD,
                                 .overhead   = 0,
                                 .mpl_ns     = 10 * NS_PER_MS,
                                 .timeout_ns = c->timeout_ms * NS_PER_MS,
                                 .reliable   = c->reliable,
                                 .cc         = CC_BBR,
                                 .seed       = c->seed + side},
        };

        if (f == NULL)
                return NULL;
        f->qos         = c->reliable ? qos_data : qos_best_effort;
        f->ipcp_type   = IPCP_LOCAL;
        f->client      = side == 0;
        f->suite       = c->sealed ? SUITE_P384 : SUITE_PLAIN;
        f->max_message = FRCT_MESSAGE_MAX;
        if (side == 1 && c->first != NULL) {
                s.first     = c->first;
                s.first_len = strlen(c->first);
                s.hold      = c->sealed;
        }
        if (c->sealed) {
                s.out = f->out = outbox_create(seal->send);
                s.in = f->in = inbox_create(INBOX_SEALED, seal->recv, NULL, 0, false);
        }
        f->stream = stream_create(&s);
        return f;
}

static int put_end(const struct lossy_conf *c, unsigned side, int memfd, int bell, int peer_bell)
{
        struct flow *f = flow_of(c, side);
        struct slot *s;
        int          p[2];
        int          r;

        if (f == NULL || pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0)
                return -1;
        close(p[1]);
        r = arrive_slot(p[0], &s);
        if (r < 0)
                return r;
        r = slot_open_stream(s, f, NULL, memfd, 0, bell, peer_bell, p[0]);
        if (r == 0 && side == 0 && c->sealed)
                slot_greet(s, c->first != NULL);
        slot_unlock(s);
        return r < 0 ? r : p[0];
}

/* Memory and bells of one end: of side 0 the end's, of side 1 the relay's. */
struct wire {
        int         memfd;
        struct bell bell[2];
};

static bool wire_create(struct wire *w)
{
        *w = (struct wire){.memfd = port_create(), .bell = {BELL_NONE, BELL_NONE}};
        if (w->memfd < 0 || bell_create(&w->bell[0]) < 0 || bell_create(&w->bell[1]) < 0)
                return false;
        fd_close(&w->bell[0].keeper);
        fd_close(&w->bell[1].keeper);
        return true;
}

/* The two sides of it, each once in all, in the process where it is to be. */
static int wire_end(struct wire *w, const struct lossy_conf *conf, unsigned side)
{
        return put_end(conf, side, w->memfd, w->bell[0].own, w->bell[1].other);
}

static bool wire_relay(struct wire *w, struct port *p)
{
        return port_open(p, w->memfd, 1, w->bell[1].own, w->bell[0].other) == 0;
}

static struct lossy *create(const struct lossy_conf *conf, struct wire wire[2])
{
        struct lossy *l = calloc(1, sizeof(*l));

        process_prepare();
        if (l == NULL)
                return NULL;
        l->conf   = *conf;
        l->random = conf->seed;
        for (unsigned side = 0; side < 2; side++) {
                l->way[side].held = calloc(HELD, sizeof(struct held));
                if (l->way[side].held == NULL || !wire_create(&wire[side]))
                        return NULL;
        }
        return l;
}

/* The relay has its sides of both. */
static bool start(struct lossy *l, struct wire wire[2])
{
        for (unsigned side = 0; side < 2; side++) {
                if (!wire_relay(&wire[side], &l->port[side]))
                        return false;
                close(wire[side].memfd);
        }
        l->runs = pthread_create(&l->thread, NULL, run, l) == 0;
        return l->runs;
}

struct lossy *lossy_open(const struct lossy_conf *conf, int fd[2])
{
        struct wire   wire[2];
        struct lossy *l = create(conf, wire);

        for (unsigned side = 0; l != NULL && side < 2; side++) {
                fd[side] = wire_end(&wire[side], conf, side);
                if (fd[side] < 0)
                        return NULL;
        }
        return l != NULL && start(l, wire) ? l : NULL;
}

/* Only the server's end is there; the relay's bells must not keep it from seeing that we are gone. */
static void be_server(const struct lossy_conf *conf, struct wire wire[2], int (*serve)(int fd))
{
        int fd = wire_end(&wire[1], conf, 1);

        fd_close(&wire[1].bell[0].other);
        fd_close(&wire[1].bell[1].own);
        for (unsigned i = 0; i < 2; i++)
                bell_close(&wire[0].bell[i]);
        _exit(fd < 0 ? 1 : serve(fd));
}

struct lossy *lossy_fork(const struct lossy_conf *conf, int *fd, pid_t *pid, int (*serve)(int fd))
{
        struct wire   wire[2];
        struct lossy *l = create(conf, wire);

        if (l == NULL)
                return NULL;
        *pid = fork();
        if (*pid == 0)
                be_server(conf, wire, serve);
        fd_close(&wire[1].bell[0].own);
        fd_close(&wire[1].bell[1].other);
        *fd = *pid < 0 ? -1 : wire_end(&wire[0], conf, 0);
        return *fd >= 0 && start(l, wire) ? l : NULL;
}

void lossy_cut(struct lossy *l, bool cut)
{
        atomic_store(&l->cut, cut);
}

void lossy_stall(struct lossy *l, bool stall)
{
        atomic_store(&l->stall, stall);
}

void lossy_hang_up(struct lossy *l, unsigned side)
{
        atomic_store(&l->hang_up[side], true);
}

void lossy_close(struct lossy *l)
{
        atomic_store(&l->stop, true);
        pthread_join(l->thread, NULL);
        for (unsigned side = 0; side < 2; side++) {
                port_close(&l->port[side]);
                free(l->way[side].held);
        }
        free(l);
}
