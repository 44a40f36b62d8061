#include "ipcpd/eth/eth_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include "base/fd.h"

#define SEND_BUFFER (1 << 20) /* the system may allow less (net.core.wmem_max) */

static int set(int fd, int level, int option, int value)
{
        return setsockopt(fd, level, option, &value, sizeof(value));
}

/*
 * No queue of the system's in front of the interface: what that does not take, we hear of at once, and
 * leave in the rings of the applications.
 */
static int tune(int fd, const struct eth_filter *filter)
{
        struct sock_fprog prog = {.len = filter->n, .filter = (struct sock_filter *)filter->code};

        set(fd, SOL_SOCKET, SO_SNDBUF, SEND_BUFFER);
        if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) < 0 ||
            set(fd, SOL_SOCKET, SO_LOCK_FILTER, 1) < 0 ||
            set(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1) < 0 ||
            set(fd, SOL_PACKET, PACKET_QDISC_BYPASS, 1) < 0)
                return -errno;
        return 0;
}

int eth_socket_open(const struct eth_filter *filter)
{
        int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); /* of no protocol: silent */
        int r;

        if (fd < 0)
                return -errno;
        r = tune(fd, filter);
        if (r < 0)
                fd_close(&fd);
        return r < 0 ? r : fd;
}

int eth_socket_bind(int fd, int ifindex, uint16_t protocol)
{
        struct sockaddr_ll a = {
                .sll_family = AF_PACKET, .sll_protocol = htons(protocol), .sll_ifindex = ifindex};

        return bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 ? -errno : 0;
}

void eth_socket_clear(int fd)
{
        int       error;
        socklen_t len = sizeof(error);

        (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
}

uint32_t eth_socket_dropped(int fd)
{
        struct tpacket_stats st  = {0};
        socklen_t            len = sizeof(st);

        return getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &st, &len) < 0 ? 0 : st.tp_drops;
}
