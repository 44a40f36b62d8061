/*
 * test_ipcp.c - ipcpd-local as a process, with the test in irmd's place at the other end of its descriptor 3.
 *
 * IPCPD_LOCAL is the program's path, from CMake.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <ouroboros/errno.h>

#include "base/fd.h"
#include "ctl/ctl.h"
#include "ipcp_messages.h"

#define HASH 32

struct fixture {
        pid_t          pid;
        int            sock;
        int            log; /* its stderr */
        uint8_t        buf[IPCP_MESSAGE_MAX];
        uint32_t       id;
        Ipcp__Message *got;
};

/* The program, with @sock as descriptor 3 and @log as stderr. */
static pid_t spawn(int sock, int log)
{
        pid_t pid = fork();

        if (pid != 0)
                return pid;
        dup2(log, STDERR_FILENO);
        if (sock == 3)
                fcntl(3, F_SETFD, 0);
        else
                dup2(sock, 3);
        execl(IPCPD_LOCAL, "ipcpd-local", NULL);
        _exit(127);
}

static struct fixture *start(int log)
{
        struct fixture *x = calloc(1, sizeof(*x));
        int             sv[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
        x->sock = sv[0];
        x->log  = log;
        x->pid  = spawn(sv[1], log);
        assert_true(x->pid > 0);
        fd_close(&sv[1]);
        return x;
}

static int setup(void **state)
{
        int log = memfd_create("log", MFD_CLOEXEC);

        if (log < 0)
                return -1;
        *state = start(log);
        return 0;
}

/* With a log that nobody reads any more. */
static int setup_deaf(void **state)
{
        int pipe_fds[2];

        if (pipe2(pipe_fds, O_CLOEXEC) < 0)
                return -1;
        fd_close(&pipe_fds[0]);
        *state = start(pipe_fds[1]);
        return 0;
}

static int teardown(void **state)
{
        struct fixture *x = *state;

        if (x->pid > 0) {
                kill(x->pid, SIGKILL);
                waitpid(x->pid, NULL, 0);
        }
        ipcp__message__free_unpacked(x->got, NULL);
        fd_close(&x->sock);
        fd_close(&x->log);
        free(x);
        return 0;
}

static bool readable(int fd, int timeout_ms)
{
        struct pollfd pfd = {.fd = fd, .events = POLLIN};

        return poll(&pfd, 1, timeout_ms) == 1;
}

static void give(struct fixture *x, uint32_t id, size_t len)
{
        const struct frame f = {.id = id};

        assert_int_equal(ctl_send(x->sock, &f, x->buf, len, NULL, 0, 0), 0);
}

/* The next message of the IPCP. */
static void gets(struct fixture *x)
{
        static uint8_t packet[FRAME_MAX];
        int            fds[CTL_FDS_MAX];
        size_t         n_fds;
        struct frame   f;
        struct rd      in;
        ssize_t        n;

        assert_true(readable(x->sock, 10000));
        n = ctl_recv(x->sock, packet, fds, &n_fds, 0);
        assert_true(n > 0);
        in = (struct rd){packet, packet + n, false};
        assert_true(frame_get(&in, &f));
        assert_int_equal(f.flags, 0);
        assert_int_equal(n_fds, 0);
        ipcp__message__free_unpacked(x->got, NULL);
        x->got = ipcp__message__unpack(NULL, (size_t)(in.end - in.p), in.p);
        assert_non_null(x->got);
        x->id = f.id;
}

static void gets_reply(struct fixture *x, uint32_t id, int result)
{
        gets(x);
        assert_int_equal(x->id, id);
        assert_int_equal(x->got->kind_case, IPCP__MESSAGE__KIND_REPLY);
        assert_int_equal(x->got->reply->result, result);
}

static void gets_ready(struct fixture *x)
{
        gets(x);
        assert_int_equal(x->got->kind_case, IPCP__MESSAGE__KIND_REQUEST);
        assert_int_equal(x->got->request->verb_case, IPCP__REQUEST__VERB_READY);
        assert_int_equal(x->got->request->ready->version, 1);
        assert_int_equal(x->got->request->ready->type, IPCP_LOCAL);
}

static void bootstrap(struct fixture *x)
{
        gets_ready(x);
        give(x, 1, msg_bootstrap(x->buf, "test.layer", DIR_HASH_SHA3_256, IPCP_LOCAL));
        gets_reply(x, 1, 0);
}

/* It ends by itself, within ten seconds. */
static void ends_with(struct fixture *x, int status)
{
        int got = -1;

        for (int i = 0; i < 1000 && waitpid(x->pid, &got, WNOHANG) == 0; i++)
                usleep(10000);
        assert_true(WIFEXITED(got));
        assert_int_equal(WEXITSTATUS(got), status);
        x->pid = 0;
}

/* All that it has logged. Call when it has ended. */
static const char *logged(struct fixture *x)
{
        static char text[65536];
        ssize_t     n = pread(x->log, text, sizeof(text) - 1, 0);

        text[n > 0 ? n : 0] = '\0';
        return text;
}

static void test_life(void **state)
{
        struct fixture *x       = *state;
        uint8_t         h[HASH] = {1, 2, 3};
        const char     *log;

        bootstrap(x);
        give(x, 2, msg_name_reg(x->buf, h, HASH));
        gets_reply(x, 2, 0);
        give(x, 3, msg_bootstrap(x->buf, "other", DIR_HASH_SHA3_256, IPCP_LOCAL));
        gets_reply(x, 3, -EIPCPSTATE);
        give(x, 4, msg_name_unreg(x->buf, h, HASH));
        gets_reply(x, 4, 0);
        give(x, 5, msg_shutdown(x->buf));
        gets_reply(x, 5, 0);
        ends_with(x, 0);
        log = logged(x);
        assert_non_null(strstr(log, "starting -> ready"));
        assert_non_null(strstr(log, "ready -> operational"));
        assert_non_null(strstr(log, "ipcpd-local test.layer"));
        assert_non_null(strstr(log, "operational -> leaving"));
}

static void test_flow(void **state)
{
        struct fixture *x       = *state;
        uint8_t         h[HASH] = {1, 2, 3};

        bootstrap(x);
        give(x, 2, msg_flow_alloc(x->buf, 100, h, HASH, &qos_raw));
        gets_reply(x, 2, -ENAME);
        give(x, 3, msg_name_reg(x->buf, h, HASH));
        gets_reply(x, 3, 0);
        give(x, 4, msg_flow_alloc(x->buf, 100, h, HASH, &qos_voice));
        gets(x);
        assert_int_equal(x->id, 0); /* nothing is to be answered */
        assert_int_equal(x->got->request->verb_case, IPCP__REQUEST__VERB_FLOW_ARRIVED);
        assert_int_equal(x->got->request->flow_arrived->twin, 100);
        assert_int_equal(x->got->request->flow_arrived->qos->delay, qos_voice.delay);
        assert_int_equal(x->got->request->flow_arrived->hash.len, HASH);
        assert_memory_equal(x->got->request->flow_arrived->hash.data, h, HASH);
        give(x, 0, msg_flow_dealloc(x->buf, 100)); /* not its business: said nothing about */
        give(x, 5, msg_name_unreg(x->buf, h, HASH));
        gets_reply(x, 5, 0);
}

/* One after the other; a crude look at what one costs. */
static void test_many_flows(void **state)
{
        struct fixture *x       = *state;
        uint8_t         h[HASH] = {1, 2, 3};

        bootstrap(x);
        give(x, 2, msg_name_reg(x->buf, h, HASH));
        gets_reply(x, 2, 0);
        for (uint64_t i = 1; i <= 5000; i++) {
                give(x, (uint32_t)i, msg_flow_alloc(x->buf, 2 * i, h, HASH, &qos_raw));
                gets(x);
                assert_int_equal(x->got->request->flow_arrived->twin, 2 * i);
        }
}

/* Many at once: more than the socket takes, in both directions. */
static void test_burst_of_flows(void **state)
{
        enum { N = 3000 };
        struct fixture *x       = *state;
        uint8_t         h[HASH] = {1, 2, 3};
        int             given = 0, arrived = 0;

        bootstrap(x);
        give(x, 2, msg_name_reg(x->buf, h, HASH));
        gets_reply(x, 2, 0);
        while (given < N) {
                const struct frame f   = {.id = (uint32_t)given + 1};
                size_t             len = msg_flow_alloc(x->buf, (uint64_t)given + 1, h, HASH, &qos_raw);
                int                r   = ctl_send(x->sock, &f, x->buf, len, NULL, 0, MSG_DONTWAIT);

                if (r == 0)
                        given++;
                else
                        assert_int_equal(r, -EAGAIN);
        }
        for (; arrived < N; arrived++) {
                gets(x);
                assert_int_equal(x->got->request->flow_arrived->twin, arrived + 1);
        }
}

static void raw(struct fixture *x, const void *packet, size_t len)
{
        assert_int_equal(send(x->sock, packet, len, MSG_NOSIGNAL), len);
}

static void test_garbage(void **state)
{
        static uint8_t  junk[100000];
        struct fixture *x = *state;
        struct frame    f = {.id = 9};

        bootstrap(x);
        raw(x, "x", 1);                       /* no frame */
        raw(x, "\0\0\0\1\377\0\0\0body", 12); /* unknown flags */
        raw(x, "\0\0\0\1\0\0\0\1body", 12);   /* reserved bits */
        raw(x, junk, sizeof(junk));           /* larger than any frame */
        memset(junk, 0xff, sizeof(junk));
        assert_int_equal(ctl_send(x->sock, &f, junk, 1000, NULL, 0, 0), 0);
        gets_reply(x, 9, -EPROTO);
        assert_int_equal(ctl_send(x->sock, &f, NULL, 0, NULL, 0, 0), 0);
        gets_reply(x, 9, -EPROTO);
        assert_int_equal(ctl_send(x->sock, &f, "", 0, (int[]){0, 1, 2}, 3, 0),
                         0); /* descriptors that nobody wants */
        gets_reply(x, 9, -EPROTO);
        give(x, 10, msg_reply(x->buf, 0, 4711)); /* an answer to nothing */
        srand(7);
        for (int i = 0; i < 5000; i++) {
                size_t len = (size_t)rand() % 64;

                for (size_t at = 0; at < len; at++)
                        junk[at] = (uint8_t)(rand() % (i % 2 == 0 ? 256 : 24));
                f.id = 0;
                assert_int_equal(ctl_send(x->sock, &f, junk, len, NULL, 0, 0), 0);
        }
        give(x, 11, msg_bootstrap(x->buf, "other", DIR_HASH_SHA3_256, IPCP_LOCAL));
        gets_reply(x, 11, -EIPCPSTATE); /* it lives, and is what it was */
}

static void test_irmd_dies(void **state)
{
        struct fixture *x = *state;

        bootstrap(x);
        fd_close(&x->sock);
        ends_with(x, 0);
        assert_non_null(strstr(logged(x), "operational -> leaving"));
}

static void test_irmd_dies_early(void **state)
{
        struct fixture *x = *state;

        fd_close(&x->sock);
        ends_with(x, 0);
}

static void test_signal(void **state)
{
        struct fixture *x = *state;

        bootstrap(x);
        kill(x->pid, SIGTERM);
        ends_with(x, 0);
        assert_non_null(strstr(logged(x), "operational -> leaving"));
}

static void test_goes_on_without_log(void **state)
{
        struct fixture *x       = *state;
        uint8_t         h[HASH] = {1};

        bootstrap(x);
        raw(x, "x", 1);
        give(x, 2, msg_name_reg(x->buf, h, HASH));
        gets_reply(x, 2, 0);
}

static int status_of(char *const argv[])
{
        int   status;
        pid_t pid = fork();

        if (pid == 0) {
                int null = open("/dev/null", O_RDWR);

                dup2(null, STDOUT_FILENO);
                dup2(null, STDERR_FILENO);
                dup2(null, 3);
                execv(IPCPD_LOCAL, argv);
                _exit(127);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_by_hand(void **state)
{
        (void)state;
        assert_int_equal(status_of((char *[]){"ipcpd-local", NULL}), 2);
        assert_int_equal(status_of((char *[]){"ipcpd-local", "junk", NULL}), 2);
        assert_int_equal(status_of((char *[]){"ipcpd-local", "--version", NULL}), 0);
        assert_int_equal(status_of((char *[]){"ipcpd-local", "--help", NULL}), 0);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                EACH(test_life),
                EACH(test_flow),
                EACH(test_many_flows),
                EACH(test_burst_of_flows),
                EACH(test_garbage),
                EACH(test_irmd_dies),
                EACH(test_irmd_dies_early),
                EACH(test_signal),
                cmocka_unit_test_setup_teardown(test_goes_on_without_log, setup_deaf, teardown),
                cmocka_unit_test(test_by_hand),
        };

        return cmocka_run_group_tests_name("ipcp", tests, NULL, NULL);
}
