#include "common/open.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>

#include <ouroboros/dev.h>
#include <ouroboros/fccntl.h>

int open_flow(const char *name, const qosspec_t *qos, int stop_fd)
{
        int           ret, fd = flow_alloc_start(name, qos, NULL);
        struct pollfd p[] = {{.fd = fd, .events = POLLIN}, {.fd = stop_fd, .events = POLLIN}};

        if (fd < 0)
                return fd;
        do {
                poll(p, 2, -1);
                ret = p[1].revents != 0 ? -EINTR : flow_alloc_finish(fd, NULL);
        } while (ret == -EAGAIN);
        if (ret == -EINTR)
                flow_dealloc(fd);
        return ret;
}

void open_say_peer(int fd)
{
        struct flow_peer p;

        if (fccntl(fd, FLOWGPEER, &p) == 0 && (p.authenticated || p.encrypted))
                printf("The server is %s%s%s.\n", p.authenticated ? p.identity : "not authenticated",
                       p.authenticated ? ", authenticated" : "", p.encrypted ? ", encrypted" : "");
}
