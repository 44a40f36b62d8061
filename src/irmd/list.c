#include "list.h"

#include "loop/chan.h"

static void send_batch(struct list *l, bool more)
{
        l->bytes += irm__reply__get_packed_size(l->reply) + FRAME_HDR;
        chan_allow(l->proc->chan, l->bytes + FRAME_MAX);
        proc_answer(l->proc, l->id, l->reply, more, NULL, 0);
        l->clear(l);
        *l->n = 0;
}

void list_added(struct list *l)
{
        if (++*l->n == LIST_BATCH)
                send_batch(l, true);
}

void list_send(struct list *l)
{
        if (*l->n > 0)
                send_batch(l, true);
}

void list_end(struct list *l)
{
        send_batch(l, false);
}
