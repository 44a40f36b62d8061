#include "operf/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "common/clock.h"
#include "operf/units.h"

#define EVERY_NS (500 * NS_PER_MS)

void progress_start(struct progress *p, bool wanted, size_t size, int64_t now_ns)
{
        *p = (struct progress){
                .on = wanted && isatty(STDERR_FILENO), .size = size, .start_ns = now_ns, .shown_ns = now_ns};
}

void progress_show(struct progress *p, int64_t now_ns, uint64_t n)
{
        const double s = (double)(now_ns - p->shown_ns) / NS_PER_S;
        double       per_s;
        char         rate[UNITS_ROOM], bits[UNITS_ROOM];

        if (!p->on || now_ns - p->shown_ns < EVERY_NS)
                return;
        per_s = (double)(n - p->shown) / s;
        fprintf(stderr, "\r\033[K%6.1f s  %s/s", (double)(now_ns - p->start_ns) / NS_PER_S,
                units_put(rate, per_s, ""));
        if (p->size > 0)
                fprintf(stderr, "  %s/s", units_put(bits, per_s * 8 * (double)p->size, "bit"));
        p->shown_ns = now_ns;
        p->shown    = n;
}

void progress_end(const struct progress *p)
{
        if (p->on)
                fputs("\r\033[K", stderr);
}
