#include "notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"

void notify_manager(const char *state)
{
        struct sockaddr_un to   = {.sun_family = AF_UNIX};
        const char        *path = getenv("NOTIFY_SOCKET");
        socklen_t          len;
        int                fd;

        if (path == NULL || (path[0] != '/' && path[0] != '@') ||
            !str_copy(to.sun_path, sizeof(to.sun_path), path))
                return;
        len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
        if (path[0] == '@')
                to.sun_path[0] = '\0'; /* the abstract namespace */
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return;
        (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&to, len);
        close(fd);
}
