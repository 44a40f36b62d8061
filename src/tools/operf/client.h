/* client.h - what the tests of a client have in common. Private to client*.c. */
#ifndef O7S_TOOLS_OPERF_CLIENT_H
#define O7S_TOOLS_OPERF_CLIENT_H

#include <sys/types.h>

#include "common/clock.h"
#include "operf/operf.h"
#include "operf/progress.h"
#include "operf/report.h"

#define CLIENT_LOST_NS (1 * NS_PER_S) /* an answer that takes longer does not come any more */

struct client {
        const struct options *o;
        int                   stop_fd, fd;
        uint8_t              *tx, *rx;
        size_t                rx_cap;
        struct progress       progress;
        struct result         result;
};

struct hello client_hello(const struct client *c);

/* Notes that the flow has ended, or that something keeps the test from going on. */
void client_over(struct client *c, const char *why);

/* 0, or -ETIMEDOUT after CLIENT_LOST_NS without room, or -1 and the flow is over. */
int client_write(struct client *c, const void *buf, size_t len);

/* The length of a message in rx; 0: none for a slice; -1: the flow is over. */
ssize_t client_read(struct client *c);

/* The tests, on a flow that is set up; crr has its own flows. They fill the result. */
void client_stream(struct client *c); /* uni, bi */
void client_rr(struct client *c);
void client_crr(struct client *c);

#endif
