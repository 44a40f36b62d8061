/* flows.h - what many open flows cost the daemons: memory, and processor time when nobody does anything. */
#ifndef BENCH_FLOWS_H
#define BENCH_FLOWS_H

#include "options.h"

int flows_run(const struct options *o);

#endif
