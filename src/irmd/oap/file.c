#include "oap/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"

#define SETTLED_S 1

static bool time_same(struct timespec a, struct timespec b)
{
        return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool time_past(struct timespec t, struct timespec now)
{
        return now.tv_sec - t.tv_sec > SETTLED_S;
}

static struct stamp stamp_of(const struct stat *st)
{
        struct stamp    s = {true, false, 0, st->st_dev, st->st_ino, st->st_size, st->st_mtim, st->st_ctim};
        struct timespec now;

        clock_gettime(CLOCK_REALTIME, &now);
        s.settled = time_past(s.mtime, now) && time_past(s.ctime, now);
        return s;
}

struct stamp file_stamp(const char *path)
{
        struct stamp s = {.settled = true};
        struct stat  st;

        if (stat(path, &st) == 0)
                return stamp_of(&st);
        s.error = errno;
        s.there = lstat(path, &st) == 0 || (errno != ENOENT && errno != ENOTDIR);
        return s;
}

bool stamp_same(const struct stamp *a, const struct stamp *b)
{
        return a->there == b->there && a->error == b->error && a->dev == b->dev && a->ino == b->ino &&
               a->size == b->size && time_same(a->mtime, b->mtime) && time_same(a->ctime, b->ctime);
}

void file_clear(struct file *f)
{
        if (f->data != NULL)
                OPENSSL_cleanse(f->data, f->len);
        free(f->data);
        *f = (struct file){0};
}

/* Fills @f->data with what @fd has, which is @f->st.st_size bytes unless somebody is writing. */
static int fill(int fd, struct file *f, const char **why)
{
        size_t      size = (size_t)f->st.st_size;
        struct stat after;
        ssize_t     n = 1;

        *why    = "cannot be read: out of memory";
        f->data = calloc(1, size + 1);
        if (f->data == NULL)
                return -ENOMEM;
        while (f->len <= size && n > 0) {
                do
                        n = read(fd, f->data + f->len, size + 1 - f->len);
                while (n < 0 && errno == EINTR);
                f->len += n > 0 ? (size_t)n : 0;
        }
        *why = n < 0 ? strerrordesc_np(errno) : "changes while it is read";
        if (n < 0)
                return -errno;
        if (fstat(fd, &after) < 0 || f->len != size)
                return -EAGAIN;
        f->data[f->len] = 0;
        return time_same(after.st_mtim, f->st.st_mtim) && after.st_size == f->st.st_size ? 0 : -EAGAIN;
}

static int check_form(const struct stat *st, const char **why)
{
        *why = "is not a regular file";
        if (!S_ISREG(st->st_mode))
                return -EINVAL;
        *why = "is larger than 1 MiB";
        return st->st_size > (off_t)FILE_SIZE_MAX ? -EFBIG : 0;
}

int file_read(const char *path, struct file *f, const char **why)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        int r;

        *f = (struct file){0};
        if (fd < 0) {
                r    = -errno;
                *why = strerrordesc_np(errno);
                return r;
        }
        r = fstat(fd, &f->st) < 0 ? -errno : check_form(&f->st, why);
        if (r == 0)
                r = fill(fd, f, why);
        fd_close(&fd);
        if (r < 0)
                file_clear(f);
        return r;
}

/*
 * A group may read where it is root's or this daemon's own: that is how mounted secrets come (Kubernetes' fsGroup), and
 * root's group and ours hold nobody who could not read it anyway.
 */
const char *file_secret_fault(const struct stat *st)
{
        if (st->st_uid != 0 && st->st_uid != geteuid())
                return "belongs neither to root nor to the user of this daemon";
        if ((st->st_mode & 07) != 0)
                return "can be read or written by others";
        if ((st->st_mode & 020) != 0)
                return "can be written by a group";
        if ((st->st_mode & 050) != 0 && st->st_gid != 0 && st->st_gid != getegid())
                return "can be read by a group that is neither root's nor that of this daemon";
        return NULL;
}

static int visible(const struct dirent *d)
{
        return d->d_name[0] != '.';
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
        return strcmp((*a)->d_name, (*b)->d_name);
}

int file_list(const char *path, struct dirent ***names)
{
        int n = scandir(path, names, visible, by_name);

        return n < 0 ? -errno : n;
}
