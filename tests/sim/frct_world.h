/*
 * frct_world.h - ends of flows, two links and their applications in virtual time. Ends 2i and 2i + 1 are
 * the two of flow i; those with even numbers send over link 0, the others over link 1, so that flows share
 * a way.
 *
 * After anything that concerns an end its application runs and then frct_tx() until it has nothing more, as
 * the library does it. What each end promises is looked at with every packet (frct_watch.h) and every step:
 * time, and memory.
 */
#ifndef SIM_FRCT_WORLD_H
#define SIM_FRCT_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frct/frct.h"

#include "frct_link.h"
#include "frct_watch.h"

#define WORLD_ENDS 16u

struct world;

struct world_end {
        struct frct     *f;
        struct frct_conf conf;
        struct watch     watch;
        unsigned         number;
        int64_t          ahead_ns; /* its clock less the world's                  */
        int64_t          lag_ns;   /* longest that its timers are late            */
        int64_t          due_ns;   /* of the engine, by the world's clock         */
        int64_t          app_ns;   /* when the application wants to run           */
        bool             dead;     /* it hears and says nothing, from now on      */
        bool             over;     /* its application has heard of an error       */

        /* Reads and writes; returns when it wants to run again, at the latest. */
        int64_t (*app)(struct world *w, struct world_end *e);
        void *arg;
};

struct world {
        int64_t          now_ns;
        uint64_t         seed; /* to be printed when something fails            */
        uint64_t         random;
        bool             trace;
        bool             watched; /* look at packets; else for speed               */
        bool             foul;    /* altered packets reach the engines             */
        struct link     *links[2];
        struct world_end ends[WORLD_ENDS];
        unsigned         n_ends;
        uint64_t         steps, packets;
        uint64_t         at_once; /* steps at the present time                     */
};

void world_init(struct world *w, uint64_t seed, int64_t now_ns);
void world_fini(struct world *w);

/* Of one direction; before any end. @packet: bytes of the largest. */
void world_set_link(struct world *w, unsigned way, const struct link_conf *conf, size_t packet);

/* The next end. The application is run at once when the world goes on. Borrowed until world_fini(). */
struct world_end *world_add(struct world *w, const struct frct_conf *conf, int64_t ahead_ns, int64_t lag_ns);

struct world_end *world_peer(struct world *w, const struct world_end *e);

/* Goes on until @until_ns, or until nothing would happen any more; then it is @until_ns. */
void world_run(struct world *w, int64_t until_ns);

/* When something happens next; CLOCK_NEVER. */
int64_t world_due_ns(const struct world *w);

/* The time of an end's clock. */
static inline int64_t world_time(const struct world *w, const struct world_end *e)
{
        return w->now_ns + e->ahead_ns;
}

/* Prints what has failed and how to see it again, and ends the process. */
void world_fail(const struct world *w, const struct world_end *e, const char *what) __attribute__((noreturn));

/* With trace: time, end, and a line. */
void world_say(const struct world *w, const struct world_end *e, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

#endif
