/* fset.h - what the rest of the library must tell flow sets (<ouroboros/fqueue.h>). */
#ifndef O7S_DEV_FSET_H
#define O7S_DEV_FSET_H

#include "dev/slot.h"

/* Takes a flow that is closing out of every set; does nothing with another. Holding no lock. */
void fset_forget(struct slot *s);

/* In a forked child, before its slots are emptied: all sets are empty, and the child's own. */
void fset_forget_all(void);

#endif
