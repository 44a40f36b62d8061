/* serve.h - the server's side of one flow. */
#ifndef O7S_TOOLS_OPERF_SERVE_H
#define O7S_TOOLS_OPERF_SERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where messages are read; a thread has one for all flows that it serves, one after the other. */
struct serve_buf {
        uint8_t *p;
        size_t   len;
};

/*
 * Does what the client on @fd asks until it ends the flow, says something else than it should, or somebody
 * deallocates @fd. @quiet: without telling of it. The flow is left to the caller.
 */
void serve(int fd, struct serve_buf *buf, bool quiet);

#endif
