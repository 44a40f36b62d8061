/* order.h - where a numbered message stands among those that came before it. */
#ifndef O7S_TOOLS_ORDER_H
#define O7S_TOOLS_ORDER_H

#include <stdint.h>

/* Zeros are a good start. */
struct order {
        uint64_t next; /* one above the highest number that came   */
        uint64_t seen; /* bit i: number next - 1 - i came          */
};

enum order_place {
        ORDER_FORWARD, /* higher than all before                   */
        ORDER_LATE,    /* after one with a higher number           */
        ORDER_TWICE    /* came before                              */
};

/* Notes @number, counted from 0. One 64 or more below the highest is never taken for a copy. */
enum order_place order_enter(struct order *o, uint64_t number);

#endif
