/*
 * client.h - one question to irmd about what it manages, and the answer or answers.
 *
 * The public calls of <ouroboros/irm.h> and the tool irm stand on this. Any thread may call; each has its own
 * reason for its last failure.
 */
#ifndef O7S_IRM_CLIENT_H
#define O7S_IRM_CLIENT_H

#include "pb/irm.pb-c.h"

/* A request with the message @m as its verb: IRM_REQUEST(NAME_CREATE, name_create, &m). */
#define IRM_REQUEST(VERB, field, m)                                                      \
        ((Irm__Request){.base      = PROTOBUF_C_MESSAGE_INIT(&irm__request__descriptor), \
                        .verb_case = IRM__REQUEST__VERB_##VERB,                          \
                        .field     = (m)})

/* Gets one answer of a call that went well. 0, or a negative code, which ends the call. */
typedef int irm_answer_fn(void *ctx, const Irm__Reply *reply);

/*
 * Asks and waits for all the answers; @fn is called for each (NULL: only the outcome counts). Returns 0, or a
 * negative code: the daemon's, that of @fn, -EIRMD, -EMSGSIZE, -EPROTO (an answer that cannot be understood)
 * or -ENOMEM. irm_reason() speaks of this call from now on.
 */
int irm_call(const Irm__Request *req, irm_answer_fn *fn, void *ctx);

/* Refuses a call before it is made: sets the reason and returns @code. */
int irm_refuse(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* 0, or -EINVAL with a reason when @name cannot be the name of a @what ("name", "layer", "IPCP"). */
int irm_check_name(const char *what, const char *name);

#endif
