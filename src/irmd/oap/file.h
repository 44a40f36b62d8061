/*
 * file.h - small files that an administrator writes and that may be anything: followed through symbolic links (so that
 * mounted secrets work), but only regular ones, of bounded size, never waited for, and never taken half written.
 */
#ifndef O7S_IRMD_OAP_FILE_H
#define O7S_IRMD_OAP_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#define FILE_SIZE_MAX (1024u * 1024u)

/*
 * What a file looked like from outside. Equal and settled stamps mean equal content: one that was changed within the
 * last second may be changed again without showing it, for the clock of the file system is coarse.
 */
struct stamp {
        bool            there; /* something has this name, readable or not */
        bool            settled;
        int             error; /* of stat(), where it is there and cannot be looked at */
        dev_t           dev;
        ino_t           ino;
        off_t           size;
        struct timespec mtime, ctime;
};

struct stamp file_stamp(const char *path);
bool         stamp_same(const struct stamp *a, const struct stamp *b); /* settled or not */

struct file {
        uint8_t    *data; /* owned; a zero follows */
        size_t      len;
        struct stat st;
};

/* Wipes it. */
void file_clear(struct file *f);

/* 0; or -errno and *@why, in words that follow the file's name ("is not a regular file"). */
int file_read(const char *path, struct file *f, const char **why);

/* Why a file of this owner and these rights cannot hold a secret, or NULL. */
const char *file_secret_fault(const struct stat *st);

struct dirent;

/* The names in folder @path but those with a leading '.', in order; free() each and all. Their number or -errno. */
int file_list(const char *path, struct dirent ***names);

#endif
