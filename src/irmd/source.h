/*
 * source.h - where handshakes come from, as a layer says it: who has proved to be somebody in the last hour is known,
 * and nobody has more than his share under way. Pure counting; a bounded table, in which the oldest gives way.
 */
#ifndef O7S_IRMD_SOURCE_H
#define O7S_IRMD_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SOURCE_LEN 40u

/* An opaque tag: "uid:1000", or what an IPCP says (an address); padded with zeros. */
struct source_tag {
        char bytes[SOURCE_LEN];
};

struct sources;

/* @max sources are remembered; one may have @share handshakes under way. NULL: out of memory. */
struct sources *sources_create(size_t max, size_t share);
void            sources_destroy(struct sources *s); /* takes NULL */

/* One handshake begins. False: it has its share (or all of the table is busy). True: end it by source_leave(). */
bool source_enter(struct sources *s, const struct source_tag *t);
void source_leave(struct sources *s, const struct source_tag *t);

/* A request of it was verified. */
void source_verified(struct sources *s, const struct source_tag *t, int64_t now_ns);

/* Whether one was in the last hour. */
bool source_known(struct sources *s, const struct source_tag *t, int64_t now_ns);

#endif
