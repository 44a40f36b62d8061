/* qos.h - qualities of service by the names that they have on command lines. */
#ifndef O7S_TOOLS_QOS_H
#define O7S_TOOLS_QOS_H

#include <ouroboros/qos.h>

struct qos_choice {
        const char      *name;
        const qosspec_t *spec;
};

/* All names, for help and complaints. */
#define QOS_NAMES "raw, raw_no_errors, best_effort, video, voice, data"

/* Takes '-' for '_', and "best" for "best_effort". NULL: no such name. */
const struct qos_choice *qos_find(const char *name);

#endif
