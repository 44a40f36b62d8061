/*
 * dealloc.h - the end of a flow. flow_dealloc() wakes the threads that wait on it and does not wait for them:
 * the last to leave puts out the light, so that neither they nor a peer that means ill can make it block.
 */
#ifndef O7S_DEV_DEALLOC_H
#define O7S_DEV_DEALLOC_H

#include "dev/slot.h"

/*
 * Takes apart what is closing in @s, unless somebody still waits in it; else does nothing. For whoever has
 * made it closing, and for whoever leaves and finds it so, holding no lock.
 */
void dealloc_finish(struct slot *s);

/*
 * The descriptor of @s was closed behind our back and its number was given out again: ends what was there,
 * without the descriptor.
 */
void dealloc_lost(struct slot *s);

#endif
