/* name.h - names of services. */
#ifndef OUROBOROS_NAME_H
#define OUROBOROS_NAME_H

#include <ouroboros/cdefs.h>

/* Longest name, and longest path of a credential, without the terminating NUL. */
#define NAME_SIZE     255
#define NAME_PATH_MAX 255

#define BIND_AUTO 0x01 /* start the program when a flow arrives and nobody accepts */

/* Which of several accepting processes gets the next flow. */
enum pol_balance {
        LB_RR = 0, /* each in turn                                        */
        LB_SPILL,  /* the first one until it no longer keeps up, then on  */
        LB_INVALID
};

struct name_info {
        char             name[NAME_SIZE + 1];
        enum pol_balance pol_lb;
};

#endif
