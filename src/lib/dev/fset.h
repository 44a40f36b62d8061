/* fset.h - what the rest of the library must tell flow sets (<ouroboros/fqueue.h>). */
#ifndef O7S_DEV_FSET_H
#define O7S_DEV_FSET_H

#include "dev/slot.h"

/*
 * slot_take(), and in the same step the flow leaves every set: between two steps another thread could put
 * the slot's next flow into a set and end it, and a number that no epoll watches would stay a member. A
 * closing flow leaves the sets also when it cannot be taken yet. Holding no lock.
 */
bool fset_take(struct slot *s, struct remains *r);

/* In a forked child, before its slots are emptied: all sets are empty, and the child's own. */
void fset_forget_all(void);

#endif
