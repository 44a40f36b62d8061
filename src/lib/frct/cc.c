/*
 * cc.c - the controllers by kind and by name, what they have in common at the beginning, and the one that
 * does nothing.
 */
#include "frct/cc.h"

#include <assert.h>
#include <string.h>

static const struct cc_ops *const controllers[CC_N] = {
        [CC_NONE]  = &cc_none,
        [CC_CUBIC] = &cc_cubic,
        [CC_BBR]   = &cc_bbr,
};

/*
 * Nothing is known of the path: RFC 6928's window, and no pacing, since there is no time to spread it over.
 */
void cc_init(struct cc *c, enum cc_kind kind, uint64_t packet, uint64_t seed, int64_t now_ns)
{
        assert((unsigned)kind < CC_N && packet > 0);
        memset(c, 0, sizeof(*c));
        c->ops    = controllers[kind];
        c->packet = packet;
        c->cwnd   = CC_INITIAL_PACKETS * packet;
        c->random = seed;
        c->ops->init(c, now_ns);
}

enum cc_kind cc_by_name(const char *name)
{
        unsigned kind = 0;

        while (kind < CC_N && strcmp(name, controllers[kind]->name) != 0)
                kind++;
        return (enum cc_kind)kind;
}

/* -- none ------------------------------------------------------------------- */

/* As wide as can be, and still so far from the end that sums do not wrap. */
static void none_init(struct cc *c, int64_t now_ns)
{
        (void)now_ns;
        c->cwnd = UINT64_MAX >> 1;
}

static void none_sent(struct cc *c, uint64_t bytes, uint64_t in_flight, bool idle, int64_t now_ns)
{
        (void)c;
        (void)bytes;
        (void)in_flight;
        (void)idle;
        (void)now_ns;
}

static void none_acked(struct cc *c, const struct cc_ack *a, const struct rtt *r)
{
        (void)c;
        (void)a;
        (void)r;
}

static void none_lost(struct cc *c, const struct cc_loss *l)
{
        (void)c;
        (void)l;
}

static void none_marked(struct cc *c, uint64_t packets, uint64_t in_flight, int64_t now_ns, uint64_t next)
{
        (void)c;
        (void)packets;
        (void)in_flight;
        (void)now_ns;
        (void)next;
}

static void none_in_flight(struct cc *c, uint64_t in_flight, int64_t now_ns)
{
        (void)c;
        (void)in_flight;
        (void)now_ns;
}

static void none_undo(struct cc *c, int64_t now_ns)
{
        (void)c;
        (void)now_ns;
}

const struct cc_ops cc_none = {
        .name      = "none",
        .init      = none_init,
        .sent      = none_sent,
        .acked     = none_acked,
        .lost      = none_lost,
        .marked    = none_marked,
        .timeout   = none_in_flight,
        .recovered = none_in_flight,
        .undo      = none_undo,
};
