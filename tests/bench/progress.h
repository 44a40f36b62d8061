/* progress.h - one line on a terminal that says how far it is; nothing where stderr is no terminal. */
#ifndef BENCH_PROGRESS_H
#define BENCH_PROGRESS_H

#include <stddef.h>

void progress(const char *what, size_t done, size_t of);
void progress_done(void); /* wipes it */

#endif
