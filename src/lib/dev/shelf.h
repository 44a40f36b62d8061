/*
 * shelf.h - mappings of ports that may come back.
 *
 * Mapping memory, the first touch of its pages and unmapping it are the dearest part of a flow that lives
 * briefly. irmd gives the memory of a flow between two processes to their next one, under the same number;
 * so a process lays the mapping aside instead of undoing it. What falls off the shelf is mapped anew when
 * it does come back: nothing depends on it. Any thread may use a shelf.
 */
#ifndef O7S_DEV_SHELF_H
#define O7S_DEV_SHELF_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#define SHELF_MAX 32 /* as many flows between two processes as irmd remembers */

struct port_ctl;

struct shelf {
        pthread_mutex_t lock;
        size_t          n, next; /* next: where something is put when all places are taken */
        struct {
                uint64_t         port_id;
                struct port_ctl *mapping;
        } place[SHELF_MAX];
};

/* Takes over @mapping, or unmaps it. NULL is nothing. */
void shelf_put(struct shelf *s, uint64_t port_id, struct port_ctl *mapping);

/* The mapping of that port, the caller's now, or NULL. */
struct port_ctl *shelf_take(struct shelf *s, uint64_t port_id);

/* In a forked child, where nothing of it is mapped: an empty shelf with a new lock. */
void shelf_forget(struct shelf *s);

#endif
