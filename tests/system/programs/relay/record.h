/* record.h - what passed, as a capture file (pcap, times in nanoseconds) that tests and tools can read. */
#ifndef O7S_RELAY_RECORD_H
#define O7S_RELAY_RECORD_H

#include <stdbool.h>
#include <stdio.h>

#include "pool.h"

/* @frames: they are Ethernet's; otherwise of a type that only the user knows. NULL: errno says why. */
FILE *record_open(const char *path, bool frames);

/* Takes NULL for "nobody wants it". */
void record_put(FILE *f, const struct pkt *k);

#endif
