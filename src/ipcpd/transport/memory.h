/*
 * memory.h - ids of exchanges that are over, for a while, so that what comes late of them opens
 * nothing. The oldest give way.
 */
#ifndef O7S_IPCPD_TRANSPORT_MEMORY_H
#define O7S_IPCPD_TRANSPORT_MEMORY_H

#include "base/clock.h"
#include "ipcpd/transport/transport.h"
#include "ipcpd/transport/table.h"

#define MEMORY_IDS_MAX 65536u
#define MEMORY_NS      (60 * NS_PER_S)

enum memory_of {
        MEMORY_NONE,
        MEMORY_ANSWERED, /* we have answered it                            */
        MEMORY_FLOW,     /* we have asked, and it became a flow            */
        MEMORY_OVER      /* we have asked, and nobody here wants the answer */
};

struct memory_id;

/* Zero-initialised is empty. */
struct memory {
        struct memory_id *table; /* in the order of coming */
};

void memory_fini(struct memory *m);

/* Remembers @k from @now_ns on, as that and nothing else. Nothing happens if there is no memory. */
void memory_put(struct memory *m, const struct table_secret *s, int64_t now_ns, const struct transport_key *k,
                enum memory_of what);

enum memory_of memory_of(const struct memory *m, const struct table_secret *s, const struct transport_key *k);

/* Drops what is old enough at @now_ns; returns when the next is, or CLOCK_NEVER. */
int64_t memory_age(struct memory *m, int64_t now_ns);

size_t memory_count(const struct memory *m);

#endif
