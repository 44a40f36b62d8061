/* report.h - what came out of a test, for people or for programs. */
#ifndef O7S_TOOLS_OPERF_REPORT_H
#define O7S_TOOLS_OPERF_REPORT_H

#include <ouroboros/fccntl.h>

#include "operf/count.h"
#include "operf/histogram.h"
#include "operf/operf.h"

/* DATA in one direction. */
struct way {
        bool         known; /* the receiver has said */
        struct tally at;    /* at the receiver; but sent is by the sender */
};

struct result {
        const char      *error;    /* what ended the test early, or NULL       */
        int64_t          time_ns;  /* of the whole test                        */
        struct way       up, down; /* uni, bi: to the server and from it       */
        uint64_t         sent;     /* rr, crr: requests, or flows that began   */
        uint64_t         answered; /* of them                                  */
        struct histogram latency;  /* of the answered                          */
        struct flow_peer peer;
        struct flow_info flow;
};

/* Whether something came back. */
bool report_is_good(const struct result *r, enum test test);

/* Both print to stdout. False: that failed. */
bool report_text(const struct result *r, const struct options *o);
bool report_json(const struct result *r, const struct options *o);

const char *report_test_name(enum test test);

#endif
