/*
 * frct_talk.h - the application of one end: it writes messages by a plan, reads with the patience that it
 * was given, and knows what it must find. Nothing is random here: a message is a function of its writer and
 * its number.
 */
#ifndef SIM_FRCT_TALK_H
#define SIM_FRCT_TALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frct_world.h"

#define TALK_PHASES 6u
#define TALK_STOPS  4u

/*
 * @n messages of @min to @max bytes, @gap_ns apart (0: as fast as they are taken), @before_ns after the
 * phase before.
 */
struct talk_phase {
        unsigned n;
        size_t   min, max;
        int64_t  gap_ns, before_ns;
};

struct talk_plan {
        struct talk_phase phases[TALK_PHASES];
        unsigned          n_phases;
        bool              fin;
        int64_t           fin_after_ns;
        struct {
                int64_t from_ns, to_ns;
        } stops[TALK_STOPS]; /* it does not read */
        unsigned n_stops;
        size_t   chunk;  /* it reads so many bytes at a time; 0: a message */
        int64_t  gap_ns; /* between two readings                           */
};

struct talk {
        struct talk_plan plan;
        bool             reliable;
        uint64_t         key;
        struct talk     *peer;

        unsigned  phase, in_phase;
        int64_t   write_ns; /* not before                            */
        bool      blocked;  /* -EAGAIN                               */
        bool      fin;
        uint32_t *lens; /* of what was written                       */
        uint64_t  written, cap;

        int64_t  read_ns; /* not before                              */
        uint64_t read;    /* messages of the peer: this one is next  */
        uint64_t got;     /* messages                                */
        uint64_t bytes;
        uint8_t *in; /* the message that is read                     */
        size_t   n_in;
        bool     ended; /* -ENODATA                                  */

        int  error;    /* 0, -EFLOWPEER, -EFLOWDOWN                   */
        bool may_fall; /* the layer has said that the flow is down   */
        bool harsh;    /* the network may be too bad for it          */
};

void talk_init(struct talk *t, const struct talk_plan *plan, bool reliable, uint64_t key);
void talk_fini(struct talk *t);

/* struct world_end.app, with the talk as arg. */
int64_t talk_run(struct world *w, struct world_end *e);

/* Whether the flow is over, and whether it is when it has to be, and only then. Done with every run, too. */
void talk_look(struct world *w, struct world_end *e);

/* Nothing is left to write. */
bool talk_has_said_all(const struct talk *t);

/* It has read all that its peer has written (reliable), and the end when there is one. */
bool talk_has_heard_all(const struct talk *t);

/* It does not want to read now. */
bool talk_is_deaf(const struct talk *t, int64_t now_ns);

#endif
