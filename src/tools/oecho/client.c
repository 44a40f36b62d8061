#include "oecho/oecho.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ouroboros/dev.h>
#include <ouroboros/errno.h>
#include <ouroboros/fccntl.h>

#define PATIENCE_S 10 /* for each part of the answer */

/* Reads until @len bytes have come back: a long answer may come in parts. */
static ssize_t read_all(int fd, char *buf, size_t len)
{
        size_t  have = 0;
        ssize_t n;

        while (have < len) {
                n = flow_read(fd, buf + have, len - have);
                if (n <= 0)
                        return n;
                have += (size_t)n;
        }
        return (ssize_t)have;
}

/* Returns the length of the answer in @buf of @len bytes, 0 when the server ended the flow, or the error. */
static ssize_t ask(const char *name, const char *text, char *buf, size_t len)
{
        const struct timespec patience = {.tv_sec = PATIENCE_S};
        int                   fd       = flow_alloc(name, NULL, NULL);
        ssize_t               n;

        if (fd < 0)
                return fd;
        fccntl(fd, FLOWSRCVTIMEO, &patience);
        n = flow_write(fd, text, len);
        if (n > 0)
                n = read_all(fd, buf, len);
        flow_dealloc(fd);
        return n;
}

int client_run(const char *name, const char *text)
{
        size_t  len = strlen(text);
        char   *buf = malloc(len + 1);
        ssize_t n   = -ENOMEM;

        if (len == 0) {
                free(buf);
                fputs("oecho: there is nothing to send\n", stderr);
                return EXIT_FAILURE;
        }
        if (buf != NULL)
                n = ask(name, text, buf, len);
        if (n > 0)
                printf("%.*s\n", (int)n, buf);
        else
                fprintf(stderr, "oecho: no answer from '%s': %s\n", name,
                        n == 0 ? "it has ended the flow" : o7s_strerror((int)n));
        free(buf);
        return n > 0 && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
