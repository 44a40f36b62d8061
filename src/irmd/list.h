/*
 * list.h - answers that are as long as they are: entries gathered into replies of a bounded size, all but the
 * last marked MORE.
 *
 * The whole list is queued at once, so that it is one moment's truth; a client that does not read it holds
 * that memory until it does or goes.
 */
#ifndef O7S_IRMD_LIST_H
#define O7S_IRMD_LIST_H

#include "proc.h"

#define LIST_BATCH 64u /* entries in one reply */

/* @reply holds one batch as its body; @clear empties the batch after it was sent. */
struct list {
        struct proc *proc;
        uint32_t     id;
        Irm__Reply  *reply;
        size_t      *n; /* the batch's count, a field of the body */
        void (*clear)(struct list *l);
        size_t bytes; /* queued by this list */
};

/* An entry was added to the batch: sends it when it is full. */
void list_added(struct list *l);

/* Sends the batch as it is, unless it is empty: for entries that may be large. */
void list_send(struct list *l);

/* Sends the rest, even if it is nothing, as the last reply. */
void list_end(struct list *l);

#endif
