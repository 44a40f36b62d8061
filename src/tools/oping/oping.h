/* oping.h - what the user wants of oping, and its two halves. */
#ifndef O7S_TOOLS_OPING_OPING_H
#define O7S_TOOLS_OPING_OPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ouroboros/qos.h>

/* How a server waits. */
enum server_mode {
        SERVER_SLEEP, /* until something comes                     */
        SERVER_POLL,  /* asks the set of flows again and again     */
        SERVER_BUSY   /* reads every flow again and again          */
};

/* How a client paces its pings. */
enum client_mode {
        CLIENT_PACED, /* one every interval                                        */
        CLIENT_FLOOD, /* the next as soon as the last is back                      */
        CLIENT_SPIN   /* the same without ever sleeping                            */
};

struct options {
        bool             listen;
        enum server_mode server;
        const char      *name;
        enum client_mode client;
        uint64_t         count;       /* of pings                */
        int64_t          duration_ns; /* from the first ping on  */
        int64_t          interval_ns;
        size_t           size;
        const qosspec_t *qos;
        bool             quiet; /* nothing for each ping or flow */
        bool             stamps;
};

/* Both run until they are done or asked to stop, and return the exit status. @stop_fd is readable then. */
int client_run(const struct options *o, int stop_fd);
int server_run(const struct options *o, int stop_fd);

#endif
