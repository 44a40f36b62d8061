#include "knob.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MS_MAX 3600000.0
#define ANY    1e15

static const struct {
        const char *name;
        double      max;
} kinds[KNOB_N] = {
        [DELAY_MS]      = {"delay_ms", MS_MAX},
        [JITTER_MS]     = {"jitter_ms", MS_MAX},
        [KEEP_ORDER]    = {"keep_order", 1},
        [RATE]          = {"rate", ANY},
        [QUEUE_BYTES]   = {"queue_bytes", ANY},
        [QUEUE_PACKETS] = {"queue_packets", ANY},
        [ECN_BYTES]     = {"ecn_bytes", ANY},
        [ECN_PACKETS]   = {"ecn_packets", ANY},
        [LOSS]          = {"loss", 100},
        [BURST_P]       = {"burst_p", 100},
        [BURST_R]       = {"burst_r", 100},
        [DUP]           = {"dup", 100},
        [REORDER]       = {"reorder", 100},
        [REORDER_MS]    = {"reorder_ms", MS_MAX},
        [CORRUPT]       = {"corrupt", 100},
        [DOWN]          = {"down", 1},
};

const char *knob_name(enum knob k)
{
        return kinds[k].name;
}

enum knob knob_find(const char *name, size_t len)
{
        for (enum knob k = 0; k < KNOB_N; k++)
                if (strlen(kinds[k].name) == len && memcmp(kinds[k].name, name, len) == 0)
                        return k;
        return KNOB_N;
}

static double unit(const char **end)
{
        static const struct {
                char   letter;
                double times;
        } units[] = {{'k', 1e3}, {'M', 1e6}, {'G', 1e9}};

        for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
                if (**end == units[i].letter) {
                        ++*end;
                        return units[i].times;
                }
        }
        return 1;
}

bool knob_number(const char *text, double *out)
{
        char       *end;
        const char *rest;

        errno = 0;
        *out  = strtod(text, &end);
        rest  = end;
        if (end == text || errno != 0)
                return false;
        *out *= unit(&rest);
        return *rest == '\0';
}

bool knob_fits(enum knob k, double v)
{
        return v >= 0 && v <= kinds[k].max; /* no NaN does */
}

double knob_max(enum knob k)
{
        return kinds[k].max;
}
