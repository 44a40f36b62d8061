/* mark.h - congestion experienced (RFC 3168), written into an Ethernet frame that carries IPv4 or IPv6. */
#ifndef O7S_RELAY_MARK_H
#define O7S_RELAY_MARK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Whether it was marked now: not when it is not IP, was marked before, or its sender does not know of such
 * marks.
 */
bool mark_ce(uint8_t *frame, size_t len);

#endif
