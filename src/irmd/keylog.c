#include "keylog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "crypt/secret.h"
#include "oap/oap.h"

#define MAGIC    "O7S1"
#define LINE_LEN (sizeof(MAGIC) - 1 + 1 + 2 * OAP_ID + 1 + 2 * RECORD_SECRET + 1 + 2 * RECORD_SECRET + 1)

/* Nobody else can open it, by whatever name. */
static bool is_private(int fd)
{
        struct stat st;

        return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() && st.st_nlink == 1 &&
               (st.st_mode & (S_IRWXG | S_IRWXO)) == 0;
}

/* Not blocking: what is there may be a pipe, which is refused. */
int keylog_open(const char *path)
{
        int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                      S_IRUSR | S_IWUSR);

        if (fd < 0) {
                int error = errno;

                log_err("key log: %s: %s", path, strerror(error));
                return -error;
        }
        if (!is_private(fd)) {
                log_err("key log: %s is not a file that belongs to uid %u and that nobody else may read",
                        path, (unsigned)geteuid());
                fd_close(&fd);
                return -EPERM;
        }
        log_warn("KEY LOG: THE SECRETS OF ALL ENCRYPTED FLOWS OF THIS HOST ARE WRITTEN TO %s; whoever reads "
                 "it can decrypt them",
                 path);
        return fd;
}

static char *put_hex(char *to, char before, const uint8_t *p, size_t n)
{
        static const char digits[] = "0123456789abcdef";

        *to++ = before;
        for (size_t i = 0; i < n; i++) {
                *to++ = digits[p[i] >> 4];
                *to++ = digits[p[i] & 0xf];
        }
        return to;
}

/* A whole line by one call, so that the lines of several daemons do not mix. */
void keylog_write(int fd, const uint8_t *oap_id, const struct oap_keys *k)
{
        char  line[LINE_LEN];
        char *to = line + sizeof(MAGIC) - 1;

        if (fd < 0)
                return;
        memcpy(line, MAGIC, sizeof(MAGIC) - 1);
        to    = put_hex(to, ' ', oap_id, OAP_ID);
        to    = put_hex(to, ' ', k->c2s, sizeof(k->c2s));
        to    = put_hex(to, ' ', k->s2c, sizeof(k->s2c));
        *to++ = '\n';
        if (write(fd, line, sizeof(line)) != (ssize_t)sizeof(line))
                log_warn("key log: a line is lost");
        secret_wipe(line, sizeof(line));
}
