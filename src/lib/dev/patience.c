#include "dev/patience.h"

bool hunch_try(struct hunch *h)
{
        if (h->skip == 0)
                return true;
        h->skip--;
        return false;
}

void hunch_learn(struct hunch *h, bool paid)
{
        h->gap  = paid ? 0 : h->gap >= HUNCH_GAP_MAX / 2 ? HUNCH_GAP_MAX : (uint16_t)(2 * h->gap + 1);
        h->skip = h->gap;
}

void patience_init(struct patience *p)
{
        *p = (struct patience){.budget_ns = SPIN_MAX_NS};
}

int64_t patience_budget_ns(struct patience *p)
{
        if (p->budget_ns > 0)
                return p->budget_ns;
        return p->probe.skip == 0 ? SPIN_MAX_NS : 0;
}

void patience_paid(struct patience *p, int64_t budget_ns)
{
        p->budget_ns = budget_ns < SPIN_MAX_NS / 2 ? 2 * budget_ns : SPIN_MAX_NS;
        hunch_learn(&p->probe, true);
}

void patience_wasted(struct patience *p, int64_t budget_ns, int64_t waited_ns)
{
        if (p->budget_ns > 0) {
                p->budget_ns = p->budget_ns / 2 < SPIN_MIN_NS ? 0 : p->budget_ns / 2;
                if (p->budget_ns == 0)
                        hunch_learn(&p->probe, false);
        } else if (budget_ns > 0) {
                hunch_learn(&p->probe, false);
        } else if (waited_ns < SPIN_FAR_NS) {
                (void)hunch_try(&p->probe);
        }
}
