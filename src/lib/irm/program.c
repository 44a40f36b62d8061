#include "irm/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ouroboros/errno.h>

#include "base/str.h"
#include "irm/client.h"

/* What a shell uses when PATH is not set. */
#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

static int resolve(const char *file, char path[PATH_MAX])
{
        struct stat st;

        if (realpath(file, path) == NULL || stat(path, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || access(path, X_OK) < 0)
                return -EACCES;
        return 0;
}

/* @prog in the directory of @len bytes at @dir; an empty one is the current directory. */
static int resolve_in(const char *dir, size_t len, const char *prog, char path[PATH_MAX])
{
        char file[PATH_MAX];
        int  n = snprintf(file, sizeof(file), "%.*s/%s", (int)(len > 0 ? len : 1), len > 0 ? dir : ".", prog);

        return n < (int)sizeof(file) ? resolve(file, path) : -ENAMETOOLONG;
}

static int find(const char *prog, char path[PATH_MAX])
{
        const char *dir = getenv("PATH");
        int         ret = -ENOENT;

        if (strchr(prog, '/') != NULL)
                return resolve(prog, path);
        for (dir = dir != NULL ? dir : DEFAULT_PATH;; dir++) {
                size_t len = strcspn(dir, ":");
                int    r   = resolve_in(dir, len, prog, path);

                if (r == 0)
                        return 0;
                if (r == -EACCES) /* found, but unfit: a later one may do, else this is what to say */
                        ret = r;
                dir += len;
                if (*dir == '\0')
                        return ret;
        }
}

int irm_find_program(const char *prog, char path[PATH_MAX])
{
        int ret;

        if (prog == NULL || prog[0] == '\0')
                return irm_refuse(-EINVAL, "the program is empty");
        ret = find(prog, path);
        if (ret == -ENOENT)
                return irm_refuse(ret, "there is no program '%s'%s", prog,
                                  strchr(prog, '/') == NULL ? " in PATH" : "");
        if (ret == -EACCES)
                return irm_refuse(ret, "'%s' is not a file that can be executed", prog);
        return ret < 0 ? irm_refuse(ret, "cannot look up '%s': %s", prog, o7s_strerror(ret)) : 0;
}

int irm_find_bound_program(const char *prog, char path[PATH_MAX])
{
        int ret = irm_find_program(prog, path);

        if (ret < 0 && prog != NULL && prog[0] == '/' && str_copy(path, PATH_MAX, prog))
                return 0;
        return ret;
}
