#include "irm/client.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ouroboros/errno.h>
#include <ouroboros/irm.h>

#include "base/clock.h"
#include "base/str.h"
#include "ctl/rpc.h"
#include "dev/process.h"
#include "pb/convert.h"

/* No code is below this: neither the kernel's nor those of <ouroboros/errno.h>. */
#define CODE_MIN (-4095)

/* A sentence of irmd may name two things of 255 bytes and a path. */
static _Thread_local char last_reason[2048];

O7S_API const char *irm_reason(void)
{
        return last_reason;
}

int irm_refuse(int code, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(last_reason, sizeof(last_reason), fmt, ap);
        va_end(ap);
        return code;
}

int irm_check_name(const char *what, const char *name)
{
        const char *fault = str_name_fault(name);

        if (fault == NULL)
                return 0;
        if (name == NULL || !str_text_ok(name) || name[0] == '\0')
                return irm_refuse(-EINVAL, "the %s %s", what, fault);
        return irm_refuse(-EINVAL, "the %s '%s' %s", what, name, fault);
}

/* What the daemon says, unless it could play tricks on a terminal. */
static void take_reason(const char *text)
{
        if (str_text_ok(text))
                snprintf(last_reason, sizeof(last_reason), "%s", text);
}

/* One that arrives may be the last of a daemon that is gone: nothing was asked then, and a second try is
 * safe. */
static int begin(struct rpc **r, struct rpc_call *c, const uint8_t *body, size_t len)
{
        int ret = -EIRMD;

        for (int tries = 0; tries < 2 && ret == -EIRMD; tries++) {
                ret = process_connect(r);
                if (ret < 0)
                        return ret;
                ret = rpc_begin(*r, c, body, len);
                if (ret < 0)
                        rpc_unref(*r);
        }
        return ret;
}

static int on_reply(const Irm__Reply *reply, irm_answer_fn *fn, void *ctx)
{
        if (reply->result > 0 || reply->result < CODE_MIN)
                return -EPROTO;
        if (reply->result < 0) {
                take_reason(reply->reason);
                return reply->result;
        }
        return fn == NULL ? 0 : fn(ctx, reply);
}

static int on_message(const struct rpc_msg *m, irm_answer_fn *fn, void *ctx)
{
        Irm__Reply *reply = irm__reply__unpack(NULL, m->len, m->body);
        int         ret;

        if (reply == NULL)
                return -EPROTO;
        ret = on_reply(reply, fn, ctx);
        irm__reply__free_unpacked(reply, NULL);
        return ret;
}

static int collect(struct rpc *r, struct rpc_call *c, irm_answer_fn *fn, void *ctx)
{
        struct rpc_msg *m;
        bool            more;
        int             ret;

        do {
                ret = rpc_next(r, c, CLOCK_NEVER, &m);
                if (ret < 0)
                        return ret;
                more = m->more;
                ret  = on_message(m, fn, ctx);
                rpc_msg_free(m);
        } while (ret == 0 && more);
        return ret;
}

static int ask(const uint8_t *body, size_t len, irm_answer_fn *fn, void *ctx)
{
        struct rpc_call c;
        struct rpc     *r;
        int             ret = begin(&r, &c, body, len);

        if (ret < 0)
                return ret;
        ret = collect(r, &c, fn, ctx);
        rpc_end(r, &c);
        rpc_unref(r);
        return ret;
}

int irm_call(const Irm__Request *req, irm_answer_fn *fn, void *ctx)
{
        size_t   len = irm__request__get_packed_size(req);
        uint8_t *body;
        int      ret;

        last_reason[0] = '\0';
        if (len > FRAME_MAX - FRAME_HDR)
                return -EMSGSIZE;
        body = malloc(len);
        if (body == NULL)
                return -ENOMEM;
        ret = ask(body, pb_pack(&req->base, body, len), fn, ctx);
        free(body);
        return ret;
}
