#include "common/order.h"

#define WINDOW 64u

enum order_place order_enter(struct order *o, uint64_t number)
{
        uint64_t back;

        if (number >= o->next) {
                uint64_t by = number + 1 - o->next;

                o->seen = (by < WINDOW ? o->seen << by : 0) | 1;
                o->next = number + 1;
                return ORDER_FORWARD;
        }
        back = o->next - 1 - number;
        if (back >= WINDOW)
                return ORDER_LATE;
        if ((o->seen >> back & 1) != 0)
                return ORDER_TWICE;
        o->seen |= UINT64_C(1) << back;
        return ORDER_LATE;
}
