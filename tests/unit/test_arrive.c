/*
 * test_arrive.c - what irmd says becomes a flow, or is refused without a trace. The answers are made here;
 * the connection they belong to leads to a socket that nobody serves.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <ouroboros/dev.h>
#include <ouroboros/errno.h>
#include <ouroboros/fccntl.h>

#include "base/clock.h"
#include "base/fd.h"
#include "crypt/record.h"
#include "crypt/suite.h"
#include "ctl/ctl.h"
#include "dev/arrive.h"
#include "dev/dealloc.h"
#include "dev/process.h"
#include "pb/wiping.h"
#include "shm/bell.h"

struct fixture {
        char          path[64];
        int           listener;
        struct rpc   *rpc;
        size_t        fds_before;
        int           port;
        struct bell   bell[2];
        Irm__FlowUp   up;
        Irm__Reply    reply;
        struct ask    ask;
        struct answer ans;
};

static size_t count_fds(void)
{
        DIR   *d = opendir("/proc/self/fd");
        size_t n = 0;

        while (readdir(d) != NULL)
                n++;
        closedir(d);
        return n;
}

/* An answer with which everything is right, as to flow_accept() or flow_alloc(). */
static int setup(void **state)
{
        struct fixture *f = calloc(1, sizeof(*f));

        *state = f;
        snprintf(f->path, sizeof(f->path), "/tmp/o7s-arrive.%d", (int)getpid());
        f->listener = ctl_listen(f->path);
        if (f->listener < 0 || rpc_open(&f->rpc, f->path) < 0)
                return -1;
        process_prepare();
        f->fds_before = count_fds();
        f->port       = port_create();
        if (f->port < 0 || bell_create(&f->bell[0]) < 0 || bell_create(&f->bell[1]) < 0)
                return -1;
        irm__flow_up__init(&f->up);
        f->up.flow_id = 4711;
        f->up.side    = 1;
        f->up.layer   = "house";
        f->up.name    = "bell";
        f->up.peer    = "uid:17";
        irm__reply__init(&f->reply);
        f->reply.body_case = IRM__REPLY__BODY_FLOW_UP;
        f->reply.flow_up   = &f->up;
        f->ask.rpc         = f->rpc;
        return 0;
}

static int teardown(void **state)
{
        struct fixture *f = *state;

        rpc_unref(f->rpc);
        close(f->listener);
        unlink(f->path);
        free(f);
        return 0;
}

/*
 * Packs f->reply and takes it apart again, as it would arrive, with the first @n_fds of port, peer bell and
 * bell.
 */
static void receive(struct fixture *f, size_t n_fds)
{
        const int       fds[] = {f->port, f->bell[0].other, f->bell[1].own};
        size_t          len   = irm__reply__get_packed_size(&f->reply);
        struct rpc_msg *m     = calloc(1, sizeof(*m) + len);

        m->len   = irm__reply__pack(&f->reply, m->body);
        m->n_fds = n_fds;
        memcpy(m->fds, fds, n_fds * sizeof(int));
        for (size_t i = n_fds; i < 3; i++)
                close(fds[i]);
        f->ans.msg   = m;
        f->ans.reply = irm__reply__unpack(&pb_wiping, m->len, m->body);
        assert_non_null(f->ans.reply);
}

static void close_others(struct fixture *f)
{
        fd_close(&f->bell[0].own);
        fd_close(&f->bell[0].keeper);
        fd_close(&f->bell[1].other);
        fd_close(&f->bell[1].keeper);
}

/* It is refused with @code, irmd would be told, and nothing is left. */
static void assert_refused(struct fixture *f, size_t n_fds, int code)
{
        receive(f, n_fds);
        assert_int_equal(arrive(&f->ask, &f->ans, NULL, NULL), code);
        assert_false(f->ask.over);
        answer_free(&f->ans);
        close_others(f);
        assert_int_equal(count_fds(), f->fds_before);
}

static void test_a_flow(void **state)
{
        struct fixture  *f = *state;
        struct flow_info info;
        struct flow_peer peer;
        qosspec_t        qs = {0};
        int              fd;

        receive(f, 3);
        fd = arrive(&f->ask, &f->ans, &qs, NULL);
        answer_free(&f->ans);
        assert_int_equal(fd, f->bell[1].own);
        assert_true(f->ask.over);
        assert_int_equal(qs.timeout, DEFAULT_PEER_TIMEOUT);
        assert_int_equal(fccntl(fd, FLOWGINFO, &info), 0);
        assert_int_equal(info.flow_id, 4711);
        assert_string_equal(info.layer, "house");
        assert_int_equal(fccntl(fd, FLOWGPEER, &peer), 0);
        assert_string_equal(peer.identity, "uid:17");
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        assert_int_equal(flow_dealloc(fd), 0);
        close_others(f);
        assert_int_equal(count_fds(), f->fds_before);
}

static void test_no_flow_in_the_answer(void **state)
{
        struct fixture *f = *state;

        f->reply.body_case = IRM__REPLY__BODY__NOT_SET;
        assert_refused(f, 3, -EPROTO);
}

static void test_a_side_that_is_none(void **state)
{
        struct fixture *f = *state;

        f->up.side = 2;
        assert_refused(f, 3, -EPROTO);
}

static void test_an_unknown_type(void **state)
{
        struct fixture *f = *state;

        f->up.ipcp_type = IPCP_INVALID;
        assert_refused(f, 3, -EPROTO);
}

static void test_a_layer_that_is_too_long(void **state)
{
        struct fixture *f = *state;
        char            layer[FLOW_LAYER_SIZE + 1];

        memset(layer, 'a', sizeof(layer));
        layer[FLOW_LAYER_SIZE] = '\0';
        f->up.layer            = layer;
        assert_refused(f, 3, -EPROTO);
}

static void test_an_identity_that_is_too_long(void **state)
{
        struct fixture *f = *state;
        char            peer[FLOW_IDENTITY_SIZE + 1];

        memset(peer, 'a', sizeof(peer));
        peer[FLOW_IDENTITY_SIZE] = '\0';
        f->up.peer               = peer;
        assert_refused(f, 3, -EPROTO);
}

static void test_a_quality_that_is_none(void **state)
{
        struct fixture *f   = *state;
        Irm__Qos        qos = IRM__QOS__INIT;

        qos.in_order = 256;
        f->up.qos    = &qos;
        assert_refused(f, 3, -EPROTO);
}

static void test_a_descriptor_is_missing(void **state)
{
        assert_refused(*state, 2, -EPROTO);
}

/* The packet came without them: this process has too many open. */
static void test_no_room_for_descriptors(void **state)
{
        assert_refused(*state, 0, -EMFILE);
}

static void test_a_port_that_is_none(void **state)
{
        struct fixture *f = *state;

        close(f->port);
        f->port = open("/dev/zero", O_RDWR | O_CLOEXEC);
        assert_refused(f, 3, -EPROTO);
}

static void test_a_port_that_can_shrink(void **state)
{
        struct fixture *f = *state;

        close(f->port);
        f->port = memfd_create("port", MFD_CLOEXEC);
        assert_int_equal(ftruncate(f->port, (off_t)PORT_SIZE), 0);
        assert_refused(f, 3, -EPROTO);
}

/* A program that has closed its standard output must not write into a bell. */
static void test_numbers_of_standard_streams_are_left_alone(void **state)
{
        struct fixture *f     = *state;
        int             saved = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 10);
        int             own   = f->bell[1].own;
        int             fd;

        assert_int_equal(dup3(own, STDIN_FILENO, O_CLOEXEC), STDIN_FILENO);
        close(own);
        f->bell[1].own = STDIN_FILENO;
        receive(f, 3);
        fd = arrive(&f->ask, &f->ans, NULL, NULL);
        answer_free(&f->ans);
        assert_true(fd > STDERR_FILENO);
        assert_int_equal(fcntl(STDIN_FILENO, F_GETFD), -1);
        flow_dealloc(fd);
        dup2(saved, STDIN_FILENO);
        close(saved);
        close_others(f);
}

/* -- secrets and first data ------------------------------------------------ */

static uint8_t secret[2][RECORD_SECRET + 1] = {{1}, {2}};
static uint8_t first[FLOW_DATA_MAX + 1]     = "early bird";

static ProtobufCBinaryData bytes(uint8_t *data, size_t len)
{
        return (ProtobufCBinaryData){.data = data, .len = len};
}

static void seal(struct fixture *f, enum suite suite, size_t send_len, size_t recv_len)
{
        f->up.suite       = suite;
        f->up.send_secret = bytes(secret[0], send_len);
        f->up.recv_secret = bytes(secret[1], recv_len);
}

static void test_secrets_of_a_wrong_length(void **state)
{
        static const struct {
                enum suite suite;
                size_t     send, recv;
        } bad[] = {
                {SUITE_P384, 0, 0},
                {SUITE_P384, RECORD_SECRET, 0},
                {SUITE_P384, 0, RECORD_SECRET},
                {SUITE_X25519, RECORD_SECRET - 1, RECORD_SECRET},
                {SUITE_X25519, RECORD_SECRET, RECORD_SECRET + 1},
                {SUITE_PLAIN, RECORD_SECRET, RECORD_SECRET},
                {SUITE_PLAIN, 0, 1},
        };

        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                if (i > 0)
                        assert_int_equal(setup(state), 0);
                seal(*state, bad[i].suite, bad[i].send, bad[i].recv);
                assert_refused(*state, 3, -EPROTO);
                if (i + 1 < sizeof(bad) / sizeof(bad[0]))
                        teardown(state);
        }
}

static void test_a_suite_that_is_none(void **state)
{
        seal(*state, SUITE_N, RECORD_SECRET, RECORD_SECRET);
        assert_refused(*state, 3, -EPROTO);
}

static void test_a_fingerprint_of_a_wrong_length(void **state)
{
        struct fixture *f = *state;

        f->up.fingerprint = bytes(first, FLOW_FINGERPRINT_SIZE - 1);
        assert_refused(f, 3, -EPROTO);
}

static void test_first_data_that_is_too_long(void **state)
{
        struct fixture *f = *state;

        f->up.data = bytes(first, FLOW_DATA_MAX + 1);
        assert_refused(f, 3, -EPROTO);
}

/* Nobody could ever prove anything. */
static void test_first_data_held_on_a_plain_flow(void **state)
{
        struct fixture *f = *state;

        f->up.data = bytes(first, 10);
        f->up.hold = true;
        assert_refused(f, 3, -EPROTO);
}

static void test_first_data_held_by_a_client(void **state)
{
        struct fixture *f = *state;

        seal(f, SUITE_P384, RECORD_SECRET, RECORD_SECRET);
        f->up.client = true;
        f->up.hold   = true;
        assert_refused(f, 3, -EPROTO);
}

/* Makes the flow, with room for @size bytes of first data. */
static int come_up(struct fixture *f, uint8_t *buf, size_t size, struct flow_data *data)
{
        int fd;

        *data = (struct flow_data){.send = first, .send_len = 10, .recv = buf, .recv_size = size};
        assert_int_equal(ask_check_data(data), 0);
        receive(f, 3);
        fd = arrive(&f->ask, &f->ans, NULL, data);
        answer_free(&f->ans);
        assert_int_equal(fd, f->bell[1].own);
        return fd;
}

static void end_flow(struct fixture *f, int fd)
{
        assert_int_equal(flow_dealloc(fd), 0);
        close_others(f);
        assert_int_equal(count_fds(), f->fds_before);
}

static void test_an_encrypted_flow(void **state)
{
        struct fixture  *f = *state;
        struct flow_peer peer;
        struct flow_data data;
        uint8_t          buf[16];
        int              fd;

        seal(f, SUITE_X25519, RECORD_SECRET, RECORD_SECRET);
        f->up.authenticated = true;
        f->up.fingerprint   = bytes(secret[1], FLOW_FINGERPRINT_SIZE);
        f->up.peer          = (char *)"dns:a.example";
        fd                  = come_up(f, buf, sizeof(buf), &data);
        assert_int_equal(data.recv_len, 0);
        assert_int_equal(fccntl(fd, FLOWGPEER, &peer), 0);
        assert_int_equal(peer.encrypted, 1);
        assert_int_equal(peer.authenticated, 1);
        assert_int_equal(peer.suite, SUITE_X25519);
        assert_int_equal(peer.confirmed, 0);
        assert_string_equal(peer.identity, "dns:a.example");
        assert_memory_equal(peer.fingerprint, secret[1], FLOW_FINGERPRINT_SIZE);
        assert_int_equal(ring_tx_used(&process_slot(fd)->port.tx), 0);
        end_flow(f, fd);
}

/* Its first record is there before it has a chance to say something, and calls a server that may hold data. */
static void test_a_client_greets(void **state)
{
        struct fixture  *f = *state;
        struct flow_peer peer;
        struct flow_data data;
        int              fd;

        seal(f, SUITE_P384, RECORD_SECRET, RECORD_SECRET);
        f->up.client = true;
        fd           = come_up(f, NULL, 0, &data);
        assert_int_equal(ring_tx_used(&process_slot(fd)->port.tx), ring_record(RECORD_OVERHEAD));
        assert_int_equal(fccntl(fd, FLOWGPEER, &peer), 0);
        assert_int_equal(peer.confirmed, 1);
        end_flow(f, fd);
}

static void test_first_data_goes_to_the_caller(void **state)
{
        struct fixture  *f = *state;
        struct flow_data data;
        uint8_t          buf[10];
        int              fd;

        f->up.data = bytes(first, 10);
        fd         = come_up(f, buf, sizeof(buf), &data);
        assert_int_equal(data.recv_len, 10);
        assert_memory_equal(buf, "early bird", 10);
        assert_int_equal(fccntl(fd, FLOWSFLAGS, (uint32_t)(FLOWFDEFAULT | FLOWFRNOBLOCK)), 0);
        assert_int_equal(flow_read(fd, buf, 1), -EAGAIN);
        end_flow(f, fd);
}

static void test_first_data_that_does_not_fit_is_read(void **state)
{
        struct fixture  *f = *state;
        struct flow_data data;
        uint8_t          buf[10];
        int              fd;

        f->up.data = bytes(first, FLOW_DATA_MAX);
        fd         = come_up(f, buf, sizeof(buf), &data);
        assert_int_equal(data.recv_len, 0);
        assert_int_equal(flow_read(fd, buf, 10), 10);
        assert_memory_equal(buf, "early bird", 10);
        for (size_t left = FLOW_DATA_MAX - 10; left > 0;) {
                ssize_t n = flow_read(fd, buf, sizeof(buf));

                assert_true(n > 0 && (size_t)n <= left);
                left -= (size_t)n;
        }
        end_flow(f, fd);
}

static void test_first_data_that_is_held_is_not_given(void **state)
{
        struct fixture  *f = *state;
        struct flow_data data;
        uint8_t          buf[16];
        int              fd;

        seal(f, SUITE_P384, RECORD_SECRET, RECORD_SECRET);
        f->up.data = bytes(first, 10);
        f->up.hold = true;
        fd         = come_up(f, buf, sizeof(buf), &data);
        assert_int_equal(data.recv_len, 0);
        assert_int_equal(fccntl(fd, FLOWSFLAGS, (uint32_t)(FLOWFDEFAULT | FLOWFRNOBLOCK)), 0);
        assert_int_equal(flow_read(fd, buf, sizeof(buf)), -EAGAIN);
        end_flow(f, fd);
}

/* -- in two steps ---------------------------------------------------------- */

/* A slot whose allocation has begun. */
static struct slot *pend(struct fixture *f)
{
        struct ask  *a   = calloc(1, sizeof(*a));
        Irm__Request req = IRM__REQUEST__INIT;
        Irm__Hello   m   = IRM__HELLO__INIT;
        struct slot *s;

        req.verb_case = IRM__REQUEST__VERB_HELLO;
        req.hello     = &m;
        assert_int_equal(ask_begin(a, f->rpc, &req, CLOCK_NEVER), 0);
        assert_int_equal(arrive_slot(f->bell[1].own, &s), 0);
        slot_pend(s, f->bell[1].own, a);
        slot_unlock(s);
        return s;
}

static bool is_readable(int fd)
{
        struct pollfd pfd = {.fd = fd, .events = POLLIN};

        return poll(&pfd, 1, 0) == 1;
}

static void test_a_pending_flow_is_not_a_flow_yet(void **state)
{
        struct fixture *f  = *state;
        int             fd = f->bell[1].own;
        char            c;

        pend(f);
        assert_int_equal(flow_alloc_finish(fd, NULL), -EAGAIN);
        assert_int_equal(flow_read(fd, &c, 1), -EBADF);
        assert_int_equal(flow_write(fd, &c, 1), -EBADF);
        assert_int_equal(fccntl(fd, FLOWGFLAGS, &c), -EBADF);
        assert_int_equal(flow_alloc_finish(fd, NULL), -EAGAIN);
        assert_int_equal(flow_dealloc(fd), 0);
        assert_int_equal(flow_alloc_finish(fd, NULL), -EBADF);
        f->bell[1].own = -1;
        close(f->port);
        bell_close(&f->bell[0]);
        bell_close(&f->bell[1]);
        assert_int_equal(count_fds(), f->fds_before);
}

static void test_a_pending_flow_comes_up(void **state)
{
        struct fixture *f  = *state;
        int             fd = f->bell[1].own;
        struct slot    *s  = pend(f);
        struct ask     *a  = s->ask;

        f->bell[1].own = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3); /* for receive() to close */
        receive(f, 2);
        bell_ring(f->bell[1].other);
        slot_lock(s);
        assert_int_equal(arrive_pending(s, &f->ans, NULL), 0);
        slot_unlock(s);
        answer_free(&f->ans);
        assert_true(a->over);
        ask_free(a);
        assert_false(is_readable(fd));
        assert_int_equal(flow_write(fd, "x", 1), 1);
        assert_int_equal(flow_dealloc(fd), 0);
        close_others(f);
        assert_int_equal(count_fds(), f->fds_before);
}

/* irmd dies: the descriptor becomes readable, and the allocation has failed. */
static void test_a_pending_flow_whose_daemon_is_gone(void **state)
{
        struct fixture *f  = *state;
        int             fd = f->bell[1].own;
        int             sock;

        pend(f);
        sock = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC);
        close(sock);
        fd_close(&f->bell[1].other);
        fd_close(&f->bell[1].keeper);
        assert_true(is_readable(fd));
        assert_int_equal(flow_alloc_finish(fd, NULL), -EIRMD);
        assert_int_equal(errno, ECONNREFUSED);
        assert_int_equal(fcntl(fd, F_GETFD), -1);
        bell_close(&f->bell[0]);
        close(f->port);
}

/* -- without a daemon ------------------------------------------------------ */

static void test_no_daemon(void **state)
{
        (void)state;
        assert_int_equal(flow_alloc("name", NULL, NULL), -EIRMD);
        assert_int_equal(errno, ECONNREFUSED);
        assert_int_equal(flow_alloc_start("name", NULL, NULL), -EIRMD);
        assert_int_equal(flow_accept(NULL, NULL), -EIRMD);
        assert_int_equal(flow_accept_fd(), -EIRMD);
}

static void test_what_is_refused_without_asking(void **state)
{
        static const struct timespec bad = {0, 1000000000};

        (void)state;
        assert_int_equal(flow_alloc(NULL, NULL, NULL), -EINVAL);
        assert_int_equal(flow_alloc("", NULL, NULL), -EINVAL);
        assert_int_equal(flow_alloc("a/b", NULL, NULL), -EINVAL);
        assert_int_equal(flow_alloc_start("a/b", NULL, NULL), -EINVAL);
        assert_int_equal(flow_alloc("name", NULL, &bad), -EINVAL);
        assert_int_equal(flow_accept(NULL, &bad), -EINVAL);
        assert_int_equal(errno, EINVAL);
}

static void test_first_data_that_cannot_be(void **state)
{
        struct flow_data long_one = {.send = first, .send_len = FLOW_DATA_MAX + 1, .recv_len = 7};
        struct flow_data no_send  = {.send_len = 1};
        struct flow_data no_recv  = {.recv_size = 1};

        (void)state;
        assert_int_equal(flow_alloc_data("name", NULL, NULL, &long_one), -EMSGSIZE);
        assert_int_equal(long_one.recv_len, 0);
        assert_int_equal(flow_accept_data(NULL, NULL, &long_one), -EMSGSIZE);
        assert_int_equal(flow_alloc_data("name", NULL, NULL, &no_send), -EINVAL);
        assert_int_equal(flow_accept_data(NULL, NULL, &no_recv), -EINVAL);
        long_one.send_len = FLOW_DATA_MAX;
        assert_int_equal(flow_alloc_data("name", NULL, NULL, &long_one), -EIRMD);
        assert_int_equal(flow_alloc_data("name", NULL, NULL, NULL), -EIRMD);
        assert_int_equal(flow_accept_data(NULL, NULL, NULL), -EIRMD);
}

static void test_limits(void **state)
{
        struct limit lim;

        (void)state;
        assert_true(limit_set(&lim, NULL));
        assert_int_equal(lim.ms, 0);
        assert_int_equal(lim.give_up_ns, CLOCK_NEVER);
        assert_true(limit_set(&lim, &(struct timespec){0, 0}));
        assert_int_equal(lim.ms, 1);
        assert_true(limit_set(&lim, &(struct timespec){1, 1}));
        assert_int_equal(lim.ms, 1001);
        assert_true(lim.give_up_ns > clock_now_ns() + NS_PER_S);
        assert_true(limit_set(&lim, &(struct timespec){INT64_MAX, 999999999}));
        assert_true(lim.ms > 0);
        assert_false(limit_set(&lim, &(struct timespec){-1, 0}));
}

#define test(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                test(a_flow),
                test(no_flow_in_the_answer),
                test(a_side_that_is_none),
                test(an_unknown_type),
                test(a_layer_that_is_too_long),
                test(an_identity_that_is_too_long),
                test(a_quality_that_is_none),
                test(a_descriptor_is_missing),
                test(no_room_for_descriptors),
                test(a_port_that_is_none),
                test(a_port_that_can_shrink),
                test(numbers_of_standard_streams_are_left_alone),
                test(secrets_of_a_wrong_length),
                test(a_suite_that_is_none),
                test(a_fingerprint_of_a_wrong_length),
                test(first_data_that_is_too_long),
                test(first_data_held_on_a_plain_flow),
                test(first_data_held_by_a_client),
                test(an_encrypted_flow),
                test(a_client_greets),
                test(first_data_goes_to_the_caller),
                test(first_data_that_does_not_fit_is_read),
                test(first_data_that_is_held_is_not_given),
                test(a_pending_flow_is_not_a_flow_yet),
                test(a_pending_flow_comes_up),
                test(a_pending_flow_whose_daemon_is_gone),
                cmocka_unit_test(test_no_daemon),
                cmocka_unit_test(test_what_is_refused_without_asking),
                cmocka_unit_test(test_first_data_that_cannot_be),
                cmocka_unit_test(test_limits),
        };

        setenv("OUROBOROS_RUNTIME_DIR", "/nonexistent", 1);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
