#include "operf/units.h"

#include <stddef.h>
#include <stdio.h>

const char *units_put(char *buf, double v, const char *what)
{
        static const char *const prefixes[] = {"", "k", "M", "G", "T"};
        size_t                   i          = 0;

        while (v >= 999.95 && i < sizeof(prefixes) / sizeof(prefixes[0]) - 1) {
                v /= 1000;
                i++;
        }
        if (i == 0 && what[0] == '\0')
                snprintf(buf, UNITS_ROOM, "%.4g", v);
        else
                snprintf(buf, UNITS_ROOM, "%.4g %s%.8s", v, prefixes[i], what);
        return buf;
}
