#include "dev/dealloc.h"

#include <errno.h>

#include <ouroboros/dev.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "dev/ask.h"
#include "dev/fset.h"
#include "dev/process.h"
#include "dev/shelf.h"
#include "dev/stream.h"
#include "dev/wait.h"
#include "pb/convert.h"

/* Tells irmd; nothing depends on it hearing that: the end of the process says the same. */
static void report(const struct flow *f)
{
        Irm__FlowDealloc m   = IRM__FLOW_DEALLOC__INIT;
        Irm__Request     req = IRM__REQUEST__INIT;

        if (f->rpc == NULL)
                return;
        m.flow_id        = f->id;
        req.verb_case    = IRM__REQUEST__VERB_FLOW_DEALLOC;
        req.flow_dealloc = &m;
        ask_post(f->rpc, &req);
}

/* Keeps the mapping for when the memory comes back. */
static void shelve(const struct flow *f, struct port_ctl *mapping)
{
        if (f->port_id != 0)
                shelf_put(&process.shelf, f->port_id, mapping);
        else
                port_unmap(mapping);
}

void dealloc_finish(struct slot *s)
{
        struct remains   r;
        struct port_ctl *mapping;

        if (!fset_take(s, &r))
                return;
        /*
         * The slot serves another flow as soon as its number is given out again, which is when the descriptor
         * is closed.
         */
        ask_free(r.ask);
        mapping = port_part(&r.port);
        port_forget(&r.port); /* one that was pending is nothing but a descriptor */
        if (r.flow != NULL) {
                /* Before irmd hears of it, and may give the memory to the next flow. */
                shelve(r.flow, mapping);
                report(r.flow);
        }
        flow_free(r.flow);
        fd_close(&r.front);
}

void dealloc_lost(struct slot *s)
{
        slot_lock(s);
        if (s->stream != NULL)
                s->front = -1;
        else
                s->port.bell = -1;
        (void)slot_end(s);
        slot_unlock(s);
        dealloc_finish(s);
}

/*
 * Until what was written has arrived, or will not. Other threads may go on reading. Which flow it was is
 * returned: another thread may have ended it meanwhile, and the number be another's.
 */
static uint32_t linger(struct slot *s)
{
        int64_t  deadline_ns = CLOCK_NEVER;
        uint32_t generation, ticket;
        int      r = 0;

        pthread_mutex_lock(&s->tx.lock);
        generation = s->generation;
        if (s->state == SLOT_OPEN && s->stream != NULL)
                deadline_ns = clock_after(clock_now_ns(), FRCT_R_NS);
        while (r == 0 && s->state == SLOT_OPEN && s->stream != NULL &&
               stream_finish(s->stream, &ticket) == -EAGAIN)
                r = wait_stream(s, &s->tx, ticket, deadline_ns);
        pthread_mutex_unlock(&s->tx.lock);
        return generation;
}

static int dealloc(struct slot *s)
{
        uint32_t generation;
        int      r;

        if (s == NULL)
                return -EBADF;
        generation = linger(s);
        slot_lock(s);
        r = s->generation == generation ? slot_end(s) : -EBADF;
        slot_unlock(s);
        dealloc_finish(s); /* also if another has ended it: he may have left that to us, who waited */
        return r;
}

O7S_API int flow_dealloc(int fd)
{
        return (int)err_return(dealloc(process_slot(fd)));
}
