#include "operf/message.h"

#include "common/be.h"
#include "operf/rate.h"

#define MAGIC    UINT64_C(0x6f707266) /* "oprf" */
#define VERSION  1u
#define HEAD     8u
#define TIME_TOP UINT64_C(315576000000000000) /* ten years */

static uint8_t *put_head(uint8_t *buf, enum test test, enum message_kind kind)
{
        buf = be_put(buf, MAGIC, 4);
        buf = be_put(buf, VERSION, 1);
        buf = be_put(buf, kind, 1);
        buf = be_put(buf, test, 1);
        return be_put(buf, 0, 1);
}

enum message_kind message_kind(const uint8_t *buf, size_t len, enum test test)
{
        static const uint8_t lengths[] = {
                [MESSAGE_HELLO] = 28, [MESSAGE_READY] = 8,  [MESSAGE_DATA] = 24,
                [MESSAGE_DONE] = 8,   [MESSAGE_COUNT] = 48,
        };

        if (len < HEAD || be_get(buf, 4) != MAGIC || buf[4] != VERSION || buf[6] != test || buf[7] != 0)
                return MESSAGE_NONE;
        if (buf[5] < MESSAGE_HELLO || buf[5] > MESSAGE_COUNT || len < lengths[buf[5]])
                return MESSAGE_NONE;
        return buf[5];
}

size_t message_put_bare(uint8_t *buf, enum test test, enum message_kind kind)
{
        return (size_t)(put_head(buf, test, kind) - buf);
}

size_t message_put_hello(uint8_t *buf, const struct hello *h)
{
        uint8_t *p = put_head(buf, h->test, MESSAGE_HELLO);

        p = be_put(p, h->size, 4);
        p = be_put(p, h->rate, 8);
        p = be_put(p, (uint64_t)h->duration_ns, 8);
        return (size_t)(p - buf);
}

static bool is_possible(const struct hello *h)
{
        return h->size >= MESSAGE_MIN && h->size <= MESSAGE_MAX && h->rate <= RATE_TOP &&
               h->duration_ns > 0 && (uint64_t)h->duration_ns <= TIME_TOP;
}

bool message_get_hello(const uint8_t *buf, size_t len, struct hello *h)
{
        if (len < MESSAGE_MIN || buf[6] < TEST_UNI || buf[6] > TEST_CRR)
                return false;
        h->test = buf[6];
        if (message_kind(buf, len, h->test) != MESSAGE_HELLO)
                return false;
        h->size        = (uint32_t)be_get(buf + HEAD, 4);
        h->rate        = be_get(buf + 12, 8);
        h->duration_ns = (int64_t)be_get(buf + 20, 8);
        return is_possible(h);
}

size_t message_put_data(uint8_t *buf, enum test test, const struct data *d)
{
        uint8_t *p = put_head(buf, test, MESSAGE_DATA);

        p = be_put(p, d->number, 8);
        p = be_put(p, (uint64_t)d->time_ns, 8);
        return (size_t)(p - buf);
}

bool message_get_data(const uint8_t *buf, size_t len, enum test test, struct data *d)
{
        if (message_kind(buf, len, test) != MESSAGE_DATA)
                return false;
        d->number  = be_get(buf + HEAD, 8);
        d->time_ns = (int64_t)be_get(buf + 16, 8);
        return d->number <= INT64_MAX;
}

size_t message_put_count(uint8_t *buf, enum test test, const struct tally *t)
{
        uint8_t *p = put_head(buf, test, MESSAGE_COUNT);

        p = be_put(p, t->sent, 8);
        p = be_put(p, t->messages, 8);
        p = be_put(p, t->out_of_order, 8);
        p = be_put(p, t->duplicates, 8);
        p = be_put(p, (uint64_t)t->span_ns, 8);
        return (size_t)(p - buf);
}

bool message_get_count(const uint8_t *buf, size_t len, enum test test, struct tally *t)
{
        if (message_kind(buf, len, test) != MESSAGE_COUNT)
                return false;
        t->sent         = be_get(buf + HEAD, 8);
        t->messages     = be_get(buf + 16, 8);
        t->out_of_order = be_get(buf + 24, 8);
        t->duplicates   = be_get(buf + 32, 8);
        t->span_ns      = (int64_t)be_get(buf + 40, 8);
        return t->sent <= INT64_MAX && t->messages <= INT64_MAX && t->out_of_order <= t->messages &&
               t->duplicates <= INT64_MAX && t->span_ns >= 0 && (uint64_t)t->span_ns <= TIME_TOP;
}
