/* test_ctl.c - packets with descriptors over a socketpair, and sockets that are listened on. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "ctl/ctl.h"

static uint8_t packet[FRAME_MAX];

struct pair {
        int a, b;
};

static struct pair pair_open(void)
{
        int sv[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
        return (struct pair){sv[0], sv[1]};
}

static void pair_close(struct pair *p)
{
        fd_close(&p->a);
        fd_close(&p->b);
}

/* Sends @n_fds descriptors of /dev/null in one packet, past the bound of ctl_send(). */
static void send_many_fds(int sock, size_t n_fds)
{
        union {
                struct cmsghdr hdr;
                uint8_t        mem[CMSG_SPACE(16 * sizeof(int))];
        } room;
        uint8_t       body[FRAME_HDR] = {0};
        struct iovec  iov             = {body, sizeof(body)};
        struct msghdr msg             = {.msg_iov        = &iov,
                                         .msg_iovlen     = 1,
                                         .msg_control    = &room,
                                         .msg_controllen = CMSG_SPACE(n_fds * sizeof(int))};
        int           fd              = open("/dev/null", O_RDONLY | O_CLOEXEC);

        room.hdr = (struct cmsghdr){CMSG_LEN(n_fds * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
        for (size_t i = 0; i < n_fds; i++)
                memcpy(CMSG_DATA(&room.hdr) + i * sizeof(int), &fd, sizeof(fd));
        assert_int_equal(sendmsg(sock, &msg, 0), sizeof(body));
        fd_close(&fd);
}

static int open_descriptors(void)
{
        int n = 0;

        for (int fd = 0; fd < 256; fd++)
                n += fcntl(fd, F_GETFD) >= 0;
        return n;
}

static void test_frame_arrives(void **state)
{
        struct pair  p = pair_open();
        struct frame f = {.id = 0x01020304, .flags = FRAME_MORE}, g;
        int          fds[CTL_FDS_MAX];
        size_t       n_fds = 9;
        struct rd    in;
        ssize_t      n;

        (void)state;
        assert_int_equal(ctl_send(p.a, &f, "hello", 5, NULL, 0, 0), 0);
        n = ctl_recv(p.b, packet, fds, &n_fds, 0);
        assert_int_equal(n, FRAME_HDR + 5);
        assert_int_equal(n_fds, 0);
        assert_memory_equal(packet, "\1\2\3\4\1\0\0\0hello", 13);
        in = (struct rd){packet, packet + n, false};
        assert_true(frame_get(&in, &g));
        assert_int_equal(g.id, f.id);
        assert_int_equal(g.flags, FRAME_MORE);
        pair_close(&p);
}

static void test_empty_body_arrives(void **state)
{
        struct pair  p = pair_open();
        struct frame f = {.id = 1};
        int          fds[CTL_FDS_MAX];
        size_t       n_fds;

        (void)state;
        assert_int_equal(ctl_send(p.a, &f, NULL, 0, NULL, 0, 0), 0);
        assert_int_equal(ctl_recv(p.b, packet, fds, &n_fds, 0), FRAME_HDR);
        pair_close(&p);
}

static void test_nothing_there(void **state)
{
        struct pair p = pair_open();
        int         fds[CTL_FDS_MAX];
        size_t      n_fds;

        (void)state;
        assert_int_equal(ctl_recv(p.b, packet, fds, &n_fds, MSG_DONTWAIT), -EAGAIN);
        pair_close(&p);
}

/* What is passed is the same open file, close-on-exec, whatever the sender's descriptor was. */
static void test_descriptors_arrive(void **state)
{
        struct pair  p = pair_open();
        struct frame f = {.id = 1};
        int          pipe_fds[2];
        int          give[CTL_FDS_MAX], fds[CTL_FDS_MAX];
        size_t       n_fds;
        char         c;

        (void)state;
        assert_int_equal(pipe(pipe_fds), 0);
        for (size_t i = 0; i < CTL_FDS_MAX; i++)
                give[i] = pipe_fds[1];
        assert_int_equal(ctl_send(p.a, &f, "x", 1, give, CTL_FDS_MAX, 0), 0);
        fd_close(&pipe_fds[1]);
        assert_int_equal(ctl_recv(p.b, packet, fds, &n_fds, 0), FRAME_HDR + 1);
        assert_int_equal(n_fds, CTL_FDS_MAX);
        for (size_t i = 0; i < n_fds; i++) {
                assert_int_equal(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
                assert_int_equal(write(fds[i], "y", 1), 1);
                assert_int_equal(read(pipe_fds[0], &c, 1), 1);
        }
        fd_close_all(fds, n_fds);
        fd_close(&pipe_fds[0]);
        pair_close(&p);
}

static void test_too_many_descriptors(void **state)
{
        struct pair p = pair_open();
        int         fds[CTL_FDS_MAX];
        size_t      n_fds  = 9;
        int         before = open_descriptors();

        (void)state;
        send_many_fds(p.a, CTL_FDS_MAX + 1);
        assert_int_equal(ctl_recv(p.b, packet, fds, &n_fds, 0), -EMSGSIZE);
        assert_int_equal(n_fds, 0);
        send_many_fds(p.a, 16);
        assert_int_equal(ctl_recv(p.b, packet, fds, &n_fds, 0), -EMSGSIZE);
        assert_int_equal(open_descriptors(), before);
        pair_close(&p);
}

/* With a full table the packet comes, and what could be opened is closed again. */
static void test_full_table(void **state)
{
        struct pair   p      = pair_open();
        int           before = open_descriptors();
        int           top    = fcntl(p.b, F_DUPFD_CLOEXEC, 0); /* the lowest that is free */
        struct rlimit was, lim;
        int           fds[CTL_FDS_MAX];
        size_t        n_fds = 9;
        ssize_t       n;

        (void)state;
        send_many_fds(p.a, 3);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
        lim = (struct rlimit){(rlim_t)top + 2, was.rlim_max}; /* one more */
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &lim), 0);
        n = ctl_recv(p.b, packet, fds, &n_fds, 0);
        setrlimit(RLIMIT_NOFILE, &was);
        assert_int_equal(n, FRAME_HDR);
        assert_int_equal(n_fds, 0);
        fd_close(&top);
        assert_int_equal(open_descriptors(), before);
        pair_close(&p);
}

static void test_packet_too_large(void **state)
{
        struct pair p = pair_open();
        int         fds[CTL_FDS_MAX];
        size_t      n_fds;
        static char large[FRAME_MAX + 1];

        (void)state;
        assert_int_equal(send(p.a, large, sizeof(large), 0), sizeof(large));
        assert_int_equal(ctl_recv(p.b, packet, fds, &n_fds, 0), -EMSGSIZE);
        assert_int_equal(send(p.a, large, FRAME_MAX, 0), FRAME_MAX);
        assert_int_equal(ctl_recv(p.b, packet, fds, &n_fds, 0), FRAME_MAX);
        pair_close(&p);
}

static void test_body_too_large(void **state)
{
        struct pair  p = pair_open();
        struct frame f = {.id = 1};

        (void)state;
        assert_int_equal(ctl_send(p.a, &f, packet, FRAME_MAX - FRAME_HDR + 1, NULL, 0, 0), -EMSGSIZE);
        assert_int_equal(ctl_send(p.a, &f, packet, FRAME_MAX - FRAME_HDR, NULL, 0, 0), 0);
        pair_close(&p);
}

static void test_end(void **state)
{
        struct pair  p = pair_open();
        struct frame f = {.id = 1};
        int          fds[CTL_FDS_MAX];
        size_t       n_fds;

        (void)state;
        fd_close(&p.a);
        assert_int_equal(ctl_recv(p.b, packet, fds, &n_fds, 0), 0);
        assert_int_equal(ctl_send(p.b, &f, "x", 1, NULL, 0, 0), -EPIPE); /* and no SIGPIPE */
        pair_close(&p);
}

static void test_full_socket(void **state)
{
        struct pair  p = pair_open();
        struct frame f = {.id = 1};
        int          r = 0;

        (void)state;
        for (int i = 0; i < 100000 && r == 0; i++)
                r = ctl_send(p.a, &f, packet, 1000, NULL, 0, MSG_DONTWAIT);
        assert_int_equal(r, -EAGAIN);
        pair_close(&p);
}

/* -- listening ------------------------------------------------------------- */

static char dir[64];

static char *path_in(const char *name)
{
        static char path[512];

        snprintf(path, sizeof(path), "%s/%s", dir, name);
        return path;
}

static int make_dir(void **state)
{
        (void)state;
        strcpy(dir, "/tmp/o7s-test-ctl-XXXXXX");
        return mkdtemp(dir) == NULL;
}

static int remove_dir(void **state)
{
        (void)state;
        unlink(path_in("sock"));
        return rmdir(dir); /* and nothing else is left in it */
}

static void test_listen_and_connect(void **state)
{
        const char *path = path_in("sock");
        int         l    = ctl_listen(path);
        struct stat st;
        int         a, b;
        uint8_t     c;

        (void)state;
        assert_true(l >= 0);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0666);
        assert_int_equal(fcntl(l, F_GETFD), FD_CLOEXEC);
        assert_int_equal(accept(l, NULL, NULL), -1);
        assert_int_equal(errno, EAGAIN);
        a = ctl_connect(path);
        assert_true(a >= 0);
        assert_int_equal(fcntl(a, F_GETFD), FD_CLOEXEC);
        assert_int_equal(fcntl(a, F_GETFL) & O_NONBLOCK, 0);
        b = accept(l, NULL, NULL);
        assert_int_equal(ctl_send(a, &(struct frame){.id = 1}, "x", 1, NULL, 0, 0), 0);
        assert_int_equal(recv(b, &c, 1, MSG_TRUNC), FRAME_HDR + 1);
        fd_close(&a);
        fd_close(&b);
        fd_close(&l);
}

static void test_nobody_listens(void **state)
{
        (void)state;
        assert_int_equal(ctl_connect(path_in("sock")), -ENOENT);
        assert_int_equal(ctl_connect(""), -ENOENT);
}

static void test_listen_twice(void **state)
{
        const char *path = path_in("sock");
        int         l    = ctl_listen(path);
        int         a;

        (void)state;
        assert_int_equal(ctl_listen(path), -EADDRINUSE);
        a = ctl_connect(path); /* the first one still has it */
        assert_true(a >= 0);
        fd_close(&a);
        fd_close(&l);
}

static void test_listen_replaces_what_is_dead(void **state)
{
        const char *path = path_in("sock");
        int         l    = ctl_listen(path);
        int         a;

        (void)state;
        fd_close(&l);
        assert_int_equal(ctl_connect(path), -ECONNREFUSED);
        l = ctl_listen(path);
        assert_true(l >= 0);
        a = ctl_connect(path);
        assert_true(a >= 0);
        fd_close(&a);
        fd_close(&l);
}

/* Nothing but a socket is ever replaced. */
static void test_listen_spares_files(void **state)
{
        const char *path = path_in("sock");
        int         fd   = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);

        (void)state;
        assert_int_equal(ctl_listen(path), -EEXIST);
        assert_int_equal(access(path, F_OK), 0);
        fd_close(&fd);
        assert_int_equal(ctl_listen("/nonexistent/sock"), -ENOENT);
}

static void test_long_path(void **state)
{
        char below[256], path[512];
        int  l, a;

        (void)state;
        snprintf(below, sizeof(below), "%s/%0120d", dir, 7);
        snprintf(path, sizeof(path), "%s/sock", below);
        assert_int_equal(mkdir(below, 0700), 0);
        l = ctl_listen(path);
        assert_true(l >= 0);
        a = ctl_connect(path);
        assert_true(a >= 0);
        fd_close(&a);
        fd_close(&l);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(rmdir(below), 0);
}

/* -- who it is ------------------------------------------------------------- */

static bool has_ended(int pidfd, int timeout_ms)
{
        struct pollfd pfd = {.fd = pidfd, .events = POLLIN};

        return poll(&pfd, 1, timeout_ms) == 1;
}

static void test_peer(void **state)
{
        const char     *path = path_in("sock");
        int             l    = ctl_listen(path);
        struct ctl_peer peer;
        pid_t           child = fork();
        int             sock;

        (void)state;
        if (child == 0) {
                sock = ctl_connect(path);
                pause();
                _exit(sock);
        }
        assert_true(child > 0);
        assert_true(has_ended(l, 5000)); /* somebody has connected */
        sock = accept(l, NULL, NULL);
        assert_true(sock >= 0);
        assert_int_equal(ctl_peer(sock, &peer), 0);
        assert_int_equal(peer.pid, child);
        assert_int_equal(peer.uid, getuid());
        assert_int_equal(peer.gid, getgid());
        assert_true(peer.pidfd >= 0);
        assert_int_equal(fcntl(peer.pidfd, F_GETFD), FD_CLOEXEC);
        assert_false(has_ended(peer.pidfd, 0));
        kill(child, SIGKILL);
        assert_true(has_ended(peer.pidfd, 5000));
        assert_int_equal(waitpid(child, NULL, 0), child);
        fd_close(&peer.pidfd);

        /* Asked too late: there is no process, and no other one is taken for it. */
        assert_int_equal(ctl_peer(sock, &peer), 0);
        assert_int_equal(peer.pid, child);
        assert_true(peer.pidfd == -1 || has_ended(peer.pidfd, 0));
        fd_close(&peer.pidfd);
        fd_close(&sock);
        fd_close(&l);
}

static void test_peer_of_no_socket(void **state)
{
        struct ctl_peer peer;

        (void)state;
        assert_int_equal(ctl_peer(-1, &peer), -EBADF);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_frame_arrives),
                cmocka_unit_test(test_empty_body_arrives),
                cmocka_unit_test(test_nothing_there),
                cmocka_unit_test(test_descriptors_arrive),
                cmocka_unit_test(test_too_many_descriptors),
                cmocka_unit_test(test_full_table),
                cmocka_unit_test(test_packet_too_large),
                cmocka_unit_test(test_body_too_large),
                cmocka_unit_test(test_end),
                cmocka_unit_test(test_full_socket),
                cmocka_unit_test_setup_teardown(test_listen_and_connect, make_dir, remove_dir),
                cmocka_unit_test_setup_teardown(test_nobody_listens, make_dir, remove_dir),
                cmocka_unit_test_setup_teardown(test_listen_twice, make_dir, remove_dir),
                cmocka_unit_test_setup_teardown(test_listen_replaces_what_is_dead, make_dir, remove_dir),
                cmocka_unit_test_setup_teardown(test_listen_spares_files, make_dir, remove_dir),
                cmocka_unit_test_setup_teardown(test_long_path, make_dir, remove_dir),
                cmocka_unit_test_setup_teardown(test_peer, make_dir, remove_dir),
                cmocka_unit_test(test_peer_of_no_socket),
        };

        return cmocka_run_group_tests_name("ctl", tests, NULL, NULL);
}
