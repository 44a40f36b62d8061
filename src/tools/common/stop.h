/*
 * stop.h - SIGINT and SIGTERM as a flag and a descriptor, so that a program ends in order. One that comes
 * more than a second later ends it at once.
 */
#ifndef O7S_TOOLS_STOP_H
#define O7S_TOOLS_STOP_H

#include <stdbool.h>

/* Catches the signals from now on. Returns a descriptor that is readable once one has come, or -errno. */
int stop_catch(void);

/* Whether one has come. Cheap. */
bool stop_asked(void);

#endif
