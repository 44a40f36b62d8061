/*
 * answer.c - a server for the daemon to start: to each flow it writes who it is (pid, uid, arguments) and
 * ends it. With the argument "once" it ends after the first, with "idle" it never accepts.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <ouroboros/dev.h>

static int describe(char *buf, size_t size, int argc, char *argv[])
{
        int n = snprintf(buf, size, "%d %u", (int)getpid(), (unsigned)getuid());

        for (int i = 1; i < argc && n < (int)size; i++)
                n += snprintf(buf + n, size - (size_t)n, " [%s]", argv[i]);
        return n;
}

int main(int argc, char *argv[])
{
        const char *how = argc > 1 ? argv[1] : "";
        char        text[4096];
        int         len = describe(text, sizeof(text), argc, argv);
        int         fd;

        while (strcmp(how, "idle") == 0)
                pause();
        while ((fd = flow_accept(NULL, NULL)) >= 0) {
                flow_write(fd, text, (size_t)len);
                flow_dealloc(fd);
                if (strcmp(how, "once") == 0)
                        return 0;
        }
        return 1;
}
