/*
 * quota.h - what the requests of each source, and of all, may hold here before they are answered.
 * Pure counting.
 *
 * A host has two accounts, one of which only who has proved that it is this host gets at: forged requests
 * cannot use up the share of the host whose address they bear.
 */
#ifndef O7S_IPCPD_TRANSPORT_QUOTA_H
#define O7S_IPCPD_TRANSPORT_QUOTA_H

#include "ipcpd/common/link_addr.h"
#include "ipcpd/transport/table.h"

#define SOURCE_REQUESTS_MAX 16u /* incomplete */
#define SOURCE_BYTES_MAX    (256u << 10)
#define SOURCES_BYTES_MAX   (16u << 20)

struct source; /* one host's account; lives as long as anything is counted on it */

/* Zero-initialised is empty. */
struct sources {
        struct source *table;
        size_t         bytes;
};

void sources_fini(struct sources *ss);

/*
 * Counts @bytes of a new request of the host of @from, which it has @proved or not. NULL: too much, or no
 * memory.
 */
struct source *source_enter(struct sources *ss, const struct table_secret *s, const struct link_addr *from,
                            bool proved, size_t bytes);

/* Counts more of it. */
bool source_take(struct sources *ss, struct source *o, size_t bytes);

/* One more request is incomplete. False: too many are. */
bool source_begin(struct source *o);
void source_complete(struct source *o);

/* Gives bytes back; with the last, @o is gone. */
void source_give(struct sources *ss, struct source *o, size_t bytes);

#endif
