/*
 * fqueue.h - waiting for many flows at once.
 *
 * A set (fset_t) holds flows, a queue (fqueue_t) what happened to them. A set is a thin layer over epoll:
 * events are level-triggered, so a flow with unread messages is reported again. Any thread may use a set; a
 * queue belongs to one thread at a time.
 */
#ifndef OUROBOROS_FQUEUE_H
#define OUROBOROS_FQUEUE_H

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>
#include <ouroboros/cdefs.h>

enum fqtype {
        FLOW_PKT     = 1 << 0, /* a message can be read              */
        FLOW_DOWN    = 1 << 1, /* the flow has ended, nothing unread */
        FLOW_UP      = 1 << 2,
        FLOW_ALLOC   = 1 << 3, /* flow_alloc_finish() has an answer  */
        FLOW_DEALLOC = 1 << 4,
        FLOW_PEER    = 1 << 5 /* the peer is no longer heard        */
};

struct flow_set;
struct fqueue;
typedef struct flow_set fset_t;
typedef struct fqueue   fqueue_t;

O7S_BEGIN_DECLS

O7S_API fset_t *fset_create(void);             /* NULL and errno on failure                        */
O7S_API void    fset_destroy(fset_t *set);     /* takes NULL; the flows live on                    */
O7S_API void    fset_zero(fset_t *set);        /* empties it                                       */
O7S_API int     fset_add(fset_t *set, int fd); /* 0, -EBADF, -EINVAL, -ENOMEM; twice is once   */
O7S_API bool    fset_has(const fset_t *set, int fd);
O7S_API void    fset_del(fset_t *set, int fd); /* flow_dealloc() does it as well               */
O7S_API int     fset_fd(fset_t *set);          /* its epoll descriptor; readable: fevent() has events */

O7S_API fqueue_t   *fqueue_create(void); /* NULL and errno on failure */
O7S_API void        fqueue_destroy(fqueue_t *fq);
O7S_API int         fqueue_next(fqueue_t *fq);       /* the next flow, or -EPERM when none is left */
O7S_API enum fqtype fqueue_type(const fqueue_t *fq); /* of the one that fqueue_next() gave  */

/*
 * Waits for events on @set and puts them in @fq, whose earlier content is dropped. Returns their number
 * (more than 0), or -ETIMEDOUT, -EINVAL, -EINTR. NULL waits without end.
 */
O7S_API ssize_t fevent(fset_t *set, fqueue_t *fq, const struct timespec *timeo);

O7S_END_DECLS

#endif
