/* pattern.h - the patterns over typed identities that allow and deny are lists of (rule.h). */
#ifndef O7S_IRMD_OAP_PATTERN_H
#define O7S_IRMD_OAP_PATTERN_H

#include "oap/rule.h"

/* Why @pattern can match no identity at all, in words that follow it, or NULL. */
const char *pattern_fault(const char *pattern);

/* Adds a copy of @pattern, in the case that identities have. 0 or -ENOMEM. */
int  patterns_add(struct patterns *ps, const char *pattern);
void patterns_clear(struct patterns *ps);

#endif
