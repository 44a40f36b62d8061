/*
 * life.h - the life of an IPCP, the same for every kind of layer.
 *
 *     STARTING --start--> READY --bootstrap--> OPERATIONAL
 *        any of these --leave--> LEAVING
 */
#ifndef O7S_IPCPD_COMMON_LIFE_H
#define O7S_IPCPD_COMMON_LIFE_H

#include <stdbool.h>

enum life {
        LIFE_STARTING,    /* nobody has been told that we are here */
        LIFE_READY,       /* waits for its configuration           */
        LIFE_OPERATIONAL, /* member of a layer                     */
        LIFE_LEAVING,     /* does nothing new, ends soon           */
        LIFE_N
};

enum life_event { LIFE_EV_START, LIFE_EV_BOOTSTRAP, LIFE_EV_LEAVE, LIFE_EV_N };

const char *life_name(enum life l);

/* Takes the step and logs it. False: @ev does not happen in this state, and nothing has changed. */
bool life_step(enum life *l, enum life_event ev);

#endif
