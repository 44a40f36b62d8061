/*
 * ask.h - a question to irmd that has one answer, or two when the first only says that another follows.
 *
 * Whatever ends it early (a timeout, an answer that cannot be used), irmd is told, so that it does not keep a
 * flow that nobody has.
 */
#ifndef O7S_DEV_ASK_H
#define O7S_DEV_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <ouroboros/dev.h>

#include "ctl/rpc.h"
#include "pb/irm.pb-c.h"

/* How long an answer may take. */
struct limit {
        uint64_t ms;         /* what irmd is told; 0: its own default                          */
        int64_t  give_up_ns; /* when it has failed to answer in time, with a grace             */
};

/* As the user of the library says it. NULL: irmd decides, and is waited for. False: not a time. */
bool limit_set(struct limit *lim, const struct timespec *timeo);

/* Whether @data, NULL for none, can be asked with; makes recv_len 0. 0, -EINVAL, -EMSGSIZE. */
int ask_check_data(struct flow_data *data);

/* What is to be sent of it, as a field of the question, which borrows it. */
ProtobufCBinaryData ask_bytes(const struct flow_data *data);

struct ask {
        struct rpc     *rpc; /* a reference */
        struct rpc_call call;
        int64_t         give_up_ns;
        bool            over; /* irmd has refused, or its answer was put to use */
};

/* Both are wiped when they are freed: there may be keys in them. */
struct answer {
        struct rpc_msg *msg;
        Irm__Reply     *reply; /* of pb_wiping */
};

/*
 * Asks on @rpc, which stays the caller's, and must be answered by @give_up_ns. 0, -EIRMD, -ENOMEM; then there
 * is nothing to end.
 */
int ask_begin(struct ask *a, struct rpc *rpc, const Irm__Request *req, int64_t give_up_ns);

/*
 * The next answer. 0: it is in *@ans, good news, for answer_free(). -EAGAIN: not there yet and @wait is
 * false. Else what irmd refused with, -ETIMEDOUT, -EIRMD, -EPROTO, -ENOMEM: no more answers.
 */
int ask_next(struct ask *a, bool wait, struct answer *ans);

/*
 * 0, or how the answer falls short of @n descriptors: -EMFILE when this process has too many open, or
 * -EPROTO.
 */
int answer_check_fds(const struct answer *ans, size_t n);

void answer_free(struct answer *ans);

/* Gives the question up, unless it is over. */
void ask_end(struct ask *a);

/* The same for one that was allocated. Takes NULL. */
void ask_free(struct ask *a);

/* Tells irmd something that has no answer. */
void ask_post(struct rpc *rpc, const Irm__Request *req);

#endif
