/* report.h - results as rows of a table on stdout, for people, and as JSON lines, for programs. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "contest.h"
#include "options.h"

/* What the rows' columns mean; in JSON, the machine. */
void report_head(const struct options *o);

void report_contest(const struct contest *c, const struct options *o, const struct outcome *out);

/* One figure that is compared with nothing. */
void report_fact(const struct options *o, const char *bench, const char *what, double value,
                 const char *unit);

#endif
