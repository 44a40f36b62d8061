/*
 * test_flow_threads.c - any thread may do anything with any flow at any time: ends under waiting threads,
 * several readers, forks, and a crowd that does everything at once. Worth most under the thread sanitizer.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <ouroboros/dev.h>
#include <ouroboros/errno.h>
#include <ouroboros/fccntl.h>
#include <ouroboros/fqueue.h>

#include "base/clock.h"
#include "dev/process.h"
#include "pair.h"
#include "random.h"

#define PATIENCE_S 10 /* longer than anything here may take */

static void nap(int64_t ns)
{
        struct timespec ts = clock_timespec(ns);

        nanosleep(&ts, NULL);
}

/* -- ends under waiting threads -------------------------------------------- */

struct waiter {
        pthread_t thread;
        int       fd;
        ssize_t   result;
};

static void *wait_in_read(void *arg)
{
        struct waiter *w = arg;
        char           buf[64];

        w->result = flow_read(w->fd, buf, sizeof(buf));
        return NULL;
}

static void *wait_in_write(void *arg)
{
        struct waiter *w = arg;
        static char    buf[PORT_MSG_MAX];

        while ((w->result = flow_write(w->fd, buf, sizeof(buf))) > 0)
                ;
        return NULL;
}

static void *wait_in_poll(void *arg)
{
        struct waiter *w   = arg;
        struct pollfd  pfd = {.fd = w->fd, .events = POLLIN};

        w->result = poll(&pfd, 1, PATIENCE_S * 1000);
        return NULL;
}

static void *(*const ways_to_wait[])(void *) = {wait_in_read, wait_in_read, wait_in_write, wait_in_write,
                                                wait_in_poll};

#define N_WAYS (sizeof(ways_to_wait) / sizeof(ways_to_wait[0]))

static void start_waiters(struct waiter *w, int fd)
{
        for (size_t i = 0; i < N_WAYS; i++) {
                w[i] = (struct waiter){.fd = fd};
                pthread_create(&w[i].thread, NULL, ways_to_wait[i], &w[i]);
        }
}

static void join_waiters(struct waiter *w, ssize_t of_read, ssize_t of_write)
{
        for (size_t i = 0; i < N_WAYS; i++) {
                pthread_join(w[i].thread, NULL);
                assert_int_equal(w[i].result, i < 2 ? of_read : i < 4 ? of_write : 1);
        }
}

/* Both when they spin and when they sleep. */
static void test_dealloc_under_waiters(void **state)
{
        static const int64_t naps[] = {0, 10 * NS_PER_US, 100 * NS_PER_US, 20 * NS_PER_MS};
        struct waiter        w[N_WAYS];
        int                  fd[2];

        (void)state;
        for (int i = 0; i < 40; i++) {
                assert_int_equal(pair_create(fd, NULL), 0);
                start_waiters(w, fd[0]);
                nap(naps[i % 4]);
                assert_int_equal(flow_dealloc(fd[0]), 0);
                assert_int_equal(flow_dealloc(fd[0]), -EBADF);
                for (size_t k = 0; k < N_WAYS - 1; k++) {
                        pthread_join(w[k].thread, NULL);
                        assert_int_equal(w[k].result, -EBADF);
                }
                assert_int_equal(fcntl(fd[0], F_GETFD), -1);
                /*
                 * As with any closed descriptor: a poll() that has begun goes on, until the peer ends as
                 * well.
                 */
                assert_int_equal(flow_dealloc(fd[1]), 0);
                pthread_join(w[N_WAYS - 1].thread, NULL);
        }
}

static void test_the_peer_ends_under_waiters(void **state)
{
        struct waiter w[N_WAYS];
        int           fd[2];

        (void)state;
        for (int i = 0; i < 10; i++) {
                assert_int_equal(pair_create(fd, NULL), 0);
                start_waiters(w, fd[0]);
                nap(i % 2 == 0 ? 0 : 20 * NS_PER_MS);
                assert_int_equal(flow_dealloc(fd[1]), 0);
                join_waiters(w, 0, -EFLOWDOWN);
                assert_int_equal(flow_dealloc(fd[0]), 0);
        }
}

static void test_the_peer_dies_under_waiters(void **state)
{
        struct waiter w[N_WAYS];
        int           fd[2];
        int           memfd;

        (void)state;
        for (int i = 0; i < 10; i++) {
                assert_int_equal(pair_create(fd, &memfd), 0);
                start_waiters(w, fd[0]);
                nap(i % 2 == 0 ? 0 : 20 * NS_PER_MS);
                port_bury(memfd, 1, process_slot(fd[1])->port.peer_bell);
                join_waiters(w, -EFLOWDOWN, -EFLOWDOWN);
                close(memfd);
                flow_dealloc(fd[0]);
                flow_dealloc(fd[1]);
        }
}

/* -- several readers and writers ------------------------------------------- */

#define N_MESSAGES 20000
#define N_CROWD    2

struct crowd {
        int           fd[2];
        atomic_uint   written;
        atomic_uint   read;
        atomic_ullong sum;
        atomic_uint   polled;
};

static void *write_numbers(void *arg)
{
        struct crowd *c = arg;
        uint32_t      n;

        while ((n = atomic_fetch_add(&c->written, 1)) < N_MESSAGES) {
                if (flow_write(c->fd[0], &n, sizeof(n)) != sizeof(n))
                        abort();
                if (n % 1000 == 0)
                        nap(NS_PER_MS / 2); /* so that the readers sleep, too */
        }
        return NULL;
}

static void *read_numbers(void *arg)
{
        struct crowd *c = arg;
        uint32_t      n;
        ssize_t       r;

        while ((r = flow_read(c->fd[1], &n, sizeof(n))) == sizeof(n)) {
                atomic_fetch_add(&c->sum, n);
                atomic_fetch_add(&c->read, 1);
        }
        if (r != 0)
                abort();
        return NULL;
}

/* Takes messages as well, but only such as poll() has promised. */
static void *poll_numbers(void *arg)
{
        struct crowd *c   = arg;
        struct pollfd pfd = {.fd = c->fd[1], .events = POLLIN};
        uint32_t      n;
        ssize_t       r = 1;

        if (fccntl(c->fd[1], FLOWSRCVTIMEO, &(struct timespec){PATIENCE_S, 0}) < 0)
                abort();
        while (r > 0) {
                if (poll(&pfd, 1, PATIENCE_S * 1000) != 1)
                        abort();
                atomic_fetch_add(&c->polled, 1);
                r = flow_read(c->fd[1], &n, sizeof(n));
                if (r == sizeof(n)) {
                        atomic_fetch_add(&c->sum, n);
                        atomic_fetch_add(&c->read, 1);
                }
        }
        return NULL;
}

static void test_readers_writers_and_a_poller(void **state)
{
        struct crowd c = {0};
        pthread_t    writer[N_CROWD], reader[N_CROWD], poller;

        (void)state;
        assert_int_equal(pair_create(c.fd, NULL), 0);
        pthread_create(&poller, NULL, poll_numbers, &c);
        for (int i = 0; i < N_CROWD; i++) {
                pthread_create(&reader[i], NULL, read_numbers, &c);
                pthread_create(&writer[i], NULL, write_numbers, &c);
        }
        for (int i = 0; i < N_CROWD; i++)
                pthread_join(writer[i], NULL);
        flow_dealloc(c.fd[0]);
        for (int i = 0; i < N_CROWD; i++)
                pthread_join(reader[i], NULL);
        pthread_join(poller, NULL);
        assert_int_equal(c.read, N_MESSAGES);
        assert_int_equal(c.sum, (uint64_t)N_MESSAGES * (N_MESSAGES - 1) / 2);
        flow_dealloc(c.fd[1]);
}

/*
 * A poller that reads nothing is woken although others sleep in flow_read(): when they leave something
 * behind.
 */
static void test_a_poller_sees_what_a_sleeper_leaves(void **state)
{
        struct waiter w[2];
        int           fd[2];

        (void)state;
        assert_int_equal(pair_create(fd, NULL), 0);
        for (int i = 0; i < 2; i++) {
                w[i] = (struct waiter){.fd = fd[1]};
                pthread_create(&w[i].thread, NULL, i == 0 ? wait_in_read : wait_in_poll, &w[i]);
        }
        nap(20 * NS_PER_MS);
        flow_write(fd[0], "one", 3);
        pthread_join(w[0].thread, NULL);
        assert_int_equal(w[0].result, 3);
        flow_write(fd[0], "two", 3);
        pthread_join(w[1].thread, NULL);
        assert_int_equal(w[1].result, 1);
        flow_dealloc(fd[0]);
        flow_dealloc(fd[1]);
}

/* -- everything at once ---------------------------------------------------- */

#define N_FLOWS   4
#define N_THREADS 6

struct chaos {
        _Atomic int fd[2 * N_FLOWS];
        fset_t     *set;
        atomic_bool over;
        atomic_int  seed;
};

static void replace_flow(struct chaos *c, unsigned i)
{
        int fd[2];

        flow_dealloc(c->fd[2 * i]);
        if (pair_create(fd, NULL) < 0)
                return;
        fccntl(fd[0], FLOWSFLAGS, (uint32_t)(FLOWFDEFAULT | FLOWFNONBLOCK));
        fccntl(fd[1], FLOWSRCVTIMEO, &(struct timespec){0, 200000});
        fccntl(fd[1], FLOWSSNDTIMEO, &(struct timespec){0, 200000});
        fset_add(c->set, fd[1]);
        flow_dealloc(atomic_exchange(&c->fd[2 * i], fd[0]));
        flow_dealloc(atomic_exchange(&c->fd[2 * i + 1], fd[1]));
}

static void look_at_set(struct chaos *c, fqueue_t *fq)
{
        char buf[32];
        int  fd;

        if (fevent(c->set, fq, &(struct timespec){0, 100000}) <= 0)
                return;
        while ((fd = fqueue_next(fq)) >= 0) {
                if (fqueue_type(fq) == FLOW_PKT)
                        flow_read(fd, buf, sizeof(buf));
        }
}

static void *do_anything(void *arg)
{
        struct chaos     *c  = arg;
        uint64_t          r  = (uint64_t)atomic_fetch_add(&c->seed, 1);
        fqueue_t         *fq = fqueue_create();
        char              buf[512];
        struct flow_stats stats;

        memset(buf, 0x77, sizeof(buf));
        while (!atomic_load(&c->over)) {
                unsigned i  = (unsigned)random_below(&r, 2 * N_FLOWS);
                int      fd = c->fd[i];

                switch (random_below(&r, 8)) {
                case 0: flow_read(fd, buf, random_below(&r, sizeof(buf))); break;
                case 1:
                case 2: flow_write(fd, buf, random_below(&r, sizeof(buf))); break;
                case 3: fccntl(fd, FLOWGSTATS, &stats); break;
                case 4: fset_add(c->set, fd); break;
                case 5: fset_del(c->set, fd); break;
                case 6: look_at_set(c, fq); break;
                default:
                        if (random_below(&r, 8) == 0)
                                replace_flow(c, i / 2);
                }
        }
        fqueue_destroy(fq);
        return NULL;
}

static void test_everything_at_once(void **state)
{
        static struct chaos c;
        pthread_t           thread[N_THREADS];

        (void)state;
        c.set = fset_create();
        for (int i = 0; i < 2 * N_FLOWS; i++)
                c.fd[i] = -1;
        for (unsigned i = 0; i < N_FLOWS; i++)
                replace_flow(&c, i);
        for (int i = 0; i < N_THREADS; i++)
                pthread_create(&thread[i], NULL, do_anything, &c);
        nap(2 * NS_PER_S);
        atomic_store(&c.over, true);
        for (int i = 0; i < N_THREADS; i++)
                pthread_join(thread[i], NULL);
        for (int i = 0; i < 2 * N_FLOWS; i++)
                flow_dealloc(c.fd[i]);
        fset_destroy(c.set);
}

/* A call on a number whose flow has ended looks whether the end was left to it. */
static void *call_on_the_ended(void *arg)
{
        struct chaos *c = arg;
        char          byte;

        while (!atomic_load(&c->over))
                flow_read(c->fd[0], &byte, 1);
        return NULL;
}

/* A set must forget a flow with its number: the next flow of that number would be a member nobody watches. */
static void test_no_set_remembers_an_ended_flow(void **state)
{
        static struct chaos c;
        pthread_t           thread[2];
        int64_t             end_ns = clock_now_ns() + NS_PER_S / 2;

        (void)state;
        c.set   = fset_create();
        c.fd[0] = -1;
        for (int i = 0; i < 2; i++)
                pthread_create(&thread[i], NULL, call_on_the_ended, &c);
        while (clock_now_ns() < end_ns) {
                int fd[2];

                assert_int_equal(pair_create(fd, NULL), 0);
                atomic_store(&c.fd[0], fd[0]);
                fccntl(fd[0], FLOWSFLAGS, (uint32_t)(FLOWFDEFAULT | FLOWFNONBLOCK));
                assert_false(fset_has(c.set, fd[0]));
                assert_int_equal(fset_add(c.set, fd[0]), 0);
                assert_int_equal(flow_dealloc(fd[0]), 0);
                assert_int_equal(flow_dealloc(fd[1]), 0);
        }
        atomic_store(&c.over, true);
        for (int i = 0; i < 2; i++)
                pthread_join(thread[i], NULL);
        fset_destroy(c.set);
}

/* -- fork ------------------------------------------------------------------ */

/* 0 when all is as it should be in a child, else the number of the line that found otherwise. */
#define child_check(what)                          \
        do {                                       \
                if (!(what))                       \
                        _exit(__LINE__ % 255 + 1); \
        } while (0)

static void be_child(const int fd[2], fset_t *set, fqueue_t *fq)
{
        int  mine[2];
        char c;

        for (int i = 0; i < 2; i++) {
                child_check(fcntl(fd[i], F_GETFD) < 0 && errno == EBADF);
                child_check(flow_read(fd[i], &c, 1) == -EBADF);
                child_check(flow_write(fd[i], "x", 1) == -EBADF);
                child_check(flow_dealloc(fd[i]) == -EBADF);
                child_check(!fset_has(set, fd[i]));
        }
        child_check(fevent(set, fq, &(struct timespec){0, 0}) == -ETIMEDOUT);
        /* It starts afresh, and what it does with its set is not the parent's business. */
        child_check(pair_create(mine, NULL) == 0);
        child_check(fset_add(set, mine[1]) == 0);
        child_check(flow_write(mine[0], "x", 1) == 1);
        child_check(fevent(set, fq, NULL) == 1 && fqueue_next(fq) == mine[1]);
        child_check(flow_read(mine[1], &c, 1) == 1);
        fset_zero(set);
        _exit(0);
}

static void assert_child_is_fine(pid_t pid)
{
        int status;

        assert_true(pid > 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

static void test_a_child_starts_afresh(void **state)
{
        fset_t   *set = fset_create();
        fqueue_t *fq  = fqueue_create();
        int       fd[2];
        pid_t     pid;

        (void)state;
        assert_int_equal(pair_create(fd, NULL), 0);
        assert_int_equal(fset_add(set, fd[1]), 0);
        flow_write(fd[0], "before", 6);
        pid = fork();
        if (pid == 0)
                be_child(fd, set, fq);
        assert_child_is_fine(pid);
        assert_int_equal(fevent(set, fq, NULL), 1);
        assert_int_equal(fqueue_next(fq), fd[1]);
        assert_int_equal(flow_read(fd[1], (char[8]){0}, 8), 6);
        assert_int_equal(flow_write(fd[1], "after", 5), 5);
        assert_int_equal(flow_read(fd[0], (char[8]){0}, 8), 5);
        flow_dealloc(fd[0]);
        flow_dealloc(fd[1]);
        fset_destroy(set);
        fqueue_destroy(fq);
}

/* Whatever locks the others hold at that moment. */
static void test_forks_among_busy_threads(void **state)
{
        static struct chaos c;
        pthread_t           thread[N_THREADS];
        fqueue_t           *fq = fqueue_create();

        (void)state;
        c.set = fset_create();
        for (int i = 0; i < 2 * N_FLOWS; i++)
                c.fd[i] = -1;
        for (unsigned i = 0; i < N_FLOWS; i++)
                replace_flow(&c, i);
        for (int i = 0; i < N_THREADS; i++)
                pthread_create(&thread[i], NULL, do_anything, &c);
        for (int i = 0; i < 50; i++) {
                static const int none[2] = {-1, -1};
                pid_t            pid     = fork();

                if (pid == 0) {
                        alarm(PATIENCE_S);
                        be_child(none, c.set, fq);
                }
                assert_child_is_fine(pid);
        }
        atomic_store(&c.over, true);
        for (int i = 0; i < N_THREADS; i++)
                pthread_join(thread[i], NULL);
        for (int i = 0; i < 2 * N_FLOWS; i++)
                flow_dealloc(c.fd[i]);
        fset_destroy(c.set);
        fqueue_destroy(fq);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_dealloc_under_waiters),
                cmocka_unit_test(test_the_peer_ends_under_waiters),
                cmocka_unit_test(test_the_peer_dies_under_waiters),
                cmocka_unit_test(test_readers_writers_and_a_poller),
                cmocka_unit_test(test_a_poller_sees_what_a_sleeper_leaves),
                cmocka_unit_test(test_everything_at_once),
                cmocka_unit_test(test_no_set_remembers_an_ended_flow),
                cmocka_unit_test(test_a_child_starts_afresh),
                cmocka_unit_test(test_forks_among_busy_threads),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
