/* count.h - the DATA that arrives at one side. No clock: its time goes in. */
#ifndef O7S_TOOLS_OPERF_COUNT_H
#define O7S_TOOLS_OPERF_COUNT_H

#include "common/order.h"
#include "operf/message.h"

/* Zeros are a good start. */
struct count {
        struct order order;
        uint64_t     messages, out_of_order, duplicates; /* duplicates are not among the messages */
        int64_t      first_ns, last_ns;
};

/* One with @number has come. */
void count_enter(struct count *c, uint64_t number, int64_t now_ns);

/* The same as figures to send or to show, with how many the side itself has @sent. */
struct tally count_tally(const struct count *c, uint64_t sent);

/* By time from the first message to the last: all but the first arrived in it. 0: cannot be said. */
double tally_per_s(const struct tally *t);

#endif
