#include "ipcpd/shim/pump_parts.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

/*
 * A reader who sleeps is called at the end of a batch, or as soon as this much of the ring waits for it: else
 * a large batch fills the ring before anybody begins to empty it.
 */
#define UNSEEN_MAX (PORT_RING_SIZE / 4)

void pump_in_flush(struct pump_flow *f)
{
        if (!f->fed)
                return;
        TAILQ_REMOVE(&f->pump->fed, f, in_fed);
        f->fed    = false;
        f->unseen = 0;
        if (!f->broken)
                port_flush(&f->port);
}

static void put(struct pump_flow *f, uint8_t *to, const uint8_t *packet, size_t len)
{
        memcpy(to, packet, len);
        port_add(&f->port, len, len);
        f->facts.packets_in++;
        f->facts.bytes_in += len;
        f->unseen += len;
        if (!f->fed) {
                f->fed = true;
                TAILQ_INSERT_TAIL(&f->pump->fed, f, in_fed);
        }
        if (f->unseen >= UNSEEN_MAX)
                pump_in_flush(f);
}

/*
 * A ring that is full has a reader who may have been waiting for our processor since we began with the batch. It
 * gets it once a batch: whoever does not read costs us no more than that.
 */
static int reserve(struct pump_flow *f, size_t len, uint8_t **to)
{
        int r = port_reserve(&f->port, len, false, to);

        if (r != -EAGAIN || f->pump->yielded)
                return r;
        pump_in_flush(f);
        f->pump->yielded = true;
        sched_yield();
        return port_reserve(&f->port, len, false, to);
}

void pump_in(struct pump_flow *f, const uint8_t *packet, size_t len)
{
        uint8_t *to;

        if (f->ended || f->broken)
                return;
        switch (reserve(f, len, &to)) {
        case 0: put(f, to, packet, len); break;
        case -EAGAIN:
                f->facts.full++;
                pump_in_flush(f);
                break;
        case -EMSGSIZE: f->facts.unfit++; break;
        case -EPROTO: pump_out_break(f); break; /* @f may be gone */
        default: break;                         /* the application has gone; the owner will hear of it */
        }
}

void pump_batch(struct pump *p)
{
        p->yielded = false;
        while (!TAILQ_EMPTY(&p->fed))
                pump_in_flush(TAILQ_FIRST(&p->fed));
}
