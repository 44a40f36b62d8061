/*
 * outside.c - the two programs that "Ouroboros Flow Allocation vs. TLS/DTLS" shows in its first section, word
 * for word between the lines, as somebody writes them who has only the installed library. Without arguments
 * it is the server.
 */
#include <stdio.h>
#include <string.h>

#include <ouroboros/dev.h>
#include <ouroboros/errno.h>

static int client(const char *data)
{
        size_t len = strlen(data);
        char   buffer[64];

        memset(buffer, 0, sizeof(buffer));
        /* ---- */
        int fd = flow_alloc("server_name", NULL, NULL);
        if (fd < 0)
                return -1; /* Authentication or allocation failed */
        /* Connection is now authenticated and encrypted */
        flow_write(fd, data, len);
        flow_read(fd, buffer, sizeof(buffer));
        flow_dealloc(fd);
        /* ---- */
        puts(buffer);
        return 0;
}

static int server(void)
{
        const char *response = "response";
        size_t      resp_len = strlen(response);
        char        buffer[64];

        /* ---- */
        int fd = flow_accept(NULL, NULL);
        if (fd < 0)
                return -1; /* Authentication or acceptance failed */
        /* Connection is now authenticated and encrypted */
        flow_read(fd, buffer, sizeof(buffer));
        flow_write(fd, response, resp_len);
        flow_dealloc(fd);
        /* ---- */
        return 0;
}

int main(int argc, char *argv[])
{
        if ((argc > 1 ? client(argv[1]) : server()) < 0) {
                perror("outside");
                return 1;
        }
        return 0;
}
