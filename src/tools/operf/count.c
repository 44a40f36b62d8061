#include "operf/count.h"

void count_enter(struct count *c, uint64_t number, int64_t now_ns)
{
        enum order_place place = order_enter(&c->order, number);

        if (place == ORDER_TWICE) {
                c->duplicates++;
                return;
        }
        if (c->messages++ == 0)
                c->first_ns = now_ns;
        c->last_ns = now_ns;
        c->out_of_order += place == ORDER_LATE;
}

struct tally count_tally(const struct count *c, uint64_t sent)
{
        return (struct tally){.sent         = sent,
                              .messages     = c->messages,
                              .out_of_order = c->out_of_order,
                              .duplicates   = c->duplicates,
                              .span_ns      = c->last_ns - c->first_ns};
}

double tally_per_s(const struct tally *t)
{
        return t->messages > 1 && t->span_ns > 0 ? (double)(t->messages - 1) * 1e9 / (double)t->span_ns : 0;
}
