/* operf.h - what the user wants of operf, and its two halves. */
#ifndef O7S_TOOLS_OPERF_OPERF_H
#define O7S_TOOLS_OPERF_OPERF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/qos.h"
#include "operf/message.h"

struct options {
        bool                     listen;
        const char              *name;
        enum test                test;
        int64_t                  duration_ns;
        size_t                   size; /* of a message                               */
        uint64_t                 rate; /* see operf/rate.h; 0: as fast as possible   */
        const struct qos_choice *qos;
        bool                     json;
        bool                     quiet; /* no progress, nothing for each flow */
};

/* Both run until they are done or asked to stop, and return the exit status. @stop_fd is readable then. */
int client_run(const struct options *o, int stop_fd);
int server_run(const struct options *o, int stop_fd);

#endif
