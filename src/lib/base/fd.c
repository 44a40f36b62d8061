#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

void fd_close(int *fd)
{
        int saved = errno;

        if (*fd >= 0)
                close(*fd);
        *fd   = -1;
        errno = saved;
}

void fd_close_all(int *fds, size_t n)
{
        for (size_t i = 0; i < n; i++)
                fd_close(&fds[i]);
}

int fd_dup(int fd)
{
        int r = fcntl(fd, F_DUPFD_CLOEXEC, 0);

        return r < 0 ? -errno : r;
}

size_t fd_raise_limit(size_t want)
{
        struct rlimit lim;

        if (getrlimit(RLIMIT_NOFILE, &lim) < 0)
                return 0;
        if (lim.rlim_max < want) {
                struct rlimit more = {want, want};

                if (setrlimit(RLIMIT_NOFILE, &more) == 0)
                        return want;
        }
        lim.rlim_cur = lim.rlim_max;
        setrlimit(RLIMIT_NOFILE, &lim);
        getrlimit(RLIMIT_NOFILE, &lim);
        return lim.rlim_cur;
}
