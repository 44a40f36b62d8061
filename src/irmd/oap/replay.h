/*
 * replay.h - which signed requests were accepted, so that none is twice. Pure: time is an argument, the kept horizon
 * goes out by a call. doc/protocols/oap.md "Replay" is the argument why nothing is forgotten early.
 */
#ifndef O7S_IRMD_OAP_REPLAY_H
#define O7S_IRMD_OAP_REPLAY_H

#include <stddef.h>
#include <stdint.h>

#include "oap/reason.h"

#define REPLAY_KEY 16u

struct replay;

/*
 * @kept_ns: the value of the state directory, or 0: none; @now_ns: wall clock, ns since 1970; the skew allowed is
 * @skew_ns. @max entries; one identity may hold 1/16 of them. NULL: out of memory.
 */
struct replay *replay_create(size_t max, int64_t kept_ns, int64_t now_ns, int64_t skew_ns);
void           replay_destroy(struct replay *r); /* takes NULL */
void           replay_set_skew(struct replay *r, int64_t skew_ns);

/* OAP_OK, OAP_CLOCK or OAP_REPLAY, without changing anything but what time alone drops. */
enum oap_reason replay_look(struct replay *r, const uint8_t key[REPLAY_KEY], int64_t timestamp_ns,
                            int64_t now_ns);

/*
 * Test and set: the same, and OAP_BUSY; on OAP_OK it is remembered. @who is 16 bytes that name the identity. *@keep_ns
 * is set to the value that must be in the state directory before the request may be accepted, or to 0: nothing to write.
 * A request whose value cannot be written is refused.
 */
enum oap_reason replay_add(struct replay *r, const uint8_t key[REPLAY_KEY], const uint8_t who[16],
                           int64_t timestamp_ns, int64_t now_ns, int64_t *keep_ns);

/* @keep_ns is in the state directory now: until this is said, every request later than what was there asks for it. */
void replay_kept(struct replay *r, int64_t keep_ns);

int64_t replay_horizon(const struct replay *r);
size_t  replay_count(const struct replay *r);

#endif
