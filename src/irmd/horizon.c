#include "horizon.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TEXT_LEN 20 /* digits and the end of the line: always as long, so that a write is one */

int horizon_open(const char *state_dir, int64_t *kept_ns, bool *first)
{
        char     path[PATH_MAX];
        char     text[TEXT_LEN + 1] = "";
        char    *end;
        intmax_t ns;
        int      fd;

        *kept_ns = 0;
        snprintf(path, sizeof(path), "%s/horizon", state_dir);
        fd     = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        *first = fd < 0 && errno == ENOENT;
        if (*first)
                fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0)
                return -errno;
        if (pread(fd, text, TEXT_LEN, 0) == TEXT_LEN) {
                ns = strtoimax(text, &end, 10);
                if (*end == '\n' && ns > 0)
                        *kept_ns = ns;
        }
        return fd;
}

int horizon_keep(int fd, int64_t ns)
{
        char text[TEXT_LEN + 1];

        snprintf(text, sizeof(text), "%019" PRId64 "\n", ns);
        if (pwrite(fd, text, TEXT_LEN, 0) != TEXT_LEN)
                return errno != 0 ? -errno : -EIO;
        return fdatasync(fd) < 0 ? -errno : 0;
}
