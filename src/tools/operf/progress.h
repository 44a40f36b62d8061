/* progress.h - a line that shows how a test comes along, on a stderr that is a terminal and nowhere else. */
#ifndef O7S_TOOLS_OPERF_PROGRESS_H
#define O7S_TOOLS_OPERF_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
        bool     on;
        size_t   size; /* of a message, or 0 where bits say nothing */
        int64_t  start_ns, shown_ns;
        uint64_t shown; /* messages by then */
};

void progress_start(struct progress *p, bool wanted, size_t size, int64_t now_ns);

/* @n messages so far. Cheap where there is nothing to show yet. */
void progress_show(struct progress *p, int64_t now_ns, uint64_t n);

/* Wipes the line. */
void progress_end(const struct progress *p);

#endif
