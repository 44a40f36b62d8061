/*
 * test_rpc.c - threads that call over one connection, against a server that answers as each request says.
 *
 * The server is one thread with one connection. The first byte of a request tells it what to do; the rest
 * comes back.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <ouroboros/errno.h>

#include "base/clock.h"
#include "base/fd.h"
#include "ctl/rpc.h"

/* What a request may begin with. */
enum {
        ECHO    = 'e', /* answer at once */
        STREAM  = 's', /* answer five times, all but the last with MORE */
        HOLD    = 'h', /* keep it until RELEASE comes, then answer last first */
        RELEASE = 'r',
        FD      = 'f', /* answer with two descriptors */
        LATE    = 'l', /* answer the request before, twice, and then this one */
        JUNK    = 'j', /* answer with what is no frame */
        HANG    = 'x', /* close the connection */
        NEVER   = 'n'  /* do not answer */
};

#define HELD_MAX 256

struct server {
        char      path[64];
        int       listener;
        pthread_t thread;
        struct {
                struct frame frame;
                uint8_t      body[64];
                size_t       len;
        } held[HELD_MAX];
        size_t      n_held;
        atomic_uint posts; /* requests that want no answer */
};

static void answer(int sock, uint32_t id, uint8_t flags, const uint8_t *body, size_t len)
{
        const struct frame f = {.id = id, .flags = flags};

        ctl_send(sock, &f, body, len, NULL, 0, 0);
}

static void answer_fds(int sock, uint32_t id)
{
        const struct frame f = {.id = id};
        int                fds[2];

        if (pipe2(fds, O_CLOEXEC) == 0)
                ctl_send(sock, &f, "fd", 2, fds, 2, 0);
        fd_close_all(fds, 2);
}

static void answer_stream(int sock, uint32_t id)
{
        for (uint8_t i = 0; i < 5; i++)
                answer(sock, id, i < 4 ? FRAME_MORE : 0, &i, 1);
}

static void hold(struct server *s, const struct frame *f, const uint8_t *body, size_t len)
{
        if (s->n_held == HELD_MAX || len > sizeof(s->held[0].body))
                abort();
        s->held[s->n_held].frame = *f;
        s->held[s->n_held].len   = len;
        memcpy(s->held[s->n_held++].body, body, len);
}

static void release(struct server *s, int sock)
{
        while (s->n_held-- > 0)
                answer(sock, s->held[s->n_held].frame.id, 0, s->held[s->n_held].body, s->held[s->n_held].len);
        s->n_held = 0;
}

/* False: the connection is to be closed. */
static bool serve_one(struct server *s, int sock, const struct frame *f, const uint8_t *body, size_t len)
{
        if (f->id == 0) {
                atomic_fetch_add(&s->posts, 1);
                return true;
        }
        switch (body[0]) {
        case ECHO: answer(sock, f->id, 0, body, len); break;
        case STREAM: answer_stream(sock, f->id); break;
        case HOLD: hold(s, f, body, len); break;
        case RELEASE:
                release(s, sock);
                answer(sock, f->id, 0, body, len);
                break;
        case FD: answer_fds(sock, f->id); break;
        case LATE:
                answer(sock, f->id - 1, 0, body, len);
                answer_fds(sock, f->id - 1);
                answer(sock, f->id, 0, body, len);
                break;
        case JUNK: send(sock, "junk", 4, MSG_NOSIGNAL); break;
        case HANG: return false;
        case NEVER:
        default: break;
        }
        return true;
}

static void serve(struct server *s, int sock)
{
        static uint8_t packet[FRAME_MAX];
        int            fds[CTL_FDS_MAX];
        size_t         n_fds;
        ssize_t        n;
        struct frame   f;

        while ((n = ctl_recv(sock, packet, fds, &n_fds, 0)) > 0) {
                struct rd in = {packet, packet + n, false};

                if (!frame_get(&in, &f) || !serve_one(s, sock, &f, in.p, (size_t)(in.end - in.p)))
                        return;
        }
}

static void *server_thread(void *arg)
{
        struct server *s    = arg;
        struct pollfd  pfd  = {.fd = s->listener, .events = POLLIN};
        int            sock = poll(&pfd, 1, 10000) == 1 ? accept4(s->listener, NULL, NULL, SOCK_CLOEXEC) : -1;

        if (sock >= 0)
                serve(s, sock);
        fd_close(&sock);
        return NULL;
}

struct fixture {
        struct server server;
        struct rpc   *rpc;
        atomic_uint   passed; /* points that threads have come to */
};

static int setup(void **state)
{
        struct fixture *x = calloc(1, sizeof(*x));

        snprintf(x->server.path, sizeof(x->server.path), "/tmp/o7s-test-rpc-%d", (int)getpid());
        x->server.listener = ctl_listen(x->server.path);
        if (x->server.listener < 0 || pthread_create(&x->server.thread, NULL, server_thread, &x->server) != 0)
                return -1;
        *state = x;
        return rpc_open(&x->rpc, x->server.path);
}

static int teardown(void **state)
{
        struct fixture *x = *state;

        rpc_unref(x->rpc);
        pthread_join(x->server.thread, NULL);
        fd_close(&x->server.listener);
        unlink(x->server.path);
        free(x);
        return 0;
}

static int open_descriptors(void)
{
        int n = 0;

        for (int fd = 0; fd < 256; fd++)
                n += fcntl(fd, F_GETFD) >= 0;
        return n;
}

static int64_t after_ms(int64_t ms)
{
        return clock_now_ns() + ms * NS_PER_MS;
}

/* -- one thread ------------------------------------------------------------ */

static void test_echo(void **state)
{
        struct fixture *x = *state;
        struct rpc_call c;
        struct rpc_msg *m;

        assert_int_equal(rpc_begin(x->rpc, &c, "e123", 4), 0);
        assert_int_not_equal(rpc_id(&c), 0);
        assert_int_equal(rpc_next(x->rpc, &c, after_ms(5000), &m), 0);
        assert_int_equal(m->len, 4);
        assert_memory_equal(m->body, "e123", 4);
        assert_int_equal(m->n_fds, 0);
        assert_false(m->more);
        rpc_msg_free(m);
        rpc_end(x->rpc, &c);
        assert_false(rpc_lost(x->rpc));
}

static void test_without_deadline(void **state)
{
        struct fixture *x = *state;
        struct rpc_call c;
        struct rpc_msg *m;

        assert_int_equal(rpc_begin(x->rpc, &c, "e", 1), 0);
        assert_int_equal(rpc_next(x->rpc, &c, CLOCK_NEVER, &m), 0);
        rpc_msg_free(m);
        rpc_end(x->rpc, &c);
}

static void test_stream(void **state)
{
        struct fixture *x = *state;
        struct rpc_call c;
        struct rpc_msg *m;

        assert_int_equal(rpc_begin(x->rpc, &c, "s", 1), 0);
        for (int i = 0; i < 5; i++) {
                assert_int_equal(rpc_next(x->rpc, &c, after_ms(5000), &m), 0);
                assert_int_equal(m->body[0], i);
                assert_int_equal(m->more, i < 4);
                rpc_msg_free(m);
        }
        assert_int_equal(rpc_next(x->rpc, &c, after_ms(1), &m), -ETIMEDOUT);
        rpc_end(x->rpc, &c);
}

/* Answers come last first; each call gets its own. */
static void test_out_of_order(void **state)
{
        struct fixture *x = *state;
        struct rpc_call c[HELD_MAX], release_call;
        struct rpc_msg *m;

        for (uint8_t i = 0; i < 100; i++) {
                uint8_t body[2] = {HOLD, i};

                assert_int_equal(rpc_begin(x->rpc, &c[i], body, sizeof(body)), 0);
                assert_int_equal(rpc_next(x->rpc, &c[i], 0, &m), -ETIMEDOUT);
        }
        assert_int_equal(rpc_begin(x->rpc, &release_call, "r", 1), 0);
        for (uint8_t i = 0; i < 100; i++) {
                assert_int_equal(rpc_next(x->rpc, &c[i], after_ms(5000), &m), 0);
                assert_int_equal(m->body[1], i);
                rpc_msg_free(m);
                rpc_end(x->rpc, &c[i]);
        }
        assert_int_equal(rpc_next(x->rpc, &release_call, after_ms(5000), &m), 0);
        rpc_msg_free(m);
        rpc_end(x->rpc, &release_call);
}

static void test_timeout(void **state)
{
        struct fixture *x = *state;
        struct rpc_call c;
        struct rpc_msg *m;
        int64_t         start = clock_now_ns();

        assert_int_equal(rpc_begin(x->rpc, &c, "n", 1), 0);
        assert_int_equal(rpc_next(x->rpc, &c, 0, &m), -ETIMEDOUT);
        assert_int_equal(rpc_next(x->rpc, &c, 1, &m), -ETIMEDOUT); /* long ago */
        assert_true(clock_now_ns() < start + 5 * NS_PER_S);
        start = clock_now_ns();
        assert_int_equal(rpc_next(x->rpc, &c, start + 30 * NS_PER_MS, &m), -ETIMEDOUT);
        assert_true(clock_now_ns() >= start + 30 * NS_PER_MS);
        rpc_end(x->rpc, &c);
}

/* An answer that comes when nobody wants it any more is dropped, with its descriptors. */
static void test_late_answer(void **state)
{
        struct fixture *x = *state;
        struct rpc_call c;
        struct rpc_msg *m;
        int             before;

        test_echo(state); /* the server has accepted */
        before = open_descriptors();
        assert_int_equal(rpc_begin(x->rpc, &c, "n", 1), 0);
        rpc_end(x->rpc, &c);
        assert_int_equal(rpc_begin(x->rpc, &c, "l", 1), 0);
        assert_int_equal(rpc_next(x->rpc, &c, after_ms(5000), &m), 0);
        assert_int_equal(m->body[0], LATE);
        rpc_msg_free(m);
        rpc_end(x->rpc, &c);
        assert_int_equal(open_descriptors(), before);
}

static void test_descriptors(void **state)
{
        struct fixture *x = *state;
        struct rpc_call c;
        struct rpc_msg *m;
        int             fd, other;
        char            byte;

        assert_int_equal(rpc_begin(x->rpc, &c, "f", 1), 0);
        assert_int_equal(rpc_next(x->rpc, &c, after_ms(5000), &m), 0);
        assert_int_equal(m->n_fds, 2);
        fd        = m->fds[0]; /* the read end is taken */
        other     = m->fds[1];
        m->fds[0] = -1;
        rpc_msg_free(m);
        assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
        assert_int_equal(fcntl(other, F_GETFD), -1);
        assert_int_equal(read(fd, &byte, 1), 0);
        fd_close(&fd);

        rpc_end(x->rpc, &c);
}

static void test_post(void **state)
{
        struct fixture *x = *state;
        struct rpc_call c;
        struct rpc_msg *m;

        for (int i = 0; i < 10; i++)
                assert_int_equal(rpc_post(x->rpc, "p", 1), 0);
        assert_int_equal(rpc_begin(x->rpc, &c, "e", 1), 0);
        assert_int_equal(rpc_next(x->rpc, &c, after_ms(5000), &m), 0);
        assert_int_equal(atomic_load(&x->server.posts), 10);
        rpc_msg_free(m);
        rpc_end(x->rpc, &c);
}

static void test_too_large(void **state)
{
        static uint8_t  body[FRAME_MAX];
        struct fixture *x = *state;
        struct rpc_call c;

        assert_int_equal(rpc_begin(x->rpc, &c, body, sizeof(body)), -EMSGSIZE);
        assert_int_equal(rpc_post(x->rpc, body, sizeof(body)), -EMSGSIZE);
        assert_false(rpc_lost(x->rpc));
}

static void lose_by(struct fixture *x, const char *how)
{
        struct rpc_call c;
        struct rpc_msg *m;

        assert_int_equal(rpc_begin(x->rpc, &c, how, 1), 0);
        assert_int_equal(rpc_next(x->rpc, &c, after_ms(5000), &m), -EIRMD);
        assert_true(rpc_lost(x->rpc));
        rpc_end(x->rpc, &c);
        assert_int_equal(rpc_begin(x->rpc, &c, "e", 1), -EIRMD);
        assert_int_equal(rpc_post(x->rpc, "e", 1), -EIRMD);
}

static void test_server_hangs_up(void **state)
{
        lose_by(*state, "x");
}

static void test_server_sends_junk(void **state)
{
        lose_by(*state, "j");
}

/* What came before the loss is not lost. */
static void test_answers_before_loss(void **state)
{
        struct fixture *x = *state;
        struct rpc_call c, last;
        struct rpc_msg *m;

        assert_int_equal(rpc_begin(x->rpc, &c, "e", 1), 0);
        assert_int_equal(rpc_begin(x->rpc, &last, "x", 1), 0);
        assert_int_equal(rpc_next(x->rpc, &last, after_ms(5000), &m), -EIRMD);
        assert_int_equal(rpc_next(x->rpc, &c, after_ms(5000), &m), 0);
        rpc_msg_free(m);
        assert_int_equal(rpc_next(x->rpc, &c, after_ms(5000), &m), -EIRMD);
        rpc_end(x->rpc, &c);
        rpc_end(x->rpc, &last);
}

static void test_open_fails(void **state)
{
        struct rpc *r;

        (void)state;
        assert_int_equal(rpc_open(&r, "/nonexistent/sock"), -EIRMD);
}

/* The child's forgetting leaves the parent's connection as it was. */
static void test_fork(void **state)
{
        struct fixture *x     = *state;
        pid_t           child = fork();
        int             status;

        if (child == 0) {
                rpc_forget(x->rpc);
                _exit(0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        test_echo(state);
}

/* -- many threads ---------------------------------------------------------- */

#define THREADS 8
#define CALLS   2000

struct caller {
        struct fixture *x;
        pthread_t       thread;
        unsigned int    seed;
        int             result; /* 0: all was as it should be */
};

static int run_callers(struct fixture *x, struct caller *callers, size_t n, void *(*fn)(void *))
{
        int wrong = 0;

        for (size_t i = 0; i < n; i++) {
                callers[i] = (struct caller){.x = x, .seed = (unsigned int)i};
                assert_int_equal(pthread_create(&callers[i].thread, NULL, fn, &callers[i]), 0);
        }
        for (size_t i = 0; i < n; i++) {
                pthread_join(callers[i].thread, NULL);
                wrong += callers[i].result != 0;
        }
        return wrong;
}

/* One request and its answer, which must be the same bytes. */
static bool echoes(struct rpc *r, uint32_t number, int64_t deadline_ns)
{
        uint8_t         body[5] = {ECHO};
        struct rpc_call c;
        struct rpc_msg *m;
        bool            ok;

        memcpy(body + 1, &number, sizeof(number));
        if (rpc_begin(r, &c, body, sizeof(body)) < 0)
                return false;
        ok = rpc_next(r, &c, deadline_ns, &m) == 0;
        if (ok) {
                ok = m->len == sizeof(body) && memcmp(m->body, body, sizeof(body)) == 0;
                rpc_msg_free(m);
        }
        rpc_end(r, &c);
        return ok;
}

static bool streams(struct rpc *r)
{
        struct rpc_call c;
        struct rpc_msg *m;
        bool            ok = true;

        if (rpc_begin(r, &c, "s", 1) < 0)
                return false;
        for (int i = 0; ok && i < 5; i++) {
                ok = rpc_next(r, &c, after_ms(20000), &m) == 0;
                if (ok) {
                        ok = m->body[0] == i;
                        rpc_msg_free(m);
                }
        }
        rpc_end(r, &c);
        return ok;
}

/* Looks for the answer, or waits for a moment, and gives up. */
static bool gives_up(struct rpc *r, int64_t deadline_ns)
{
        struct rpc_call c;
        struct rpc_msg *m;
        int             ret;

        if (rpc_begin(r, &c, "e", 1) < 0)
                return false;
        ret = rpc_next(r, &c, deadline_ns, &m);
        if (ret == 0)
                rpc_msg_free(m);
        rpc_end(r, &c);
        return ret == 0 || ret == -ETIMEDOUT;
}

/* Several at once, their answers taken in the other order. */
static bool overlaps(struct rpc *r)
{
        struct rpc_call c[4];
        struct rpc_msg *m;
        bool            ok = true;

        for (uint8_t i = 0; i < 4; i++) {
                if (rpc_begin(r, &c[i], (uint8_t[]){ECHO, i}, 2) < 0)
                        return false;
        }
        for (uint8_t i = 4; ok && i-- > 0;) {
                ok = rpc_next(r, &c[i], CLOCK_NEVER, &m) == 0;
                if (ok) {
                        ok = m->len == 2 && m->body[1] == i;
                        rpc_msg_free(m);
                }
        }
        for (uint8_t i = 0; i < 4; i++)
                rpc_end(r, &c[i]);
        return ok;
}

static bool call_somehow(struct rpc *r, unsigned int *seed)
{
        switch (rand_r(seed) % 8) {
        case 0: return streams(r);
        case 1: return gives_up(r, 0);
        case 2: return gives_up(r, clock_now_ns() + rand_r(seed) % 100000);
        case 3: return overlaps(r);
        case 4: return echoes(r, (uint32_t)rand_r(seed), CLOCK_NEVER);
        default: return echoes(r, (uint32_t)rand_r(seed), after_ms(20000));
        }
}

static void *call_often(void *arg)
{
        struct caller *me = arg;
        struct rpc    *r  = rpc_ref(me->x->rpc);

        for (int i = 0; i < CALLS && me->result == 0; i++)
                me->result = !call_somehow(r, &me->seed);
        rpc_unref(r);
        return NULL;
}

static void test_many_threads(void **state)
{
        struct caller callers[THREADS];

        assert_int_equal(run_callers(*state, callers, THREADS, call_often), 0);
        test_echo(state);
}

/* Until @n points have been passed, and for what comes after the last one to happen, usually. */
static void await_passed(struct fixture *x, unsigned int n)
{
        while (atomic_load(&x->passed) < n)
                usleep(1000);
        usleep(20000);
}

static void *wait_for_loss(void *arg)
{
        struct caller  *me = arg;
        struct rpc_call c;
        struct rpc_msg *m;

        if (me->seed == 0)
                await_passed(me->x, THREADS - 1);
        me->result = rpc_begin(me->x->rpc, &c, me->seed == 0 ? "x" : "n", 1);
        if (me->result < 0)
                return NULL;
        atomic_fetch_add(&me->x->passed, 1);
        me->result = rpc_next(me->x->rpc, &c, CLOCK_NEVER, &m) != -EIRMD;
        rpc_end(me->x->rpc, &c);
        return NULL;
}

static void test_loss_wakes_everybody(void **state)
{
        struct caller callers[THREADS];

        assert_int_equal(run_callers(*state, callers, THREADS, wait_for_loss), 0);
}

/* The first to come reads; its time is up before its answer is there. */
static int read_in_vain(struct fixture *x)
{
        struct rpc_call c;
        struct rpc_msg *m;
        int             ret;

        if (rpc_begin(x->rpc, &c, "h", 1) < 0)
                return -1;
        ret = rpc_next(x->rpc, &c, after_ms(50), &m);
        rpc_end(x->rpc, &c);
        atomic_fetch_add(&x->passed, 1);
        return ret == -ETIMEDOUT ? 0 : -1;
}

/* The second must then read, or it would sleep until its own deadline. */
static int wait_second(struct fixture *x)
{
        struct rpc_call c;
        struct rpc_msg *m;
        int             ret;

        usleep(10000);
        if (rpc_begin(x->rpc, &c, "h", 1) < 0)
                return -1;
        atomic_fetch_add(&x->passed, 1);
        ret = rpc_next(x->rpc, &c, after_ms(30000), &m);
        if (ret == 0)
                rpc_msg_free(m);
        rpc_end(x->rpc, &c);
        return ret;
}

/* Lets the answer come, without reading itself. */
static int release_after(struct fixture *x)
{
        struct rpc_call c;

        await_passed(x, 2);
        if (rpc_begin(x->rpc, &c, "r", 1) < 0)
                return -1;
        rpc_end(x->rpc, &c);
        return 0;
}

static void *one_of_three(void *arg)
{
        static int (*const parts[])(struct fixture *) = {read_in_vain, wait_second, release_after};
        struct caller *me                             = arg;

        me->result = parts[me->seed](me->x);
        return NULL;
}

static void test_office_is_passed_on(void **state)
{
        struct caller callers[3];
        int64_t       start = clock_now_ns();

        assert_int_equal(run_callers(*state, callers, 3, one_of_three), 0);
        assert_true(clock_now_ns() < start + 10 * NS_PER_S);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_echo, setup, teardown),
                cmocka_unit_test_setup_teardown(test_without_deadline, setup, teardown),
                cmocka_unit_test_setup_teardown(test_stream, setup, teardown),
                cmocka_unit_test_setup_teardown(test_out_of_order, setup, teardown),
                cmocka_unit_test_setup_teardown(test_timeout, setup, teardown),
                cmocka_unit_test_setup_teardown(test_late_answer, setup, teardown),
                cmocka_unit_test_setup_teardown(test_descriptors, setup, teardown),
                cmocka_unit_test_setup_teardown(test_post, setup, teardown),
                cmocka_unit_test_setup_teardown(test_too_large, setup, teardown),
                cmocka_unit_test_setup_teardown(test_server_hangs_up, setup, teardown),
                cmocka_unit_test_setup_teardown(test_server_sends_junk, setup, teardown),
                cmocka_unit_test_setup_teardown(test_answers_before_loss, setup, teardown),
                cmocka_unit_test(test_open_fails),
                cmocka_unit_test_setup_teardown(test_fork, setup, teardown),
                cmocka_unit_test_setup_teardown(test_many_threads, setup, teardown),
                cmocka_unit_test_setup_teardown(test_loss_wakes_everybody, setup, teardown),
                cmocka_unit_test_setup_teardown(test_office_is_passed_on, setup, teardown),
        };

        return cmocka_run_group_tests_name("rpc", tests, NULL, NULL);
}
