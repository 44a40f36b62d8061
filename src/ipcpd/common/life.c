#include "ipcpd/common/life.h"

#include "base/log.h"

/* Blank, which nothing leads to, is LIFE_STARTING. */
static const enum life next[LIFE_N][LIFE_EV_N] = {
        [LIFE_STARTING]    = {[LIFE_EV_START] = LIFE_READY, [LIFE_EV_LEAVE] = LIFE_LEAVING},
        [LIFE_READY]       = {[LIFE_EV_BOOTSTRAP] = LIFE_OPERATIONAL, [LIFE_EV_LEAVE] = LIFE_LEAVING},
        [LIFE_OPERATIONAL] = {[LIFE_EV_LEAVE] = LIFE_LEAVING},
};

static const char *const names[LIFE_N]     = {"starting", "ready", "operational", "leaving"};
static const char *const events[LIFE_EV_N] = {"start", "bootstrap", "leave"};

const char *life_name(enum life l)
{
        return names[l];
}

bool life_step(enum life *l, enum life_event ev)
{
        enum life to = next[*l][ev];

        if (to == LIFE_STARTING) {
                log_dbg("%s is ignored when %s", events[ev], names[*l]);
                return false;
        }
        log_info("%s -> %s on %s", names[*l], names[to], events[ev]);
        *l = to;
        return true;
}
