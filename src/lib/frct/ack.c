#include "frct/ack.h"

#include "base/clock.h"

#define EARLY_EVERY 2u /* of the first ACK_EARLY */

void ack_init(struct ack *a)
{
        *a = (struct ack){.due_ns = CLOCK_NEVER};
}

void ack_begin(struct ack *a)
{
        *a = (struct ack){.due_ns = CLOCK_NEVER, .marks = a->marks};
}

static void due(struct ack *a, int64_t at_ns)
{
        if (at_ns < a->due_ns)
                a->due_ns = at_ns;
}

static void note_stamp(struct ack *a, uint32_t stamp, int64_t now_ns)
{
        if (a->any && (int32_t)(stamp - a->echo) <= 0 && now_ns - a->echo_ns < ACK_ECHO_NS)
                return;
        a->any     = true;
        a->echo    = stamp;
        a->echo_ns = now_ns;
}

static void note_twice(struct ack *a, uint64_t seq)
{
        struct range *t = &a->twice;

        if (t->from == t->to || seq + 1 < t->from || seq > t->to)
                *t = (struct range){seq, seq + 1};
        else if (seq < t->from)
                t->from = seq;
        else if (seq == t->to)
                t->to++;
}

void ack_data(struct ack *a, uint64_t seq, uint32_t stamp, bool mark, bool at_once, bool dup, int64_t now_ns)
{
        bool first_mark = mark && !a->marked;

        note_stamp(a, stamp, now_ns);
        if (dup)
                note_twice(a, seq);
        a->newest = seq;
        a->marked = mark;
        a->marks  = (uint16_t)(a->marks + mark);
        a->seen++;
        a->waiting++;
        if (at_once || dup || first_mark || a->waiting >= (a->seen <= ACK_EARLY ? EARLY_EVERY : ACK_EVERY))
                due(a, now_ns);
        else
                due(a, clock_after(now_ns, ACK_DELAY_NS));
}

void ack_probe(struct ack *a, uint32_t stamp, int64_t now_ns)
{
        note_stamp(a, stamp, now_ns);
        due(a, now_ns);
}

void ack_window(struct ack *a, int64_t now_ns)
{
        if (a->any)
                due(a, now_ns);
}

void ack_made(struct ack *a)
{
        a->due_ns  = CLOCK_NEVER;
        a->waiting = 0;
        a->twice   = (struct range){0, 0};
}

uint32_t ack_delay_us(const struct ack *a, int64_t now_ns)
{
        int64_t us = (now_ns - a->echo_ns) / NS_PER_US;

        return us < 0 ? 0 : us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}
