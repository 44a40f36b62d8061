#include "grant.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int grant_prepare(void)
{
        return prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

int grant_net_raw(void)
{
        static const __u32              raw     = 1u << CAP_NET_RAW;
        struct __user_cap_header_struct head    = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct   caps[2] = {{.effective = raw, .permitted = raw, .inheritable = raw}};

        if (syscall(SYS_capset, &head, caps) < 0 ||
            prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0) < 0)
                return -errno;
        return 0;
}
