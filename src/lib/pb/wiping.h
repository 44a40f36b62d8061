/*
 * wiping.h - memory for messages that carry secrets.
 *
 *     Irm__Reply *m = irm__reply__unpack(&pb_wiping, len, buf);
 *     irm__reply__free_unpacked(m, &pb_wiping);
 *
 * What protobuf-c allocates while it unpacks, also when it fails half-way, is overwritten before it is given
 * back. The packed form is the caller's, to be wiped by him.
 */
#ifndef O7S_PB_WIPING_H
#define O7S_PB_WIPING_H

#include <protobuf-c/protobuf-c.h>

/* Stateless, of any thread. Not const, since protobuf-c does not take one that is. */
extern ProtobufCAllocator pb_wiping;

#endif
