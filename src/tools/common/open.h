/* open.h - a client's flow. */
#ifndef O7S_TOOLS_OPEN_H
#define O7S_TOOLS_OPEN_H

#include <ouroboros/qos.h>

/*
 * flow_alloc(), which gives up with -EINTR once @stop_fd is readable. @qos is left alone.
 */
int open_flow(const char *name, const qosspec_t *qos, int stop_fd);

/* Says who answers on @fd, if that is known from more than the name. */
void open_say_peer(int fd);

#endif
