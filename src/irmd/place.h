/*
 * place.h - which process gets a flow that has arrived.
 *
 * One that waits in flow_accept(): in turn (round robin), or always the first that does (spillover). If
 * none does but somebody serves, the flow waits in the name's queue. If nobody serves, a program that is
 * bound with auto is started. Else the flow is refused at once.
 */
#ifndef O7S_IRMD_PLACE_H
#define O7S_IRMD_PLACE_H

#include "irmd.h"

/* Finds a place for @f, which waits in its name's queue. Afterwards it may be gone. */
void place_flow(struct flow *f);

/* Looks again at all that waits for @n: its rules or processes have changed. */
void place_all(struct name *n);

/*
 * A program of @n failed to start or has ended: what waited for it is refused, unless somebody else serves.
 */
void place_failed(struct name *n);

/*
 * Gives the process that waits in flow_accept() the oldest flow of a name it accepts for, and so on while
 * there are both.
 */
void place_serve(struct proc *p);

/* Whether something waits that @p could accept. */
bool place_waits_for(const struct proc *p);

#endif
