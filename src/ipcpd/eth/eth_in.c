/* eth_in.c - frames that have come: what is ours goes up. */
#include <sys/socket.h>

#include "ipcpd/eth/eth_parts.h"

#define DRAIN_MAX 256u /* frames, before others on the loop have their turn */

/* A flow has one host at each end: its packets never go to all. */
static bool is_for_us(const struct eth *e, const struct eth_frame *h)
{
        bool to_us  = eth_mac_equal(h->dst, e->at.mac);
        bool to_all = eth_mac_equal(h->dst, eth_broadcast) && h->eid == 0;

        return (to_us || to_all) && h->ethertype == e->ethertype && !eth_mac_equal(h->src, e->at.mac);
}

static void receive(struct eth *e, const struct eth_seen *seen)
{
        struct rd        r = {seen->p, seen->p + seen->len, false};
        struct eth_frame h;
        struct link_addr from;

        if (!seen->whole || !e->kind->get(&r, &h) || !is_for_us(e, &h)) {
                e->counts.refused++;
                return;
        }
        e->counts.in++;
        from = eth_addr_of(h.src);
        if (h.eid == 0)
                e->up.control(e->up.ctx, &from, r.p, h.len);
        else
                e->up.data(e->up.ctx, &from, h.eid, r.p, h.len);
}

/* There was no memory for a ring: frames queue up at the socket and would wake us for ever. */
static size_t discard(struct eth *e)
{
        size_t n = 0;

        while (n < DRAIN_MAX && recv(e->fd, NULL, 0, MSG_DONTWAIT | MSG_TRUNC) >= 0)
                n++;
        e->counts.full += n;
        return n;
}

size_t eth_in_drain(void *ctx)
{
        struct eth     *e = ctx;
        struct eth_seen seen;
        size_t          n = 0;

        if (e->ring.mem == NULL)
                return discard(e);
        while (n < DRAIN_MAX && !e->closed && eth_ring_take(&e->ring, &seen)) {
                receive(e, &seen);
                eth_ring_give(&e->ring);
                n++;
        }
        if (n > 0 && !e->closed)
                e->up.batch(e->up.ctx);
        return n;
}
