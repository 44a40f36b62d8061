#include "ipcpd/common/caps.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int caps_drop(void)
{
        struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
        struct __user_cap_data_struct   none[_LINUX_CAPABILITY_U32S_3];

        memset(none, 0, sizeof(none));
        /*
         * Without this, a process of root would get them all back by executing something
         * (capabilities(7)).
         */
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_capset, &head, none) < 0)
                return -errno;
        return 0;
}
