#include "ipcpd/udp/udp_send.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>

#include <ouroboros/errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "wire/cursor.h"

/*
 * Of one system call. Three runs of packets as large as Ethernet's are 138 packets: more at once gains
 * nothing.
 */
#define MESSAGES 64u
#define PACKETS  256u

/* Of one run: UDP_MAX_SEGMENTS of older kernels, and what an IP packet holds. */
#define RUN_PACKETS 64u
#define RUN_BYTES   65000u

/* A log line at most every. */
#define COMPLAIN_NS (10 * NS_PER_S)

struct udp_send {
        const struct udp_socket *socket;
        uint32_t                 scope;
        struct udp_send_facts    facts;
        uint64_t                 complained_of; /* thrown away when that was last logged */
        int64_t                  complain_ns;   /* not before                            */

        /* The batch that is being sent, all to one endpoint. */
        union udp_sockaddr to;
        socklen_t          to_len;
        uint8_t            hdr[UDP_HDR];
        struct mmsghdr     msgs[MESSAGES];
        size_t             runs[MESSAGES]; /* packets in each */
        struct iovec       iov[2 * PACKETS];
        union {
                struct cmsghdr align;
                uint8_t        b[CMSG_SPACE(sizeof(uint16_t))];
        } controls[MESSAGES];
        size_t n_msgs, n_packets;
};

struct udp_send *udp_send_create(const struct udp_socket *s, uint32_t scope)
{
        struct udp_send *u = calloc(1, sizeof(*u));

        if (u != NULL) {
                u->socket = s;
                u->scope  = scope;
        }
        return u;
}

void udp_send_destroy(struct udp_send *u)
{
        free(u);
}

void udp_send_facts(const struct udp_send *u, struct udp_send_facts *out)
{
        *out = u->facts;
}

/* -- the batch ------------------------------------------------------------- */

static void begin(struct udp_send *u, const struct link_addr *to, uint32_t eid)
{
        struct wr w = {u->hdr, u->hdr + UDP_HDR, false};

        wr_be(&w, eid, UDP_HDR);
        u->to_len = udp_addr_put(&u->to, to, u->scope);
}

static size_t min(size_t a, size_t b)
{
        return a < b ? a : b;
}

/* How many of the first of @n packets, at least 1, may be one run. */
static size_t run_of(const struct iovec *packets, size_t n)
{
        size_t len   = packets[0].iov_len;
        size_t bytes = UDP_HDR + len;
        size_t i     = 1;

        while (i < min(n, RUN_PACKETS) && packets[i].iov_len <= len &&
               bytes + UDP_HDR + packets[i].iov_len <= RUN_BYTES) {
                bytes += UDP_HDR + packets[i].iov_len;
                if (packets[i++].iov_len < len)
                        break; /* the last */
        }
        return i;
}

/* Tells the kernel where to cut the run @m. */
static void set_segment(struct msghdr *m, void *control, size_t len)
{
        uint16_t        bytes = (uint16_t)len;
        struct cmsghdr *c;

        m->msg_control    = control;
        m->msg_controllen = CMSG_SPACE(sizeof(bytes));
        c                 = CMSG_FIRSTHDR(m);
        c->cmsg_level     = IPPROTO_UDP;
        c->cmsg_type      = UDP_SEGMENT;
        c->cmsg_len       = CMSG_LEN(sizeof(bytes));
        memcpy(CMSG_DATA(c), &bytes, sizeof(bytes));
}

static void add_run(struct udp_send *u, const struct iovec *packets, size_t n)
{
        struct iovec  *iov = &u->iov[2 * u->n_packets];
        struct msghdr *m   = &u->msgs[u->n_msgs].msg_hdr;

        *m = (struct msghdr){
                .msg_name = &u->to, .msg_namelen = u->to_len, .msg_iov = iov, .msg_iovlen = 2 * n};
        for (size_t i = 0; i < n; i++) {
                iov[2 * i]     = (struct iovec){u->hdr, UDP_HDR};
                iov[2 * i + 1] = packets[i];
        }
        if (n > 1)
                set_segment(m, u->controls[u->n_msgs].b, UDP_HDR + packets[0].iov_len);
        u->runs[u->n_msgs++] = n;
        u->n_packets += n;
}

/* As much of @n packets as there is place for. */
static void fill(struct udp_send *u, const struct iovec *packets, size_t n, bool gso)
{
        u->n_msgs = u->n_packets = 0;
        n                        = min(n, PACKETS);
        while (u->n_packets < n && u->n_msgs < MESSAGES) {
                const struct iovec *p = packets + u->n_packets;

                add_run(u, p, gso ? run_of(p, n - u->n_packets) : 1);
        }
}

/* How many packets the kernel has taken; or -errno of the first run, of which it has taken none. */
static int flush(struct udp_send *u)
{
        size_t n = 0;
        int    r;

        do {
                r = sendmmsg(u->socket->fd, u->msgs, (unsigned)u->n_msgs, MSG_DONTWAIT);
        } while (r < 0 && errno == EINTR);
        u->facts.calls++;
        if (r < 0)
                return -errno;
        for (int i = 0; i < r; i++)
                n += u->runs[i];
        return (int)n;
}

/* -- what the kernel does not take ------------------------------------------- */

static void complain(struct udp_send *u, const struct link_addr *to, int err)
{
        int64_t now_ns = clock_coarse_ns();
        char    text[UDP_ADDR_TEXT];

        if (now_ns < u->complain_ns)
                return;
        udp_addr_text(to, text);
        log_warn("packets to %s cannot be sent, %llu thrown away: %s", text,
                 (unsigned long long)(u->facts.thrown_away - u->complained_of), o7s_strerror(err));
        u->complained_of = u->facts.thrown_away;
        u->complain_ns   = now_ns + COMPLAIN_NS;
}

static void throw_away(struct udp_send *u, const struct link_addr *to, size_t n, int err)
{
        u->facts.thrown_away += n;
        complain(u, to, err);
}

/* No run is sent in pieces that the kernel would have to fragment, nor through what cannot do checksums. */
static bool dislikes_runs(int err)
{
        return err == -EMSGSIZE || err == -EINVAL || err == -EIO;
}

/* Sends some of @n packets: how many are done with. 0: the socket takes no more now. */
static size_t send_some(struct udp_send *u, const struct link_addr *to, const struct iovec *packets, size_t n)
{
        int r;

        fill(u, packets, n, u->socket->gso);
        r = flush(u);
        if (u->runs[0] > 1 && dislikes_runs(r)) {
                u->facts.cut_here++;
                fill(u, packets, u->runs[0], false);
                r = flush(u);
        }
        if (r >= 0)
                return (size_t)r;
        if (r == -EAGAIN)
                return 0;
        throw_away(u, to, u->runs[0], r);
        return u->runs[0];
}

size_t udp_send_packets(struct udp_send *u, const struct link_addr *to, uint32_t eid,
                        const struct iovec *packets, size_t n)
{
        size_t done = 0;
        size_t some;

        begin(u, to, eid);
        while (done < n) {
                some = send_some(u, to, packets + done, n - done);
                if (some == 0)
                        break;
                done += some;
        }
        return done;
}

void udp_send_control(struct udp_send *u, const struct link_addr *to, const uint8_t *p, size_t len)
{
        struct iovec packet = {(void *)p, len};
        int          r;

        begin(u, to, 0);
        fill(u, &packet, 1, false);
        r = flush(u);
        if (r < 0)
                throw_away(u, to, 1, r);
}
