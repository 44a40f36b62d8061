/* accept.c - flow_accept(), and the descriptor that says when it has something to give. */
#include <errno.h>

#include <ouroboros/dev.h>
#include <ouroboros/errno.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "dev/arrive.h"
#include "dev/process.h"
#include "shm/bell.h"

/* With the lock of the watch. */
static void watch_drop(struct watch *w)
{
        rpc_unref(w->rpc);
        w->rpc = NULL;
        fd_close(&w->fd);
}

/*
 * Before each request: irmd rings again after its answer if there are more flows. -EIRMD: the descriptor that
 * somebody polls belongs to a connection that was lost, and he must be told to ask for a new one.
 */
static int watch_rearm(struct watch *w)
{
        int r = 0;

        pthread_mutex_lock(&w->lock);
        if (w->rpc != NULL && rpc_lost(w->rpc)) {
                watch_drop(w);
                r = -EIRMD;
        } else if (w->rpc != NULL) {
                (void)bell_clear(w->fd);
        }
        pthread_mutex_unlock(&w->lock);
        return r;
}

static int ask_for(struct ask *a, const struct timespec *timeo, const struct flow_data *data)
{
        Irm__FlowAccept m   = IRM__FLOW_ACCEPT__INIT;
        Irm__Request    req = IRM__REQUEST__INIT;
        struct limit    lim;
        int             r;

        if (!limit_set(&lim, timeo))
                return -EINVAL;
        r = watch_rearm(&process.watch);
        if (r < 0)
                return r;
        m.wait       = timeo == NULL || clock_length_ns(timeo) > 0;
        m.timeout_ms = lim.ms;
        if (data != NULL)
                m.data = ask_bytes(data);
        req.verb_case   = IRM__REQUEST__VERB_FLOW_ACCEPT;
        req.flow_accept = &m;
        return process_ask(a, &req, lim.give_up_ns);
}

static int accept_flow(qosspec_t *qs, const struct timespec *timeo, struct flow_data *data)
{
        struct answer ans;
        struct ask    a;
        int           r = ask_check_data(data);

        if (r == 0)
                r = ask_for(&a, timeo, data);
        if (r < 0)
                return r;
        r = ask_next(&a, true, &ans);
        if (r == 0) {
                r = arrive(&a, &ans, qs, data);
                answer_free(&ans);
        }
        ask_end(&a);
        return r;
}

O7S_API int flow_accept(qosspec_t *qs, const struct timespec *timeo)
{
        return (int)err_return(accept_flow(qs, timeo, NULL));
}

O7S_API int flow_accept_data(qosspec_t *qs, const struct timespec *timeo, struct flow_data *data)
{
        return (int)err_return(accept_flow(qs, timeo, data));
}

/* Takes the descriptor out of the answer to @a. */
static int watch_take(struct watch *w, const struct ask *a, const struct answer *ans)
{
        int r = answer_check_fds(ans, 1);
        int fd;

        if (r < 0)
                return r;
        fd = arrive_fd(ans, 0);
        if (fd < 0)
                return fd;
        ans->msg->fds[0] = -1;
        w->rpc           = rpc_ref(a->rpc);
        w->fd            = fd;
        return 0;
}

static int watch_open(struct watch *w)
{
        Irm__AcceptWatch m   = IRM__ACCEPT_WATCH__INIT;
        Irm__Request     req = IRM__REQUEST__INIT;
        struct answer    ans;
        struct ask       a;
        int              r;

        req.verb_case    = IRM__REQUEST__VERB_ACCEPT_WATCH;
        req.accept_watch = &m;
        r                = process_ask(&a, &req, CLOCK_NEVER);
        if (r < 0)
                return r;
        r = ask_next(&a, true, &ans);
        if (r == 0) {
                r = watch_take(w, &a, &ans);
                answer_free(&ans);
        }
        a.over = true;
        ask_end(&a);
        return r;
}

static int accept_fd(struct watch *w)
{
        int r = 0;

        pthread_mutex_lock(&w->lock);
        if (w->rpc != NULL && rpc_lost(w->rpc))
                watch_drop(w);
        if (w->rpc == NULL)
                r = watch_open(w);
        if (r == 0)
                r = w->fd;
        pthread_mutex_unlock(&w->lock);
        return r;
}

O7S_API int flow_accept_fd(void)
{
        return (int)err_return(accept_fd(&process.watch));
}
