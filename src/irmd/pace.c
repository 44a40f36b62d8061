#include "pace.h"

#include "base/clock.h"

#define QUICK_NS (250 * NS_PER_US) /* the delay that handing over brings, about */
#define TURN_NS  (500 * NS_PER_US) /* of one turn                    */
#define WEIGHT   8                 /* of the past, when it was worse */

void pace_turn(struct pace *p)
{
        p->spent_ns = 0;
}

/* More than any, when it is not known. */
static int64_t cost_ns(const struct pace *p, enum suite s, enum pace_kind kind)
{
        if (kind == PACE_N)
                return 0;
        return p->mean_ns[kind][s] > 0 ? p->mean_ns[kind][s] : TURN_NS;
}

bool pace_now(const struct pace *p, enum suite s, enum pace_kind kind, enum pace_kind also)
{
        int64_t ns = cost_ns(p, s, kind) + cost_ns(p, s, also);

        return ns <= QUICK_NS && p->spent_ns + ns <= TURN_NS;
}

void pace_took(struct pace *p, enum suite s, enum pace_kind kind, int64_t ns, bool here)
{
        int64_t *mean = &p->mean_ns[kind][s];

        *mean = *mean == 0 || ns > *mean ? ns : (*mean * (WEIGHT - 1) + ns) / WEIGHT;
        if (*mean == 0)
                *mean = 1;
        if (here)
                p->spent_ns += ns;
}
