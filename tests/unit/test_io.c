/*
 * test_io.c - flow_read(), flow_write() and fccntl() over a flow between this process and itself, without a
 * daemon: what is the same for plain and encrypted flows is tried with both.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include <ouroboros/dev.h>
#include <ouroboros/errno.h>
#include <ouroboros/fccntl.h>

#include "base/clock.h"
#include "dev/process.h"
#include "pair.h"
#include "random.h"
#include "shm/bell.h"

#define MS 1000000L

struct fixture {
        int fd[2];
        int memfd;
};

static int setup(void **state)
{
        struct fixture *f = calloc(1, sizeof(*f));

        *state = f;
        return pair_create(f->fd, &f->memfd);
}

static int setup_sealed(void **state)
{
        struct fixture *f = calloc(1, sizeof(*f));

        *state = f;
        return pair_create_as(f->fd, &f->memfd, pair_sealed);
}

/* Tests may have ended either side themselves. */
static int teardown(void **state)
{
        struct fixture *f = *state;

        flow_dealloc(f->fd[0]);
        flow_dealloc(f->fd[1]);
        close(f->memfd);
        free(f);
        return 0;
}

static bool is_readable(int fd)
{
        struct pollfd pfd = {.fd = fd, .events = POLLIN};

        return poll(&pfd, 1, 0) == 1;
}

static void set_flags(int fd, uint32_t flags)
{
        assert_int_equal(fccntl(fd, FLOWSFLAGS, flags), 0);
}

static void assert_reads(int fd, size_t count, const char *want)
{
        char buf[128];

        assert_int_equal(flow_read(fd, buf, count), strlen(want));
        assert_memory_equal(buf, want, strlen(want));
}

static void assert_fails(ssize_t r, int code, int std)
{
        int saved = errno;

        assert_int_equal(r, code);
        assert_int_equal(saved, std);
}

/* -- messages -------------------------------------------------------------- */

static void test_messages_keep_their_boundaries(void **state)
{
        struct fixture *f = *state;

        assert_int_equal(flow_write(f->fd[0], "one", 3), 3);
        assert_int_equal(flow_write(f->fd[0], "three", 5), 5);
        assert_reads(f->fd[1], 128, "one");
        assert_reads(f->fd[1], 128, "three");
        assert_int_equal(flow_write(f->fd[1], "back", 4), 4);
        assert_reads(f->fd[0], 128, "back");
}

static void test_a_short_read_leaves_the_rest(void **state)
{
        struct fixture *f = *state;

        flow_write(f->fd[0], "abcdefgh", 8);
        flow_write(f->fd[0], "next", 4);
        assert_reads(f->fd[1], 3, "abc");
        assert_true(is_readable(f->fd[1]));
        assert_reads(f->fd[1], 4, "defg");
        assert_reads(f->fd[1], 4, "h");
        assert_reads(f->fd[1], 4, "next");
        assert_false(is_readable(f->fd[1]));
}

static void test_a_message_read_exactly_leaves_nothing(void **state)
{
        struct fixture *f = *state;

        set_flags(f->fd[1], FLOWFDEFAULT | FLOWFRNOBLOCK);
        flow_write(f->fd[0], "abcd", 4);
        assert_reads(f->fd[1], 2, "ab");
        assert_reads(f->fd[1], 2, "cd");
        assert_fails(flow_read(f->fd[1], (char[1]){0}, 1), -EAGAIN, EAGAIN);
}

static void test_without_partial_reads_a_message_is_kept(void **state)
{
        struct fixture *f = *state;

        set_flags(f->fd[1], FLOWFDEFAULT | FLOWFRNOPART);
        flow_write(f->fd[0], "abcdefgh", 8);
        for (int i = 0; i < 3; i++)
                assert_fails(flow_read(f->fd[1], (char[7]){0}, 7), -EMSGSIZE, EMSGSIZE);
        assert_true(is_readable(f->fd[1]));
        assert_reads(f->fd[1], 8, "abcdefgh");
}

/* The flag may be set when a message is half read: what is left counts. */
static void test_the_rest_counts_without_partial_reads(void **state)
{
        struct fixture *f = *state;

        flow_write(f->fd[0], "abcdefgh", 8);
        assert_reads(f->fd[1], 5, "abcde");
        set_flags(f->fd[1], FLOWFDEFAULT | FLOWFRNOPART);
        assert_int_equal(flow_read(f->fd[1], (char[2]){0}, 2), -EMSGSIZE);
        assert_reads(f->fd[1], 3, "fgh");
}

static void test_nothing_is_nothing(void **state)
{
        struct fixture *f = *state;

        assert_int_equal(flow_write(f->fd[0], "", 0), 0);
        assert_int_equal(flow_write(f->fd[0], NULL, 0), 0);
        assert_false(is_readable(f->fd[1]));
        flow_write(f->fd[0], "x", 1);
        assert_int_equal(flow_read(f->fd[1], NULL, 0), 0);
        assert_reads(f->fd[1], 1, "x");
        assert_fails(flow_write(f->fd[0], NULL, 1), -EINVAL, EINVAL);
        assert_fails(flow_read(f->fd[1], NULL, 1), -EINVAL, EINVAL);
}

static void test_the_largest_message(void **state)
{
        struct fixture  *f = *state;
        struct flow_info info;
        uint8_t         *out;
        uint8_t         *in;

        assert_int_equal(fccntl(f->fd[0], FLOWGINFO, &info), 0);
        out = calloc(1, info.max_message + 1);
        in  = calloc(1, info.max_message + 1);
        memset(out, 0x5a, info.max_message);
        assert_fails(flow_write(f->fd[0], out, info.max_message + 1), -EMSGSIZE, EMSGSIZE);
        assert_int_equal(flow_write(f->fd[0], out, info.max_message), info.max_message);
        assert_int_equal(flow_read(f->fd[1], in, info.max_message + 1), info.max_message);
        assert_memory_equal(in, out, info.max_message);
        free(out);
        free(in);
}

static void test_numbers_that_are_no_flows(void **state)
{
        struct fixture *f    = *state;
        const int       no[] = {-1, INT32_MIN, INT32_MAX, TABLE_MAX, TABLE_MAX - 1, 0, f->memfd};
        uint32_t        flags;
        char            c;

        for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
                assert_fails(flow_read(no[i], &c, 1), -EBADF, EBADF);
                assert_fails(flow_write(no[i], &c, 1), -EBADF, EBADF);
                assert_fails(flow_dealloc(no[i]), -EBADF, EBADF);
                assert_fails(flow_alloc_finish(no[i], NULL), -EBADF, EBADF);
                assert_fails(fccntl(no[i], FLOWGFLAGS, &flags), -EBADF, EBADF);
        }
        assert_fails(flow_alloc_finish(f->fd[0], NULL), -EBADF, EBADF);
}

/* Any sizes on both sides: the bytes come in order, and no read crosses the end of a message. */
static void test_random_sizes(void **state)
{
        struct fixture *f = *state;
        uint64_t        r = 0x0705;
        size_t          sizes[64];
        size_t          head = 0, tail = 0, left = 0;
        uint8_t         out = 0, in = 0;
        static uint8_t  buf[PORT_MSG_MAX];

        set_flags(f->fd[0], FLOWFDEFAULT | FLOWFWNOBLOCK);
        for (int i = 0; i < 200000; i++) {
                if (random_below(&r, 2) == 0 && head - tail < 64) {
                        size_t n = 1 + random_below(&r, random_below(&r, 16) == 0 ? PORT_MSG_MAX : 300);

                        for (size_t k = 0; k < n; k++)
                                buf[k] = (uint8_t)(out + k);
                        if (flow_write(f->fd[0], buf, n) == (ssize_t)n) {
                                sizes[head++ % 64] = n;
                                out                = (uint8_t)(out + n);
                        } else {
                                assert_int_equal(errno, EAGAIN);
                        }
                } else if (head != tail) {
                        size_t  n   = 1 + random_below(&r, random_below(&r, 16) == 0 ? PORT_MSG_MAX : 300);
                        ssize_t got = flow_read(f->fd[1], buf, n);

                        left = left == 0 ? sizes[tail % 64] : left;
                        assert_int_equal(got, n < left ? n : left);
                        for (ssize_t k = 0; k < got; k++) {
                                if (buf[k] != in++)
                                        fail();
                        }
                        left -= (size_t)got;
                        tail += left == 0;
                }
                assert_int_equal(is_readable(f->fd[1]), head != tail);
        }
}

/* -- waiting --------------------------------------------------------------- */

static void test_without_blocking(void **state)
{
        struct fixture *f = *state;
        static uint8_t  buf[PORT_MSG_MAX];
        int             n = 0;

        set_flags(f->fd[0], FLOWFDEFAULT | FLOWFNONBLOCK);
        assert_fails(flow_read(f->fd[0], buf, 1), -EAGAIN, EAGAIN);
        while (flow_write(f->fd[0], buf, sizeof(buf)) > 0)
                n++;
        assert_in_range(n, 2, PORT_RING_SIZE / PORT_MSG_MAX);
        assert_fails(flow_write(f->fd[0], buf, sizeof(buf)), -EAGAIN, EAGAIN);
        while (n-- > 0)
                assert_int_equal(flow_read(f->fd[1], buf, sizeof(buf)), sizeof(buf));
        assert_int_equal(flow_write(f->fd[0], buf, sizeof(buf)), sizeof(buf));
}

static void test_timeouts(void **state)
{
        struct fixture       *f     = *state;
        const struct timespec timeo = {0, 30 * MS};
        static uint8_t        buf[PORT_MSG_MAX];
        int64_t               start;

        assert_int_equal(fccntl(f->fd[0], FLOWSRCVTIMEO, &timeo), 0);
        assert_int_equal(fccntl(f->fd[0], FLOWSSNDTIMEO, &timeo), 0);
        start = clock_now_ns();
        assert_fails(flow_read(f->fd[0], buf, 1), -ETIMEDOUT, ETIMEDOUT);
        assert_true(clock_now_ns() - start >= timeo.tv_nsec);
        start = clock_now_ns();
        while (flow_write(f->fd[0], buf, sizeof(buf)) > 0)
                start = clock_now_ns();
        assert_int_equal(errno, ETIMEDOUT);
        assert_true(clock_now_ns() - start >= timeo.tv_nsec);
}

static void test_a_timeout_of_zero_does_not_wait(void **state)
{
        struct fixture       *f     = *state;
        const struct timespec timeo = {0, 0};
        static uint8_t        buf[PORT_MSG_MAX];

        assert_int_equal(fccntl(f->fd[0], FLOWSRCVTIMEO, &timeo), 0);
        assert_int_equal(fccntl(f->fd[0], FLOWSSNDTIMEO, &timeo), 0);
        assert_fails(flow_read(f->fd[0], buf, 1), -EAGAIN, EAGAIN);
        while (flow_write(f->fd[0], buf, sizeof(buf)) > 0)
                ;
        assert_int_equal(errno, EAGAIN);
}

/* -- the end --------------------------------------------------------------- */

static void test_after_the_end_what_was_sent_and_then_nothing(void **state)
{
        struct fixture *f = *state;
        uint32_t        flags;

        flow_write(f->fd[0], "last", 4);
        assert_int_equal(flow_dealloc(f->fd[0]), 0);
        assert_true(is_readable(f->fd[1]));
        assert_fails(flow_write(f->fd[1], "x", 1), -EFLOWDOWN, EPIPE);
        assert_reads(f->fd[1], 2, "la");
        assert_reads(f->fd[1], 8, "st");
        for (int i = 0; i < 3; i++) {
                assert_int_equal(flow_read(f->fd[1], (char[1]){0}, 1), 0);
                assert_true(is_readable(f->fd[1]));
        }
        assert_int_equal(fccntl(f->fd[1], FLOWGFLAGS, &flags), 0);
        assert_int_equal(flags, FLOWFDEFAULT | FLOWFDOWN);
        assert_fails(flow_dealloc(f->fd[0]), -EBADF, EBADF);
        assert_fails(flow_read(f->fd[0], (char[1]){0}, 1), -EBADF, EBADF);
}

static void test_after_a_death_what_was_sent_and_then_an_error(void **state)
{
        struct fixture *f = *state;

        flow_write(f->fd[0], "last", 4);
        port_bury(f->memfd, 0, -1);
        assert_reads(f->fd[1], 8, "last");
        for (int i = 0; i < 3; i++)
                assert_fails(flow_read(f->fd[1], (char[1]){0}, 1), -EFLOWDOWN, EPIPE);
        assert_fails(flow_write(f->fd[1], "x", 1), -EFLOWDOWN, EPIPE);
        assert_true(is_readable(f->fd[1]));
}

/* A peer that lies ends its own flow, and no other. */
static void scribble(struct fixture *f, int what)
{
        uint8_t *mem = mmap(NULL, PORT_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, f->memfd, 0);

        memset(mem, what, PORT_SIZE);
        munmap(mem, PORT_SIZE);
}

static void test_a_peer_that_scribbles(void **state)
{
        struct fixture *f = *state;
        int             other[2];

        assert_int_equal(pair_create(other, NULL), 0);
        flow_write(f->fd[0], "abcd", 4);
        scribble(f, 0x55);
        for (int i = 0; i < 3; i++) {
                assert_fails(flow_read(f->fd[1], (char[8]){0}, 8), -EFLOWDOWN, EPIPE);
                assert_fails(flow_write(f->fd[1], "x", 1), -EFLOWDOWN, EPIPE);
                assert_true(is_readable(f->fd[1]));
        }
        assert_int_equal(flow_write(other[0], "fine", 4), 4);
        assert_reads(other[1], 8, "fine");
        assert_int_equal(flow_dealloc(f->fd[1]), 0);
        flow_dealloc(other[0]);
        flow_dealloc(other[1]);
}

/* The length of a message that is half read becomes less than what was read. */
static void test_a_peer_that_shrinks_a_message(void **state)
{
        struct fixture *f   = *state;
        uint32_t       *mem = mmap(NULL, PORT_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, f->memfd, 0);

        flow_write(f->fd[0], "abcdefgh", 8);
        assert_reads(f->fd[1], 6, "abcdef");
        mem[RING_PAGE / sizeof(*mem)] = 6;
        assert_fails(flow_read(f->fd[1], (char[8]){0}, 8), -EFLOWDOWN, EPIPE);
        munmap(mem, PORT_SIZE);
}

/* The other side rings without a message: who polls and reads without blocking is not kept busy. */
static void test_a_peer_that_rings_for_nothing(void **state)
{
        struct fixture *f     = *state;
        int             tries = 0;

        set_flags(f->fd[1], FLOWFDEFAULT | FLOWFRNOBLOCK);
        bell_ring(process_slot(f->fd[0])->port.peer_bell);
        assert_true(is_readable(f->fd[1]));
        while (is_readable(f->fd[1]) && tries++ < 8)
                assert_int_equal(flow_read(f->fd[1], (char[1]){0}, 1), -EAGAIN);
        assert_in_range(tries, 1, 2);
        flow_write(f->fd[0], "x", 1);
        assert_true(is_readable(f->fd[1]));
        assert_reads(f->fd[1], 1, "x");
}

/* The program has closed the descriptor instead of deallocating the flow, and gets its number again. */
static void test_a_descriptor_closed_behind_our_back(void **state)
{
        struct fixture *f = *state;
        int             again[2];

        close(f->fd[0]);
        close(f->fd[1]);
        assert_int_equal(pair_create(again, NULL), 0);
        assert_int_equal(flow_write(again[0], "new", 3), 3);
        assert_reads(again[1], 8, "new");
        flow_dealloc(again[0]);
        flow_dealloc(again[1]);
}

/* -- settings -------------------------------------------------------------- */

static void test_access_modes(void **state)
{
        struct fixture *f = *state;

        flow_write(f->fd[0], "x", 1);
        set_flags(f->fd[1], FLOWFRDONLY);
        assert_fails(flow_write(f->fd[1], "x", 1), -EPERM, EPERM);
        assert_reads(f->fd[1], 1, "x");
        set_flags(f->fd[1], FLOWFWRONLY);
        assert_fails(flow_read(f->fd[1], (char[1]){0}, 1), -EPERM, EPERM);
        assert_int_equal(flow_write(f->fd[1], "x", 1), 1);
}

static void test_flags(void **state)
{
        struct fixture *f = *state;
        uint32_t        flags;

        assert_int_equal(fccntl(f->fd[0], FLOWGFLAGS, &flags), 0);
        assert_int_equal(flags, FLOWFDEFAULT);
        set_flags(f->fd[0], FLOWFWRONLY | FLOWFNONBLOCK | FLOWFRNOPART);
        assert_int_equal(fccntl(f->fd[0], FLOWGFLAGS, &flags), 0);
        assert_int_equal(flags, FLOWFWRONLY | FLOWFNONBLOCK | FLOWFRNOPART);
        set_flags(f->fd[0], FLOWFDEFAULT | FLOWFDOWN);
        assert_int_equal(fccntl(f->fd[0], FLOWGFLAGS, &flags), 0);
        assert_int_equal(flags, FLOWFDEFAULT);
        assert_fails(fccntl(f->fd[0], FLOWSFLAGS, FLOWFACCMODE), -EINVAL, EINVAL);
        assert_fails(fccntl(f->fd[0], FLOWSFLAGS, 0x80000000u), -EINVAL, EINVAL);
}

static void test_timeouts_are_kept(void **state)
{
        struct fixture       *f     = *state;
        const struct timespec set   = {3, 141592653};
        const struct timespec bad[] = {{-1, 0}, {0, -1}, {0, 1000000000}};
        struct timespec       got;

        assert_fails(fccntl(f->fd[0], FLOWGRCVTIMEO, &got), -EPERM, EPERM);
        assert_fails(fccntl(f->fd[0], FLOWGSNDTIMEO, &got), -EPERM, EPERM);
        assert_int_equal(fccntl(f->fd[0], FLOWSRCVTIMEO, &set), 0);
        assert_int_equal(fccntl(f->fd[0], FLOWGRCVTIMEO, &got), 0);
        assert_int_equal(got.tv_sec, set.tv_sec);
        assert_int_equal(got.tv_nsec, set.tv_nsec);
        assert_fails(fccntl(f->fd[0], FLOWGSNDTIMEO, &got), -EPERM, EPERM);
        for (size_t i = 0; i < 3; i++)
                assert_fails(fccntl(f->fd[0], FLOWSSNDTIMEO, &bad[i]), -EINVAL, EINVAL);
        assert_int_equal(fccntl(f->fd[0], FLOWSRCVTIMEO, NULL), 0);
        assert_fails(fccntl(f->fd[0], FLOWGRCVTIMEO, &got), -EPERM, EPERM);
}

static void test_facts(void **state)
{
        struct fixture   *f = *state;
        struct flow_info  info;
        struct flow_peer  peer;
        struct flow_stats stats;
        qosspec_t         qs;
        size_t            n;

        flow_write(f->fd[0], "abcdefgh", 8);
        flow_write(f->fd[0], "ijkl", 4);
        assert_int_equal(fccntl(f->fd[1], FLOWGRXQLEN, &n), 0);
        assert_in_range(n, 12, 32);
        assert_int_equal(fccntl(f->fd[0], FLOWGTXQLEN, &n), 0);
        assert_in_range(n, 12, 32);
        assert_reads(f->fd[1], 5, "abcde");
        assert_reads(f->fd[1], 5, "fgh");
        assert_reads(f->fd[1], 5, "ijkl");
        assert_int_equal(fccntl(f->fd[1], FLOWGRXQLEN, &n), 0);
        assert_int_equal(n, 0);
        assert_int_equal(fccntl(f->fd[0], FLOWGTXQLEN, &n), 0);
        assert_int_equal(n, 0);

        assert_int_equal(fccntl(f->fd[0], FLOWGSTATS, &stats), 0);
        assert_int_equal(stats.tx_messages, 2);
        assert_int_equal(stats.tx_bytes, 12);
        assert_int_equal(stats.rx_messages, 0);
        assert_int_equal(fccntl(f->fd[1], FLOWGSTATS, &stats), 0);
        assert_int_equal(stats.rx_messages, 2);
        assert_int_equal(stats.rx_bytes, 12);

        assert_int_equal(fccntl(f->fd[0], FLOWGINFO, &info), 0);
        assert_string_equal(info.layer, "test");
        assert_string_equal(info.ipcp_type, "local");
        assert_int_equal(info.max_message, PORT_MSG_MAX);
        assert_int_equal(fccntl(f->fd[0], FLOWGPEER, &peer), 0);
        assert_memory_equal(peer.identity, "uid:", 4);
        assert_int_equal(peer.authenticated, 0);
        assert_int_equal(peer.encrypted, 0);
        assert_int_equal(fccntl(f->fd[0], FLOWGQOSSPEC, &qs), 0);
        assert_int_equal(qs.timeout, DEFAULT_PEER_TIMEOUT);
}

static void test_commands_that_are_none(void **state)
{
        struct fixture *f = *state;
        uint64_t        word;

        assert_fails(fccntl(f->fd[0], 0, &word), -EINVAL, EINVAL);
        assert_fails(fccntl(f->fd[0], -1, &word), -EINVAL, EINVAL);
        assert_fails(fccntl(f->fd[0], 4711, &word), -EINVAL, EINVAL);
        assert_fails(fccntl(f->fd[0], FLOWGFLAGS, NULL), -EINVAL, EINVAL);
        assert_fails(fccntl(f->fd[0], FLOWGINFO, NULL), -EINVAL, EINVAL);
}

#define plain(name)  cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
#define sealed(name) cmocka_unit_test_setup_teardown(test_##name, setup_sealed, teardown)
#define both(name)   plain(name), sealed(name)

int main(void)
{
        const struct CMUnitTest tests[] = {
                both(messages_keep_their_boundaries),
                both(a_short_read_leaves_the_rest),
                both(a_message_read_exactly_leaves_nothing),
                both(without_partial_reads_a_message_is_kept),
                both(the_rest_counts_without_partial_reads),
                both(nothing_is_nothing),
                both(the_largest_message),
                both(numbers_that_are_no_flows),
                both(random_sizes),
                both(without_blocking),
                both(timeouts),
                both(a_timeout_of_zero_does_not_wait),
                both(after_the_end_what_was_sent_and_then_nothing),
                both(after_a_death_what_was_sent_and_then_an_error),
                both(a_peer_that_scribbles),
                plain(a_peer_that_shrinks_a_message),
                both(a_peer_that_rings_for_nothing),
                both(a_descriptor_closed_behind_our_back),
                both(access_modes),
                both(flags),
                both(timeouts_are_kept),
                plain(facts),
                both(commands_that_are_none),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
