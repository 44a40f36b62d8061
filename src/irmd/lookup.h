/*
 * lookup.h - which layers of this host can reach a name: all are asked at once.
 *
 * The local layer has the names that are registered with us. The others may reach names that this host knows nothing of, so
 * each is asked, and says yes or no. Who asks takes the layers one after the other, in the order of preference: a layer
 * that comes earlier and has not answered is waited for, but not longer than 200 ms, and after that only while
 * none has said yes.
 */
#ifndef O7S_IRMD_LOOKUP_H
#define O7S_IRMD_LOOKUP_H

#include "irmd.h"

struct ipcp;
struct lookup;

/* lookup_next() may say something else than -EAGAIN now. Not from within the functions below. */
typedef void lookup_fn(void *ctx);

/* Asks for @name. NULL: out of memory. */
struct lookup *lookup_start(struct irmd *d, const char *name, lookup_fn *changed, void *ctx);

/* Answers that come later are ignored. Takes NULL. */
void lookup_free(struct lookup *l);

/* Whether there is any layer that could be asked. */
bool lookup_any(const struct lookup *l);

/* The next layer that says yes and was not taken yet: 0 and *@out; -EAGAIN: changed() will be called; -ENAME: there is none. */
int lookup_next(struct lookup *l, struct ipcp **out);

#endif
