#include "dev/ask.h"

#include <errno.h>
#include <stdlib.h>

#include <ouroboros/dev.h>
#include <ouroboros/errno.h>

#include "base/clock.h"
#include "pb/convert.h"
#include "pb/wiping.h"

/* Longer than any question: the longest has one name and first data. */
#define REQUEST_MAX (512 + FLOW_DATA_MAX)

/* No code is below this: neither the kernel's nor those of <ouroboros/errno.h>. */
#define CODE_MIN (-4095)

/* irmd keeps the deadlines; this is for one that does not. */
#define GRACE_NS (2 * NS_PER_S)

bool limit_set(struct limit *lim, const struct timespec *timeo)
{
        int64_t len_ns;

        *lim = (struct limit){.give_up_ns = CLOCK_NEVER};
        if (timeo == NULL)
                return true;
        if (!clock_timespec_ok(timeo))
                return false;
        len_ns          = clock_length_ns(timeo);
        lim->ms         = len_ns == 0 ? 1 : (uint64_t)((len_ns + NS_PER_MS - 1) / NS_PER_MS);
        lim->give_up_ns = clock_after(clock_now_ns(), len_ns + GRACE_NS);
        return true;
}

int ask_check_data(struct flow_data *data)
{
        if (data == NULL)
                return 0;
        data->recv_len = 0;
        if ((data->send == NULL && data->send_len > 0) || (data->recv == NULL && data->recv_size > 0))
                return -EINVAL;
        return data->send_len > FLOW_DATA_MAX ? -EMSGSIZE : 0;
}

ProtobufCBinaryData ask_bytes(const struct flow_data *data)
{
        return (ProtobufCBinaryData){.len = data->send_len, .data = (uint8_t *)data->send};
}

int ask_begin(struct ask *a, struct rpc *rpc, const Irm__Request *req, int64_t give_up_ns)
{
        uint8_t body[REQUEST_MAX];
        size_t  len = pb_pack(&req->base, body, sizeof(body));
        int     r   = rpc_begin(rpc, &a->call, body, len);

        if (r < 0)
                return r;
        a->rpc        = rpc_ref(rpc);
        a->give_up_ns = give_up_ns;
        a->over       = false;
        return 0;
}

void ask_post(struct rpc *rpc, const Irm__Request *req)
{
        uint8_t body[REQUEST_MAX];

        (void)rpc_post(rpc, body, pb_pack(&req->base, body, sizeof(body)));
}

static int open_answer(struct ask *a, struct answer *ans)
{
        int result;

        ans->reply = irm__reply__unpack(&pb_wiping, ans->msg->len, ans->msg->body);
        if (ans->reply == NULL)
                return -EPROTO;
        result = ans->reply->result;
        if (result > 0 || result < CODE_MIN)
                return -EPROTO;
        if (result < 0)
                a->over = true;
        return result;
}

int ask_next(struct ask *a, bool wait, struct answer *ans)
{
        int r = rpc_next(a->rpc, &a->call, wait ? a->give_up_ns : 0, &ans->msg);

        if (r == -ETIMEDOUT && !wait && clock_now_ns() < a->give_up_ns)
                return -EAGAIN;
        if (r < 0)
                return r;
        r = open_answer(a, ans);
        if (r < 0)
                answer_free(ans);
        return r;
}

int answer_check_fds(const struct answer *ans, size_t n)
{
        if (ans->msg->n_fds == n)
                return 0;
        return ans->msg->n_fds == 0 ? -EMFILE : -EPROTO;
}

void answer_free(struct answer *ans)
{
        if (ans->reply != NULL)
                irm__reply__free_unpacked(ans->reply, &pb_wiping);
        rpc_msg_free(ans->msg);
}

static void cancel(struct ask *a)
{
        Irm__Cancel  m   = IRM__CANCEL__INIT;
        Irm__Request req = IRM__REQUEST__INIT;

        m.id          = rpc_id(&a->call);
        req.verb_case = IRM__REQUEST__VERB_CANCEL;
        req.cancel    = &m;
        ask_post(a->rpc, &req);
}

void ask_end(struct ask *a)
{
        rpc_end(a->rpc, &a->call);
        if (!a->over)
                cancel(a);
        rpc_unref(a->rpc);
}

void ask_free(struct ask *a)
{
        if (a == NULL)
                return;
        ask_end(a);
        free(a);
}
