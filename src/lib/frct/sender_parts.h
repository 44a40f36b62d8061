/* sender_parts.h - between sender.c and acked.c, which are one module. */
#ifndef O7S_FRCT_SENDER_PARTS_H
#define O7S_FRCT_SENDER_PARTS_H

#include "frct/number.h"
#include "frct/sender.h"

/* @n packets with @payload bytes were taken for lost just now. */
void sender_lost(struct sender *s, uint64_t payload, unsigned n, int64_t now_ns);

/*
 * What is out found no room, for there was none: it is to be sent again, and nothing of it speaks of
 * congestion.
 */
void sender_take_back(struct sender *s, int64_t now_ns);

/* On an unreliable flow what is lost is over. */
void sender_forget(struct sender *s);

/* Which timer is to run from now on. */
void sender_set_timer(struct sender *s, int64_t now_ns);

#endif
