#include "operf/rate.h"

#include <stdlib.h>
#include <string.h>

static double unit_of(const char **s)
{
        switch (**s) {
        case 'k':
        case 'K': (*s)++; return 1e3;
        case 'M': (*s)++; return 1e6;
        case 'G': (*s)++; return 1e9;
        default: return 1;
        }
}

bool rate_parse(const char *s, struct rate *r)
{
        size_t      digits = strspn(s, "0123456789.");
        const char *unit   = s + digits;
        char       *end;
        double      v;

        if (s[0] < '0' || s[0] > '9')
                return false;
        v = strtod(s, &end); /* no locale was chosen: the point is a point */
        if (end != unit || v <= 0 || v > 1e18)
                return false;
        v *= unit_of(&unit);
        if (*unit != '\0' && strcmp(unit, "bit") != 0)
                return false;
        *r = (struct rate){.per_s = v, .bits = *unit != '\0'};
        return true;
}

uint64_t rate_of(const struct rate *r, size_t size)
{
        double v = r->per_s * RATE_UNIT / (r->bits ? 8.0 * (double)size : 1.0);

        if (v < 1)
                return 1;
        return v < (double)RATE_TOP ? (uint64_t)(v + 0.5) : RATE_TOP;
}

int64_t rate_due_ns(uint64_t rate, uint64_t i)
{
        double ns = (double)i * 1e9 * RATE_UNIT / (double)rate;

        return ns < 9e18 ? (int64_t)ns : INT64_MAX / 2;
}
