/*
 * transport.h - what is compared: ways for two processes to exchange messages, behind the same calls.
 *
 * All block, as a program that knows nothing better would write it; that is also the best case of AF_UNIX (a
 * poll() before each receive would double its system calls). On failure they return a negative code that
 * o7s_strerror() explains. One that only makes connections has no start, finish, tune, send and recv; no suite, one without that.
 */
#ifndef BENCH_TRANSPORT_H
#define BENCH_TRANSPORT_H

#include <sys/types.h>

struct transport {
        const char *name;

        int (*listen)(const char *address); /* a listener, or 0 where a process needs none       */
        int (*accept)(int listener);
        void (*forget)(const char *address); /* after the listening process has ended */
        int (*connect)(const char *address);

        /* connect() in two steps: the descriptor that start() returns polls as @started when finish() will
         * not wait. */
        int (*start)(const char *address);
        int (*finish)(int fd);
        short started;

        /* The name of the suite of a connection that is encrypted and whose other side was authenticated, or NULL. */
        const char *(*suite)(int fd);

        void (*tune)(int fd); /* for many messages, where that pays */
        ssize_t (*send)(int fd, const void *buf, size_t len);
        ssize_t (*recv)(int fd, void *buf, size_t len); /* 0: the other side has ended it */
        void (*close)(int fd);
};

extern const struct transport transport_af_unix;     /* SOCK_SEQPACKET                                    */
extern const struct transport transport_flow;        /* a raw flow                                        */
extern const struct transport transport_tls;         /* TLS 1.3 over TCP, until both sides know the other */
extern const struct transport transport_tls_connect; /* the same, until the client may send               */

/* By name, or NULL. */
const struct transport *transport_find(const char *name);

#endif
