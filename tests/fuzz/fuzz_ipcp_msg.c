/*
 * fuzz_ipcp_msg.c - f10: what irmd sends to an IPCP, here to that of the local layer, without a socket.
 *
 * The input is a sequence of messages
 *
 *     | id 8 | length 16 | body |
 *
 * Invariants: a request is answered at most once, and at once unless it asks for a flow; a refused request changes nothing; the state only goes forward; nothing is
 * said that irmd could not read. No sanitizer report, no leak.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ipcpd/common/control.h"
#include "ipcpd/local/local.h"
#include "wire/frame.h"

struct world {
        struct control *control;
        unsigned int    given[256];    /* messages with that id           */
        unsigned int    answered[256]; /* replies to it                   */
        bool            refused;       /* the message being given was     */
        bool            left;
};

static uint8_t packed[FRAME_MAX];
static void   *layer; /* of the only IPCP that there is at a time */

static void must(bool holds)
{
        if (!holds)
                abort();
}

static void *create(const struct ipcp_ops *ops, const struct ipcp_up *up, uv_loop_t *loop)
{
        return layer = local_ops.create(ops, up, loop);
}

static void on_send(void *ctx, uint32_t id, const Ipcp__Message *m)
{
        struct world  *w = ctx;
        size_t         len;
        Ipcp__Message *got;

        must(ipcp__message__get_packed_size(m) <= FRAME_MAX - FRAME_HDR);
        len = ipcp__message__pack(m, packed);
        got = ipcp__message__unpack(NULL, len, packed);
        must(got != NULL && got->kind_case == m->kind_case);
        if (got->kind_case == IPCP__MESSAGE__KIND_REPLY) {
                must(id != 0 && id < 256);
                w->answered[id]++;
                w->refused = got->reply->result < 0;
        }
        ipcp__message__free_unpacked(got, NULL);
}

static void on_joined(void *ctx, const char *name)
{
        const struct world *w = ctx;

        must(control_life(w->control) == LIFE_READY && name[0] != '\0');
}

static void on_leave(void *ctx)
{
        struct world *w = ctx;

        must(!w->left);
        w->left = true;
}

static const struct control_out out = {on_send, on_joined, on_leave};

static void give(struct world *w, uint32_t id, const uint8_t *body, size_t len)
{
        size_t    names = local_count(layer);
        enum life life  = control_life(w->control);

        w->refused = false;
        w->given[id]++;
        control_message(w->control, id, body, len, NULL, 0);
        must(w->answered[id] <= w->given[id]);
        must(control_life(w->control) >= life);
        if (w->refused)
                must(control_life(w->control) == life && local_count(layer) == names);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct rd       rd  = {.p = data, .end = data + size};
        struct world    w   = {0};
        struct ipcp_ops ops = local_ops;

        log_init("fuzz", LOG_ERROR);
        ops.create = create;
        w.control  = control_create(&ops, NULL, &out, &w);
        must(w.control != NULL);
        control_start(w.control);
        for (;;) {
                uint32_t id  = (uint32_t)rd_be(&rd, 1);
                size_t   len = (size_t)rd_be(&rd, 2);

                if (rd.bad || len > (size_t)(rd.end - rd.p))
                        break;
                give(&w, id, rd.p, len);
                rd.p += len;
        }
        control_destroy(w.control);
        return 0;
}
