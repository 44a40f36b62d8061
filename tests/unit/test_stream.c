/*
 * test_stream.c - flows with FRCT through the library's calls, over a relay that loses, repeats, delays and
 * damages packets (lossy.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <ouroboros/dev.h>
#include <ouroboros/errno.h>
#include <ouroboros/fccntl.h>
#include <ouroboros/fqueue.h>

#include "base/clock.h"
#include "dev/outbox.h"
#include "dev/process.h"
#include "dev/slot.h"
#include "dev/stream.h"
#include "lossy.h"
#include "random.h"

#define CLIENT  0
#define SERVER  1
#define MESSAGE (1u << 20)

static const struct lossy_conf clean      = {.reliable = true, .seed = 1};
static const struct lossy_conf clean_seal = {.reliable = true, .sealed = true, .seed = 2};
/* Less than what the congestion controller takes for a path that is full: above 2 % it is slow, as it should be. */
static const struct lossy_conf rough      = {.reliable = true, .loss = 15, .dup = 20, .late = 50, .seed = 3};
static const struct lossy_conf rough_seal = {
        .reliable = true, .sealed = true, .loss = 12, .dup = 20, .late = 50, .damage = 5, .seed = 4};

struct fixture {
        struct lossy *lossy;
        int           fd[2];
};

static void open_as(struct fixture *f, const struct lossy_conf *conf)
{
        f->lossy = lossy_open(conf, f->fd);
        assert_non_null(f->lossy);
}

static void close_all(struct fixture *f)
{
        lossy_hang_up(f->lossy, CLIENT);
        lossy_hang_up(f->lossy, SERVER);
        (void)flow_dealloc(f->fd[CLIENT]);
        (void)flow_dealloc(f->fd[SERVER]);
        lossy_close(f->lossy);
}

static void set_timeout(int fd, int cmd, int64_t ns)
{
        struct timespec ts = clock_timespec(ns);

        assert_int_equal(fccntl(fd, cmd, &ts), 0);
}

static bool is_readable(int fd, int ms)
{
        struct pollfd pfd = {.fd = fd, .events = POLLIN};

        return poll(&pfd, 1, ms) == 1;
}

static void never_block(int fd)
{
        assert_int_equal(fccntl(fd, FLOWSFLAGS, (uint32_t)(FLOWFDEFAULT | FLOWFNONBLOCK)), 0);
}

/* -- messages -------------------------------------------------------------------- */

static void send_text(int fd, const char *text)
{
        assert_int_equal(flow_write(fd, text, strlen(text)), strlen(text));
}

static void expect_text(int fd, const char *text)
{
        char    buf[128];
        ssize_t n = flow_read(fd, buf, sizeof(buf));

        assert_int_equal(n, strlen(text));
        assert_memory_equal(buf, text, strlen(text));
}

static void test_message(void **state)
{
        const struct lossy_conf *conf[] = {&clean, &clean_seal, &rough, &rough_seal};
        struct fixture           f;

        (void)state;
        for (size_t i = 0; i < 4; i++) {
                open_as(&f, conf[i]);
                send_text(f.fd[CLIENT], "there");
                expect_text(f.fd[SERVER], "there");
                send_text(f.fd[SERVER], "and back");
                expect_text(f.fd[CLIENT], "and back");
                close_all(&f);
        }
}

struct transfer {
        int      fd;
        uint64_t seed;
        unsigned messages;
        size_t   max;
        bool     bad;
};

static size_t length_of(const struct transfer *t, uint64_t *random)
{
        return 1 + random_below(random, t->max);
}

static void *send_all(void *arg)
{
        struct transfer *t      = arg;
        uint64_t         random = t->seed;
        uint8_t         *buf    = malloc(t->max);

        for (unsigned i = 0; i < t->messages && !t->bad; i++) {
                size_t len = length_of(t, &random);

                random_fill(&random, buf, len);
                t->bad = flow_write(t->fd, buf, len) != (ssize_t)len;
        }
        free(buf);
        return NULL;
}

static void *receive_all(void *arg)
{
        struct transfer *t      = arg;
        uint64_t         random = t->seed;
        uint8_t         *want   = malloc(t->max);
        uint8_t         *got    = malloc(t->max);

        for (unsigned i = 0; i < t->messages && !t->bad; i++) {
                size_t len = length_of(t, &random);

                random_fill(&random, want, len);
                t->bad = flow_read(t->fd, got, t->max) != (ssize_t)len || memcmp(got, want, len) != 0;
        }
        free(want);
        free(got);
        return NULL;
}

/* Both directions at once, a thread for each end of each. */
static void run_transfers(struct fixture *f, unsigned messages, size_t max)
{
        struct transfer t[4] = {
                {f->fd[CLIENT], 11, messages, max, false},
                {f->fd[SERVER], 11, messages, max, false},
                {f->fd[SERVER], 12, messages, max, false},
                {f->fd[CLIENT], 12, messages, max, false},
        };
        pthread_t thread[4];

        for (int i = 0; i < 4; i++)
                assert_int_equal(pthread_create(&thread[i], NULL, i % 2 == 0 ? send_all : receive_all, &t[i]),
                                 0);
        for (int i = 0; i < 4; i++) {
                pthread_join(thread[i], NULL);
                assert_false(t[i].bad);
        }
}

static void test_transfers(void **state)
{
        const struct lossy_conf *conf[] = {&clean, &clean_seal, &rough, &rough_seal};
        struct fixture           f;

        (void)state;
        for (size_t i = 0; i < 4; i++) {
                open_as(&f, conf[i]);
                run_transfers(&f, 1000, 3000);
                run_transfers(&f, 4, MESSAGE);
                close_all(&f);
        }
}

static void test_message_too_long(void **state)
{
        uint8_t       *buf = calloc(1, MESSAGE + 1);
        struct fixture f;

        (void)state;
        open_as(&f, &clean);
        assert_int_equal(flow_write(f.fd[CLIENT], buf, MESSAGE + 1), -EMSGSIZE);
        close_all(&f);
        free(buf);
}

static void test_parts(void **state)
{
        struct fixture f;
        char           buf[64];

        (void)state;
        open_as(&f, &clean);
        send_text(f.fd[CLIENT], "in two parts");
        assert_int_equal(flow_read(f.fd[SERVER], buf, 3), 3);
        expect_text(f.fd[SERVER], "two parts");
        assert_int_equal(fccntl(f.fd[SERVER], FLOWSFLAGS, (uint32_t)(FLOWFDEFAULT | FLOWFRNOPART)), 0);
        send_text(f.fd[CLIENT], "whole or not");
        assert_int_equal(flow_read(f.fd[SERVER], buf, 3), -EMSGSIZE);
        expect_text(f.fd[SERVER], "whole or not");
        close_all(&f);
}

/* -- waiting ---------------------------------------------------------------------- */

static void test_read_times_out(void **state)
{
        struct fixture f;
        char           buf[8];

        (void)state;
        open_as(&f, &clean);
        set_timeout(f.fd[SERVER], FLOWSRCVTIMEO, 20 * NS_PER_MS);
        assert_int_equal(flow_read(f.fd[SERVER], buf, sizeof(buf)), -ETIMEDOUT);
        never_block(f.fd[SERVER]);
        assert_int_equal(flow_read(f.fd[SERVER], buf, sizeof(buf)), -EAGAIN);
        close_all(&f);
}

/* A peer who does not read: the writer is held, and goes on when it does. */
static void test_window(void **state)
{
        size_t         len = 60000;
        uint8_t       *buf = calloc(1, len);
        struct fixture f;
        unsigned       n = 0;
        ssize_t        r;

        (void)state;
        open_as(&f, &clean);
        set_timeout(f.fd[CLIENT], FLOWSSNDTIMEO, 300 * NS_PER_MS);
        while ((r = flow_write(f.fd[CLIENT], buf, len)) == (ssize_t)len)
                n++;
        assert_int_equal(r, -ETIMEDOUT);
        assert_true(n * len < 128u << 20);
        never_block(f.fd[CLIENT]);
        assert_int_equal(flow_write(f.fd[CLIENT], buf, len), -EAGAIN);
        for (unsigned i = 0; i < n; i++)
                assert_int_equal(flow_read(f.fd[SERVER], buf, len), len);
        assert_int_equal(flow_write(f.fd[CLIENT], buf, len), len);
        close_all(&f);
        free(buf);
}

/* The descriptor says whether flow_read() has something; acknowledgements are nothing. */
static void test_poll(void **state)
{
        struct fixture f;

        (void)state;
        open_as(&f, &clean);
        assert_false(is_readable(f.fd[SERVER], 0));
        send_text(f.fd[CLIENT], "knock");
        assert_true(is_readable(f.fd[SERVER], 5000));
        expect_text(f.fd[SERVER], "knock");
        assert_false(is_readable(f.fd[SERVER], 50));
        assert_false(is_readable(f.fd[CLIENT], 50)); /* it has got an acknowledgement */
        close_all(&f);
}

static void test_fset(void **state)
{
        struct timespec second = {1, 0};
        fset_t         *set    = fset_create();
        fqueue_t       *fq     = fqueue_create();
        struct fixture  f;

        (void)state;
        open_as(&f, &clean_seal);
        assert_int_equal(fset_add(set, f.fd[SERVER]), 0);
        send_text(f.fd[CLIENT], "event");
        assert_int_equal(fevent(set, fq, &second), 1);
        assert_int_equal(fqueue_next(fq), f.fd[SERVER]);
        assert_int_equal(fqueue_type(fq), FLOW_PKT);
        expect_text(f.fd[SERVER], "event");
        close_all(&f);
        fqueue_destroy(fq);
        fset_destroy(set);
}

static void *write_until_full(void *arg)
{
        static uint8_t buf[60000];
        ssize_t        r;

        do
                r = flow_write(*(int *)arg, buf, sizeof(buf));
        while (r > 0);
        return (void *)r;
}

/* A writer who sleeps takes in what comes for whoever polls. */
static void test_poll_beside_a_writer(void **state)
{
        struct fixture f;
        pthread_t      thread;
        void          *r;

        (void)state;
        open_as(&f, &clean);
        assert_int_equal(pthread_create(&thread, NULL, write_until_full, &f.fd[CLIENT]), 0);
        usleep(1000000);
        send_text(f.fd[SERVER], "read me first");
        assert_true(is_readable(f.fd[CLIENT], 2000));
        expect_text(f.fd[CLIENT], "read me first");
        set_timeout(f.fd[CLIENT], FLOWSSNDTIMEO, NS_PER_MS);
        assert_int_equal(fccntl(f.fd[CLIENT], FRCTSFLAGS, (uint32_t)(FRCTFRTX | FRCTFRESCNTL)), 0);
        assert_int_equal(flow_dealloc(f.fd[CLIENT]), 0);
        pthread_join(thread, &r);
        assert_true((ssize_t)r < 0);
        close_all(&f);
}

static void *read_one(void *arg);

/* Who wakes and may not read any more leaves the flow watched. */
static void test_flags_of_a_sleeper(void **state)
{
        struct fixture f;
        pthread_t      thread;
        void          *r;

        (void)state;
        open_as(&f, &clean);
        assert_int_equal(pthread_create(&thread, NULL, read_one, &f.fd[SERVER]), 0);
        usleep(100000);
        assert_int_equal(fccntl(f.fd[SERVER], FLOWSFLAGS, (uint32_t)FLOWFWRONLY), 0);
        send_text(f.fd[CLIENT], "not for you");
        pthread_join(thread, &r);
        assert_int_equal((ssize_t)r, -EPERM);
        assert_int_equal(fccntl(f.fd[SERVER], FLOWSFLAGS, (uint32_t)FLOWFDEFAULT), 0);
        assert_true(is_readable(f.fd[SERVER], 2000));
        expect_text(f.fd[SERVER], "not for you");
        close_all(&f);
}

static int64_t cpu_ns(void)
{
        struct rusage u;

        getrusage(RUSAGE_SELF, &u);
        return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * NS_PER_S +
               (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000;
}

/* A layer that takes nothing: whoever has something for it waits, and does not spin. */
static void test_full_port(void **state)
{
        struct lossy_conf conf = clean;
        struct fixture    f;
        int64_t           before_ns;
        uint8_t          *buf = calloc(1, MESSAGE);
        unsigned          n   = 0;

        (void)state;
        conf.delay_ns = 20 * NS_PER_MS;
        open_as(&f, &conf);
        run_transfers(&f, 12, MESSAGE); /* opens the congestion window */
        never_block(f.fd[CLIENT]);
        lossy_stall(f.lossy, true);
        while (flow_write(f.fd[CLIENT], buf, MESSAGE) == (ssize_t)MESSAGE)
                n++;
        usleep(200000);
        before_ns = cpu_ns();
        usleep(500000);
        assert_true(cpu_ns() - before_ns < 250 * NS_PER_MS);
        lossy_stall(f.lossy, false);
        for (unsigned i = 0; i < n; i++)
                assert_int_equal(flow_read(f.fd[SERVER], buf, MESSAGE), MESSAGE);
        close_all(&f);
        free(buf);
}

/* -- the end ------------------------------------------------------------------------ */

/* What was written before flow_dealloc() arrives, whatever gets lost on the way. */
static void test_dealloc_loses_nothing(void **state)
{
        const struct lossy_conf *conf[] = {&clean, &clean_seal, &rough, &rough_seal};
        struct fixture           f;
        char                     text[16];

        (void)state;
        for (size_t i = 0; i < 4; i++) {
                open_as(&f, conf[i]);
                for (unsigned k = 0; k < 200; k++) {
                        snprintf(text, sizeof(text), "%u", k);
                        send_text(f.fd[CLIENT], text);
                }
                assert_int_equal(flow_dealloc(f.fd[CLIENT]), 0);
                lossy_hang_up(f.lossy, CLIENT);
                for (unsigned k = 0; k < 200; k++) {
                        snprintf(text, sizeof(text), "%u", k);
                        expect_text(f.fd[SERVER], text);
                }
                assert_int_equal(flow_read(f.fd[SERVER], text, sizeof(text)), 0);
                assert_int_equal(flow_read(f.fd[SERVER], text, sizeof(text)), 0);
                (void)flow_dealloc(f.fd[SERVER]);
                lossy_close(f.lossy);
        }
}

/* An end that only the layer announces is not the peer's. */
static void test_hang_up(void **state)
{
        struct fixture f;
        char           buf[16];

        (void)state;
        open_as(&f, &clean);
        send_text(f.fd[CLIENT], "last words");
        assert_true(is_readable(f.fd[SERVER], 5000));
        lossy_hang_up(f.lossy, CLIENT);
        expect_text(f.fd[SERVER], "last words");
        assert_int_equal(flow_read(f.fd[SERVER], buf, sizeof(buf)), -EFLOWDOWN);
        assert_int_equal(flow_write(f.fd[SERVER], "x", 1), -EFLOWDOWN);
        close_all(&f);
}

static void test_silence(void **state)
{
        struct lossy_conf conf = clean;
        struct timespec   five = {5, 0};
        fset_t           *set  = fset_create();
        fqueue_t         *fq   = fqueue_create();
        struct fixture    f;
        int64_t           began_ns;
        char              buf[16];

        (void)state;
        conf.timeout_ms = 400;
        open_as(&f, &conf);
        usleep(1000000);
        send_text(f.fd[CLIENT], "both live: they keep each other so");
        expect_text(f.fd[SERVER], "both live: they keep each other so");
        lossy_cut(f.lossy, true);
        began_ns = clock_now_ns();
        assert_int_equal(flow_read(f.fd[CLIENT], buf, sizeof(buf)), -EFLOWPEER);
        assert_true(clock_now_ns() - began_ns < 4 * NS_PER_S);
        assert_int_equal(flow_write(f.fd[CLIENT], "x", 1), -EFLOWPEER);
        assert_int_equal(fset_add(set, f.fd[SERVER]), 0);
        assert_int_equal(fevent(set, fq, &five), 1);
        assert_int_equal(fqueue_next(fq), f.fd[SERVER]);
        assert_int_equal(fqueue_type(fq), FLOW_PEER);
        close_all(&f);
        fqueue_destroy(fq);
        fset_destroy(set);
}

static void *read_one(void *arg)
{
        static char buf[16];

        return (void *)flow_read(*(int *)arg, buf, sizeof(buf));
}

static void test_dealloc_wakes_a_reader(void **state)
{
        struct fixture f;
        pthread_t      thread;
        void          *r;

        (void)state;
        open_as(&f, &clean);
        assert_int_equal(pthread_create(&thread, NULL, read_one, &f.fd[SERVER]), 0);
        usleep(50000);
        assert_int_equal(flow_dealloc(f.fd[SERVER]), 0);
        pthread_join(thread, &r);
        assert_int_equal((ssize_t)r, -EBADF);
        close_all(&f);
}

static void *dealloc_one(void *arg)
{
        return (void *)(ssize_t)flow_dealloc(*(int *)arg);
}

/* Two who wait for the end of the same flow: one of them has ended it, and nothing is left. */
static void test_dealloc_twice(void **state)
{
        struct fixture f;
        pthread_t      thread[2];
        void          *r[2];

        (void)state;
        open_as(&f, &clean);
        lossy_cut(f.lossy, true);
        send_text(f.fd[CLIENT], "to be waited for");
        for (int i = 0; i < 2; i++)
                assert_int_equal(pthread_create(&thread[i], NULL, dealloc_one, &f.fd[CLIENT]), 0);
        usleep(100000);
        lossy_cut(f.lossy, false);
        for (int i = 0; i < 2; i++)
                pthread_join(thread[i], &r[i]);
        assert_int_equal((ssize_t)r[0] + (ssize_t)r[1], -EBADF);
        assert_int_equal(fcntl(f.fd[CLIENT], F_GETFD), -1);
        expect_text(f.fd[SERVER], "to be waited for");
        close_all(&f);
}

/* A peer with the right keys and the wrong sizes. */
static void test_long_record(void **state)
{
        static const uint8_t junk[1400];
        struct fixture       f;
        struct slot         *s;

        (void)state;
        open_as(&f, &clean_seal);
        send_text(f.fd[CLIENT], "before");
        expect_text(f.fd[SERVER], "before");
        s = process_slot(f.fd[CLIENT]);
        stream_hold(s->stream);
        assert_int_equal(outbox_write(s->out, &s->port, junk, sizeof(junk)), 0);
        stream_release(s->stream);
        send_text(f.fd[CLIENT], "after");
        assert_true(is_readable(f.fd[SERVER], 2000));
        expect_text(f.fd[SERVER], "after");
        close_all(&f);
}

/* -- first data, flags, facts ---------------------------------------------------------- */

static void test_first_data(void **state)
{
        struct lossy_conf conf = rough_seal;
        struct fixture    f;

        (void)state;
        for (int sealed = 0; sealed < 2; sealed++) {
                conf.sealed = sealed;
                conf.damage = 0;
                conf.first  = "with the request";
                open_as(&f, &conf);
                send_text(f.fd[CLIENT], "then");
                expect_text(f.fd[SERVER], "with the request");
                expect_text(f.fd[SERVER], "then");
                close_all(&f);
        }
}

static void test_flags(void **state)
{
        struct fixture f;
        uint32_t       flags;

        (void)state;
        open_as(&f, &clean);
        assert_int_equal(fccntl(f.fd[CLIENT], FRCTGFLAGS, &flags), 0);
        assert_int_equal(flags, FRCTFRTX | FRCTFRESCNTL | FRCTFLINGER);
        assert_int_equal(fccntl(f.fd[CLIENT], FRCTSFLAGS, (uint32_t)(FRCTFRTX | FRCTFRESCNTL)), 0);
        assert_int_equal(fccntl(f.fd[CLIENT], FRCTGFLAGS, &flags), 0);
        assert_int_equal(flags, FRCTFRTX | FRCTFRESCNTL);
        assert_int_equal(fccntl(f.fd[CLIENT], FRCTSFLAGS, (uint32_t)FRCTFLINGER), -EINVAL);
        close_all(&f);
}

static void test_stats(void **state)
{
        struct flow_stats s;
        struct flow_info  info;
        struct fixture    f;

        (void)state;
        open_as(&f, &rough);
        run_transfers(&f, 2000, 1000);
        assert_int_equal(fccntl(f.fd[CLIENT], FLOWGSTATS, &s), 0);
        assert_int_equal(s.tx_messages, 2000);
        assert_int_equal(s.rx_messages, 2000);
        assert_true(s.retransmitted > 0 && s.losses > 0 && s.duplicates > 0);
        assert_true(s.rtt_ns > 0 && s.rtt_min_ns > 0 && s.rtt_min_ns <= s.rtt_ns);
        assert_int_equal(fccntl(f.fd[CLIENT], FLOWGINFO, &info), 0);
        assert_int_equal(info.max_message, MESSAGE);
        close_all(&f);
}

/* -- unreliable -------------------------------------------------------------------------- */

/* In order, none twice, each whole; some are missing. */
static void test_best_effort(void **state)
{
        struct lossy_conf conf = rough;
        struct fixture    f;
        uint32_t          last = 0, got = 0, i, number[700];

        (void)state;
        conf.reliable = false;
        open_as(&f, &conf);
        set_timeout(f.fd[SERVER], FLOWSRCVTIMEO, 300 * NS_PER_MS);
        for (i = 1; i <= 500; i++) {
                for (size_t k = 0; k < 700; k++)
                        number[k] = i;
                assert_int_equal(flow_write(f.fd[CLIENT], number, sizeof(number)), sizeof(number));
        }
        while (flow_read(f.fd[SERVER], number, sizeof(number)) == (ssize_t)sizeof(number)) {
                assert_true(number[0] > last);
                for (size_t k = 1; k < 700; k++)
                        assert_int_equal(number[k], number[0]);
                last = number[0];
                got++;
        }
        assert_true(got > 0 && got < 500); /* how many depends on how busy the machine is */
        close_all(&f);
}

/* -- the service thread ------------------------------------------------------------------- */

/* Voluntary context switches of our thread o7s-service. */
static long switches(void)
{
        char  cmd[160], line[64] = "";
        FILE *p;

        snprintf(cmd, sizeof(cmd),
                 "grep -h voluntary_ctxt $(grep -l '^o7s-service' /proc/%d/task/*/comm | sed s/comm/status/) "
                 "| "
                 "head -n 1 | cut -f 2",
                 (int)getpid());
        p = popen(cmd, "r");
        assert_non_null(p);
        assert_non_null(fgets(line, sizeof(line), p));
        pclose(p);
        return strtol(line, NULL, 10);
}

static void test_idle(void **state)
{
        struct fixture f;
        long           before;

        (void)state;
        open_as(&f, &clean);
        send_text(f.fd[CLIENT], "x");
        expect_text(f.fd[SERVER], "x");
        usleep(300000);
        before = switches();
        usleep(500000);
        assert_int_equal(switches(), before);
        close_all(&f);
}

/* Nobody calls, and still what was written arrives and is acknowledged. */
static void test_background(void **state)
{
        struct fixture    f;
        struct flow_stats s;
        int               tries = 500;

        (void)state;
        open_as(&f, &rough);
        never_block(f.fd[CLIENT]);
        for (int i = 0; i < 100; i++)
                send_text(f.fd[CLIENT], "in the background");
        do {
                size_t left;

                assert_int_equal(fccntl(f.fd[CLIENT], FLOWGTXQLEN, &left), 0);
                if (left == 0)
                        break;
                usleep(10000);
        } while (--tries > 0);
        assert_true(tries > 0);
        for (int i = 0; i < 100; i++)
                expect_text(f.fd[SERVER], "in the background");
        assert_int_equal(fccntl(f.fd[CLIENT], FLOWGSTATS, &s), 0);
        close_all(&f);
}

static void test_fork(void **state)
{
        struct fixture f;
        int            status;
        pid_t          pid;

        (void)state;
        open_as(&f, &clean_seal);
        send_text(f.fd[CLIENT], "before");
        pid = fork();
        if (pid == 0) {
                char buf[8];

                _exit(flow_read(f.fd[SERVER], buf, sizeof(buf)) == -EBADF ? 0 : 1);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        expect_text(f.fd[SERVER], "before");
        close_all(&f);
}

/* Whatever other threads are at: the child takes apart what is whole. */
static void test_fork_at_work(void **state)
{
        struct fixture  f;
        struct transfer t[2];
        pthread_t       thread[2];
        int             status;

        (void)state;
        open_as(&f, &clean);
        t[0] = (struct transfer){f.fd[CLIENT], 5, 3000, 20000, false};
        t[1] = (struct transfer){f.fd[SERVER], 5, 3000, 20000, false};
        assert_int_equal(pthread_create(&thread[0], NULL, send_all, &t[0]), 0);
        assert_int_equal(pthread_create(&thread[1], NULL, receive_all, &t[1]), 0);
        for (int i = 0; i < 30; i++) {
                pid_t pid = fork();

                if (pid == 0)
                        _exit(0);
                assert_int_equal(waitpid(pid, &status, 0), pid);
                assert_int_equal(status, 0);
                usleep(1000);
        }
        for (int i = 0; i < 2; i++) {
                pthread_join(thread[i], NULL);
                assert_false(t[i].bad);
        }
        close_all(&f);
}

/* -- two processes -------------------------------------------------------------------------- */

#define SHARED_SEED 77

/* ThreadSanitizer would end a child of a process with threads that starts one of its own, as the library does. */
const char *__tsan_default_options(void);

__attribute__((visibility("default"))) const char *__tsan_default_options(void)
{
        return "die_after_fork=0";
}

static int serve_transfers(int fd)
{
        struct transfer in  = {fd, SHARED_SEED, 1000, 3000, false};
        struct transfer out = {fd, SHARED_SEED + 1, 3, MESSAGE, false};
        char            end;

        receive_all(&in);
        send_all(&out);
        if (in.bad || out.bad || flow_read(fd, &end, 1) != 0)
                return 1;
        return flow_dealloc(fd) == 0 ? 0 : 1;
}

static struct lossy *fork_telling(struct lossy_conf *conf, int *fd, pid_t *pid, int (*serve)(int fd))
{
        conf->tells = true;
        return lossy_fork(conf, fd, pid, serve);
}

/* All arrives, both ways, and the end; the process of the server may end as soon as flow_dealloc() returns. */
static void test_processes(void **state)
{
        struct lossy_conf conf[] = {clean, rough_seal};

        (void)state;
        for (size_t i = 0; i < 2; i++) {
                int             fd, status;
                pid_t           pid;
                struct lossy   *l   = fork_telling(&conf[i], &fd, &pid, serve_transfers);
                struct transfer out = {fd, SHARED_SEED, 1000, 3000, false};
                struct transfer in  = {fd, SHARED_SEED + 1, 3, MESSAGE, false};

                assert_non_null(l);
                send_all(&out);
                receive_all(&in);
                assert_false(out.bad || in.bad);
                assert_int_equal(flow_dealloc(fd), 0);
                assert_int_equal(waitpid(pid, &status, 0), pid);
                assert_int_equal(status, 0);
                lossy_close(l);
        }
}

static int serve_nothing(int fd)
{
        (void)fd;
        while (pause() < 0)
                ;
        return 0;
}

/* Of a peer that is killed nothing comes any more, not even an acknowledgement: the library's own thread was it. */
static void test_kill(void **state)
{
        struct lossy_conf conf = clean;
        struct lossy     *l;
        char              buf[8];
        int               fd;
        pid_t             pid;

        (void)state;
        conf.timeout_ms = 600;
        l               = lossy_fork(&conf, &fd, &pid, serve_nothing);
        assert_non_null(l);
        send_text(fd, "acknowledged in the background");
        usleep(1000000);
        never_block(fd);
        assert_int_equal(flow_read(fd, buf, sizeof(buf)), -EAGAIN); /* it lives: keepalive says so */
        assert_int_equal(fccntl(fd, FLOWSFLAGS, (uint32_t)FLOWFDEFAULT), 0);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        assert_int_equal(flow_read(fd, buf, sizeof(buf)), -EFLOWPEER);
        assert_int_equal(flow_write(fd, "x", 1), -EFLOWPEER);
        assert_int_equal(flow_dealloc(fd), 0);
        lossy_close(l);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_message),
                cmocka_unit_test(test_transfers),
                cmocka_unit_test(test_message_too_long),
                cmocka_unit_test(test_parts),
                cmocka_unit_test(test_read_times_out),
                cmocka_unit_test(test_window),
                cmocka_unit_test(test_poll),
                cmocka_unit_test(test_fset),
                cmocka_unit_test(test_poll_beside_a_writer),
                cmocka_unit_test(test_flags_of_a_sleeper),
                cmocka_unit_test(test_full_port),
                cmocka_unit_test(test_dealloc_loses_nothing),
                cmocka_unit_test(test_hang_up),
                cmocka_unit_test(test_silence),
                cmocka_unit_test(test_dealloc_wakes_a_reader),
                cmocka_unit_test(test_dealloc_twice),
                cmocka_unit_test(test_long_record),
                cmocka_unit_test(test_first_data),
                cmocka_unit_test(test_flags),
                cmocka_unit_test(test_stats),
                cmocka_unit_test(test_best_effort),
                cmocka_unit_test(test_idle),
                cmocka_unit_test(test_background),
                cmocka_unit_test(test_fork),
                cmocka_unit_test(test_processes),
                cmocka_unit_test(test_kill),
                cmocka_unit_test(test_fork_at_work),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
