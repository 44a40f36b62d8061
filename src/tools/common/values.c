#include "common/values.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

bool value_number(const char *s, uint64_t min, uint64_t max, uint64_t *value)
{
        unsigned long long v;
        char              *end;

        if (s[0] < '0' || s[0] > '9')
                return false;
        errno = 0;
        v     = strtoull(s, &end, 10);
        if (errno != 0 || *end != '\0' || v < min || v > max)
                return false;
        *value = v;
        return true;
}

/* What one of a unit is in ns, or 0. */
static double unit_ns(const char *unit)
{
        static const struct {
                const char *name;
                double      ns;
        } units[] = {
                {"", 1e6}, {"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9},
        };

        for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
                if (strcmp(unit, units[i].name) == 0)
                        return units[i].ns;
        return 0;
}

bool value_time(const char *s, int64_t *ns)
{
        const double ten_years = 315576000e9;
        size_t       digits    = strspn(s, "0123456789.");
        double       v, unit = unit_ns(s + digits);
        char        *end;

        if (s[0] < '0' || s[0] > '9' || unit == 0)
                return false;
        v = strtod(s, &end); /* no locale was chosen: the point is a point */
        if (end != s + digits || v * unit > ten_years)
                return false;
        *ns = (int64_t)(v * unit + 0.5);
        return true;
}
