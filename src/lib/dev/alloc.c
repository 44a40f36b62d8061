/* alloc.c - flow_alloc(), in one step and in two. */
#include <errno.h>
#include <stdlib.h>

#include <ouroboros/dev.h>
#include <ouroboros/errno.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "dev/arrive.h"
#include "dev/dealloc.h"
#include "dev/process.h"
#include "pb/convert.h"

/* Asks for a flow, with the first data of @data unless that is NULL. @a is to be ended on success only. */
static int ask_for(struct ask *a, const char *dst, const qosspec_t *qs, const struct timespec *timeo,
                   bool early, const struct flow_data *data)
{
        Irm__FlowAlloc m   = IRM__FLOW_ALLOC__INIT;
        Irm__Qos       qos = IRM__QOS__INIT;
        Irm__Request   req = IRM__REQUEST__INIT;
        struct limit   lim;

        if (str_name_fault(dst) != NULL || !limit_set(&lim, timeo))
                return -EINVAL;
        if (qs != NULL) {
                pb_qos_put(&qos, qs);
                m.qos = &qos;
        }
        m.name       = (char *)dst;
        m.timeout_ms = lim.ms;
        m.early      = early;
        if (data != NULL)
                m.data = ask_bytes(data);
        req.verb_case  = IRM__REQUEST__VERB_FLOW_ALLOC;
        req.flow_alloc = &m;
        return process_ask(a, &req, lim.give_up_ns);
}

static int alloc(const char *dst, qosspec_t *qs, const struct timespec *timeo, struct flow_data *data)
{
        struct answer ans;
        struct ask    a;
        int           r = ask_check_data(data);

        if (r == 0)
                r = ask_for(&a, dst, qs, timeo, false, data);
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

O7S_API int flow_alloc(const char *dst, qosspec_t *qs, const struct timespec *timeo)
{
        return (int)err_return(alloc(dst, qs, timeo, NULL));
}

O7S_API int flow_alloc_data(const char *dst, qosspec_t *qs, const struct timespec *timeo,
                            struct flow_data *data)
{
        return (int)err_return(alloc(dst, qs, timeo, data));
}

/*
 * Takes the descriptor out of @ans, the first answer to @a, and makes it pending. Returns it; then the slot
 * has @a.
 */
static int pend(struct ask *a, const struct answer *ans)
{
        struct slot *s;
        int          fd;
        int          r;

        if (ans->reply->body_case != IRM__REPLY__BODY_FLOW_PENDING || !ans->msg->more)
                return -EPROTO;
        r = answer_check_fds(ans, 1);
        if (r < 0)
                return r;
        fd = arrive_fd(ans, 0);
        r  = fd < 0 ? fd : arrive_slot(fd, &s);
        if (r < 0)
                return r;
        ans->msg->fds[0] = -1;
        slot_pend(s, fd, a);
        slot_unlock(s);
        return fd;
}

static int start(struct ask *a)
{
        struct answer ans;
        int           r = ask_next(a, true, &ans);

        if (r < 0)
                return r;
        r = pend(a, &ans);
        answer_free(&ans);
        return r;
}

static int alloc_start(const char *dst, const qosspec_t *qs, const struct timespec *timeo)
{
        struct ask *a = malloc(sizeof(*a));
        int         r;

        if (a == NULL)
                return -ENOMEM;
        r = ask_for(a, dst, qs, timeo, true, NULL);
        if (r < 0) {
                free(a);
                return r;
        }
        r = start(a);
        if (r < 0)
                ask_free(a);
        return r;
}

O7S_API int flow_alloc_start(const char *dst, const qosspec_t *qs, const struct timespec *timeo)
{
        return (int)err_return(alloc_start(dst, qs, timeo));
}

/* With both locks. 0, -EAGAIN, -EBADF: not pending; any other failure is the end of the slot's content. */
static int finish(struct slot *s, qosspec_t *qs)
{
        struct answer ans;
        int           r;

        if (s->state != SLOT_PENDING)
                return -EBADF;
        r = ask_next(s->ask, false, &ans);
        if (r == 0) {
                r = arrive_pending(s, &ans, qs);
                answer_free(&ans);
        }
        if (r < 0 && r != -EAGAIN)
                slot_end(s);
        return r;
}

static int alloc_finish(int fd, qosspec_t *qs)
{
        struct slot *s = process_slot(fd);
        struct ask  *ask;
        int          r;

        if (s == NULL)
                return -EBADF;
        slot_lock(s);
        ask = s->ask;
        r   = finish(s, qs);
        slot_unlock(s);
        if (r == 0)
                ask_free(ask);
        else if (r != -EAGAIN)
                dealloc_finish(s);
        return r < 0 ? r : fd;
}

O7S_API int flow_alloc_finish(int fd, qosspec_t *qs)
{
        return (int)err_return(alloc_finish(fd, qs));
}
