#include "irm/cmd.h"

#include <ouroboros/errno.h>

#include "irm/client.h"
#include "irm/out.h"

static const struct column columns[] = {
        {"version", "version", NULL},
        {"process", "pid", NULL},
        {"up", "uptime_ms", out_duration},
        {"names", "names", NULL},
        {"programs", "programs", NULL},
        {"processes", "processes", NULL},
        {"IPCPs", "ipcps", NULL},
        {"flows", "flows", NULL},
        {"flows allocated", "allocated", NULL},
        {"flows refused", "refused", NULL},
        {NULL, NULL, NULL},
};

static int on_status(void *object, const Irm__Reply *reply)
{
        const Irm__StatusReply *s = reply->status;
        json_t                 *status;
        int                     ret;

        if (reply->body_case != IRM__REPLY__BODY_STATUS)
                return -EPROTO;
        status = json_pack("{s:o, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "version",
                           out_text(s->version), "pid", s->pid, "uptime_ms", (json_int_t)s->uptime_ms,
                           "names", (json_int_t)s->names, "programs", (json_int_t)s->programs, "processes",
                           (json_int_t)s->processes, "ipcps", (json_int_t)s->ipcps, "flows",
                           (json_int_t)s->flows, "allocated", (json_int_t)s->allocated, "refused",
                           (json_int_t)s->refused);
        ret    = status != NULL ? json_object_update(object, status) : -1;
        json_decref(status);
        return ret == 0 ? 0 : -ENOMEM;
}

static int run_status(const struct args *a)
{
        Irm__Status m      = IRM__STATUS__INIT;
        json_t     *object = json_object();
        int         ret    = irm_call(&IRM_REQUEST(STATUS, status, &m), on_status, object);

        if (ret == 0)
                return out_object(a, object, columns);
        json_decref(object);
        return out_refused(ret, "get the daemon's status");
}

const struct verb status_verbs[] = {
        {
                .name    = "",
                .help    = "Shows how the daemon is: version, time up, and how many of what it has.",
                .example = "irm status",
                .run     = run_status,
        },
        {.name = NULL},
};
