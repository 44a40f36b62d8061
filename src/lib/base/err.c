#include "base/err.h"

#include <ouroboros/errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

static const struct {
        int         std;
        const char *text;
} own[] = {
        [ENOTALLOC - ENOTALLOC]  = {ECONNREFUSED, "Nobody accepts flows for the name"},
        [EIPCPTYPE - ENOTALLOC]  = {EINVAL, "Unknown or unfit type of IPCP"},
        [EIRMD - ENOTALLOC]      = {ECONNREFUSED, "The IRM daemon cannot be reached"},
        [EIPCP - ENOTALLOC]      = {ECONNREFUSED, "No IPCP can do this"},
        [EIPCPSTATE - ENOTALLOC] = {EBUSY, "The IPCP is in the wrong state"},
        [EFLOWDOWN - ENOTALLOC]  = {EPIPE, "The flow is down"},
        [EFLOWPEER - ENOTALLOC]  = {ETIMEDOUT, "The peer of the flow is no longer heard"},
        [ENAME - ENOTALLOC]      = {ENOENT, "Unknown name"},
        [ECRYPT - ENOTALLOC]     = {EACCES, "There is no way to encrypt that both sides allow"},
        [EAUTH - ENOTALLOC]      = {EACCES, "Authentication failed or was refused"},
};

static bool is_own(int code)
{
        return code >= ENOTALLOC && code <= EAUTH;
}

/* INT_MIN, which has no positive twin, is as unknown as INT_MAX. */
static int positive(int code)
{
        return code >= 0 ? code : code == INT_MIN ? INT_MAX : -code;
}

int err_std(int code)
{
        code = positive(code);
        return is_own(code) ? own[code - ENOTALLOC].std : code;
}

ssize_t err_return(ssize_t code)
{
        if (code < 0)
                errno = err_std((int)code);
        return code;
}

O7S_API const char *o7s_strerror(int code)
{
        const char *text;

        code = positive(code);
        if (is_own(code))
                return own[code - ENOTALLOC].text;
        if (code == ETIME) /* the kernel's own meaning, an ioctl of streams, is none here */
                return "The clocks of the two hosts differ too much";
        text = strerrordesc_np(code);
        return text != NULL ? text : "Unknown error";
}
