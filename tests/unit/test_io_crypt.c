/*
 * test_io_crypt.c - encrypted flows, first data and who the peer is, over a flow between this process and
 * itself. What encrypted flows have in common with plain ones is in test_io.c. The hostile peer, and whoever
 * sits between the two, is played by hand on the ring.
 */
#include <errno.h>
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

#include "dev/inbox.h"
#include "dev/outbox.h"
#include "dev/process.h"
#include "pair.h"
#include "random.h"

#define CLIENT 0
#define SERVER 1

struct fixture {
        int fd[2];
        int memfd;
};

static int setup_as(void **state, const struct pair_side how[2])
{
        struct fixture *f = calloc(1, sizeof(*f));

        *state = f;
        return pair_create_as(f->fd, &f->memfd, how);
}

static int setup(void **state)
{
        return setup_as(state, pair_sealed);
}

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

static void never_block(int fd)
{
        assert_int_equal(fccntl(fd, FLOWSFLAGS, (uint32_t)(FLOWFDEFAULT | FLOWFNONBLOCK)), 0);
}

static void assert_reads(int fd, size_t count, const char *want)
{
        char buf[128];

        assert_int_equal(flow_read(fd, buf, count), strlen(want));
        assert_memory_equal(buf, want, strlen(want));
}

static void assert_nothing_to_read(int fd)
{
        char c;

        assert_int_equal(flow_read(fd, &c, 1), -EAGAIN);
        assert_false(is_readable(fd));
}

static struct flow_peer peer_of(int fd)
{
        struct flow_peer peer;

        assert_int_equal(fccntl(fd, FLOWGPEER, &peer), 0);
        return peer;
}

static uint64_t forged(int fd)
{
        return record_rx_forged(inbox_records(process_slot(fd)->in));
}

static uint64_t replayed(int fd)
{
        return record_rx_replayed(inbox_records(process_slot(fd)->in));
}

/* -- by hand ---------------------------------------------------------------- */

static void say(int fd, enum record_type type)
{
        assert_int_equal(outbox_say(process_slot(fd)->out, &process_slot(fd)->port, type, false), 0);
}

/* Puts @rec into the ring that @fd writes to. */
static void inject(int fd, const void *rec, size_t len)
{
        struct port *p = &process_slot(fd)->port;
        uint8_t     *to;

        assert_int_equal(port_reserve(p, len, false, &to), 0);
        memcpy(to, rec, len);
        port_commit(p, len, 0, true);
}

#define inject_text(fd, s) inject(fd, s, sizeof(s) - 1)

/* The record of @len bytes that @fd wrote last, where it lies. */
static uint8_t *last_record(int fd, size_t len)
{
        const struct ring_tx *t = &process_slot(fd)->port.tx;

        return t->mem + ((t->head - ring_record(len)) & (t->size - 1)) + sizeof(uint32_t);
}

/* -- who the peer is -------------------------------------------------------- */

static void test_the_peer(void **state)
{
        struct fixture  *f    = *state;
        struct flow_peer peer = peer_of(f->fd[CLIENT]);

        assert_int_equal(peer.encrypted, 1);
        assert_int_equal(peer.suite, 1);
        assert_int_equal(peer.authenticated, 0);
        assert_int_equal(peer.confirmed, 1);
        assert_memory_equal(peer.identity, "uid:", 4);
        assert_int_equal(peer_of(f->fd[SERVER]).encrypted, 1);
}

/* The client of these has not said anything yet. */
static int setup_silent(void **state)
{
        struct pair_side how[2] = {pair_sealed[CLIENT], pair_sealed[SERVER]};

        how[CLIENT].client = false;
        return setup_as(state, how);
}

static void test_the_first_record_confirms(void **state)
{
        struct fixture *f = *state;

        never_block(f->fd[SERVER]);
        assert_int_equal(peer_of(f->fd[SERVER]).confirmed, 0);
        inject_text(f->fd[CLIENT], "a record, so it would seem, of somebody");
        assert_nothing_to_read(f->fd[SERVER]);
        assert_int_equal(peer_of(f->fd[SERVER]).confirmed, 0);
        say(f->fd[CLIENT], RECORD_KEEPALIVE);
        assert_false(is_readable(f->fd[SERVER]));
        assert_nothing_to_read(f->fd[SERVER]);
        assert_int_equal(peer_of(f->fd[SERVER]).confirmed, 1);
}

static void test_what_is_counted(void **state)
{
        struct fixture   *f = *state;
        struct flow_stats stats;
        struct flow_info  info;
        struct port_facts facts;
        size_t            n;

        flow_write(f->fd[CLIENT], "abcdefgh", 8);
        flow_write(f->fd[CLIENT], "ijkl", 4);
        flow_write(f->fd[SERVER], "x", 1);
        assert_reads(f->fd[SERVER], 5, "abcde");
        assert_reads(f->fd[SERVER], 5, "fgh");
        assert_int_equal(fccntl(f->fd[SERVER], FLOWGRXQLEN, &n), 0);
        assert_int_equal(n, ring_record(4 + RECORD_OVERHEAD));
        assert_reads(f->fd[SERVER], 5, "ijkl");
        assert_int_equal(fccntl(f->fd[CLIENT], FLOWGSTATS, &stats), 0);
        assert_int_equal(stats.tx_messages, 2);
        assert_int_equal(stats.tx_bytes, 12);
        assert_int_equal(fccntl(f->fd[SERVER], FLOWGSTATS, &stats), 0);
        assert_int_equal(stats.rx_messages, 2);
        assert_int_equal(stats.rx_bytes, 12);
        assert_int_equal(fccntl(f->fd[SERVER], FLOWGINFO, &info), 0);
        assert_int_equal(info.max_message, 65536);
        port_inspect(f->memfd, &facts);
        assert_int_equal(facts.bytes[CLIENT], 12);
        assert_int_equal(facts.bytes[SERVER], 1);
}

/* -- records that are no messages ------------------------------------------- */

static void test_a_keepalive_disturbs_nobody(void **state)
{
        struct fixture *f = *state;

        never_block(f->fd[SERVER]);
        assert_false(is_readable(f->fd[SERVER]));
        flow_write(f->fd[CLIENT], "one", 3);
        say(f->fd[CLIENT], RECORD_KEEPALIVE);
        say(f->fd[CLIENT], RECORD_KEEPALIVE);
        assert_true(is_readable(f->fd[SERVER]));
        assert_reads(f->fd[SERVER], 8, "one");
        assert_false(is_readable(f->fd[SERVER]));
        say(f->fd[CLIENT], RECORD_KEEPALIVE);
        flow_write(f->fd[CLIENT], "two", 3);
        assert_true(is_readable(f->fd[SERVER]));
        assert_reads(f->fd[SERVER], 8, "two");
        assert_nothing_to_read(f->fd[SERVER]);
        assert_int_equal(forged(f->fd[SERVER]), 0);
}

/* Nor does a ring full of them keep a reader who must not block. */
static void test_many_keepalives(void **state)
{
        struct fixture *f = *state;
        struct slot    *s = process_slot(f->fd[CLIENT]);
        char            c;
        int             n = 0;

        never_block(f->fd[SERVER]);
        while (outbox_say(s->out, &s->port, RECORD_KEEPALIVE, false) == 0)
                n++;
        assert_in_range(n, 1000, PORT_RING_SIZE / RECORD_OVERHEAD);
        for (int i = 0; i < 200 && ring_rx_used(&process_slot(f->fd[SERVER])->port.rx) > 0; i++)
                assert_int_equal(flow_read(f->fd[SERVER], &c, 1), -EAGAIN);
        assert_nothing_to_read(f->fd[SERVER]);
        flow_write(f->fd[CLIENT], "x", 1);
        assert_reads(f->fd[SERVER], 1, "x");
}

/* -- a message in parts ------------------------------------------------------ */

/* What was opened is not opened again: the record may be gone to pieces since. */
static void test_a_message_is_opened_once(void **state)
{
        struct fixture *f = *state;
        char            buf[8];

        flow_write(f->fd[CLIENT], "abcdefgh", 8);
        assert_int_equal(
                fccntl(f->fd[SERVER], FLOWSFLAGS, (uint32_t)(FLOWFDEFAULT | FLOWFNONBLOCK | FLOWFRNOPART)),
                0);
        assert_int_equal(flow_read(f->fd[SERVER], buf, 7), -EMSGSIZE);
        memset(last_record(f->fd[CLIENT], 8 + RECORD_OVERHEAD), 0x55, 8 + RECORD_OVERHEAD);
        assert_int_equal(flow_read(f->fd[SERVER], buf, 7), -EMSGSIZE);
        assert_true(is_readable(f->fd[SERVER]));
        never_block(f->fd[SERVER]);
        assert_reads(f->fd[SERVER], 3, "abc");
        assert_true(is_readable(f->fd[SERVER]));
        assert_reads(f->fd[SERVER], 5, "defgh");
        assert_nothing_to_read(f->fd[SERVER]);
        assert_int_equal(forged(f->fd[SERVER]) + replayed(f->fd[SERVER]), 0);
}

/* -- the one in between ------------------------------------------------------ */

static void test_any_byte_altered(void **state)
{
        struct fixture *f   = *state;
        const size_t    len = 5 + RECORD_OVERHEAD;

        never_block(f->fd[SERVER]);
        for (size_t i = 0; i < len; i++) {
                uint64_t before = forged(f->fd[SERVER]) + replayed(f->fd[SERVER]);

                flow_write(f->fd[CLIENT], "money", 5);
                last_record(f->fd[CLIENT], len)[i] ^= (uint8_t)(1u << i % 8);
                assert_nothing_to_read(f->fd[SERVER]);
                assert_int_equal(forged(f->fd[SERVER]) + replayed(f->fd[SERVER]), before + 1);
        }
        flow_write(f->fd[CLIENT], "fine", 4);
        assert_reads(f->fd[SERVER], 8, "fine");
}

static void test_a_record_that_is_cut(void **state)
{
        struct fixture *f = *state;
        uint8_t         rec[9 + RECORD_OVERHEAD];

        never_block(f->fd[SERVER]);
        flow_write(f->fd[CLIENT], "transfer!", 9);
        memcpy(rec, last_record(f->fd[CLIENT], sizeof(rec)), sizeof(rec));
        memset(last_record(f->fd[CLIENT], sizeof(rec)), 0, sizeof(rec));
        for (size_t len = 1; len < sizeof(rec); len++)
                inject(f->fd[CLIENT], rec, len);
        assert_nothing_to_read(f->fd[SERVER]);
        assert_int_equal(forged(f->fd[SERVER]) + replayed(f->fd[SERVER]), sizeof(rec));
        inject(f->fd[CLIENT], rec, sizeof(rec));
        assert_reads(f->fd[SERVER], 16, "transfer!");
}

static void test_a_replay(void **state)
{
        struct fixture *f = *state;
        uint8_t         rec[3 + RECORD_OVERHEAD];

        never_block(f->fd[SERVER]);
        flow_write(f->fd[CLIENT], "pay", 3);
        memcpy(rec, last_record(f->fd[CLIENT], sizeof(rec)), sizeof(rec));
        assert_reads(f->fd[SERVER], 8, "pay");
        for (int i = 0; i < 3; i++) {
                inject(f->fd[CLIENT], rec, sizeof(rec));
                assert_nothing_to_read(f->fd[SERVER]);
        }
        assert_int_equal(replayed(f->fd[SERVER]), 3);
        inject(f->fd[SERVER], rec, sizeof(rec)); /* nor is it taken by the one who made it */
        never_block(f->fd[CLIENT]);
        assert_nothing_to_read(f->fd[CLIENT]);
        assert_int_equal(forged(f->fd[CLIENT]), 1);
}

static void test_junk(void **state)
{
        struct fixture *f = *state;
        static uint8_t  junk[PORT_MSG_MAX + RECORD_OVERHEAD];
        uint64_t        random = 7;
        uint64_t        n      = 0;

        never_block(f->fd[SERVER]);
        for (int i = 0; i < 2000; i++, n++) {
                size_t len = 1 + random_below(&random, i % 100 == 0 ? sizeof(junk) : 90);

                random_fill(&random, junk, len < 90 ? len : 90);
                inject(f->fd[CLIENT], junk, len);
                if (i % 7 == 0) {
                        flow_write(f->fd[CLIENT], "sound", 5);
                        assert_reads(f->fd[SERVER], 8, "sound");
                } else {
                        assert_nothing_to_read(f->fd[SERVER]);
                }
        }
        assert_int_equal(forged(f->fd[SERVER]) + replayed(f->fd[SERVER]), n);
}

static void assert_is_down(int fd)
{
        char c;

        assert_int_equal(flow_read(fd, &c, 1), -EFLOWDOWN);
        assert_int_equal(flow_write(fd, "x", 1), -EFLOWDOWN);
        assert_true(is_readable(fd));
}

static void test_a_record_that_is_too_long(void **state)
{
        struct fixture *f = *state;
        static uint8_t  junk[PORT_MSG_MAX + RECORD_OVERHEAD + 1];

        inject(f->fd[CLIENT], junk, sizeof(junk));
        assert_is_down(f->fd[SERVER]);
}

/* One who has the keys and breaks the rules. */
static void test_an_empty_message(void **state)
{
        struct fixture *f = *state;

        say(f->fd[CLIENT], RECORD_DATA);
        assert_is_down(f->fd[SERVER]);
}

static void test_too_much_is_forged(void **state)
{
        struct fixture *f = *state;

        never_block(f->fd[SERVER]);
        record_rx_end_after(inbox_records(process_slot(f->fd[SERVER])->in), 3);
        for (int i = 0; i < 2; i++) {
                inject_text(f->fd[CLIENT], "12345678901234567890123456");
                assert_nothing_to_read(f->fd[SERVER]);
        }
        inject_text(f->fd[CLIENT], "12345678901234567890123456");
        assert_is_down(f->fd[SERVER]);
}

/* A plain flow takes no longer messages because encrypted ones have longer records. */
static void test_a_plain_message_that_is_too_long(void **state)
{
        static uint8_t junk[PORT_MSG_MAX + 1];
        int            fd[2];

        (void)state;
        assert_int_equal(pair_create(fd, NULL), 0);
        inject(fd[0], junk, sizeof(junk));
        assert_is_down(fd[1]);
        flow_dealloc(fd[0]);
        flow_dealloc(fd[1]);
}

/* A set looks into the records before it reports them. */
static void test_sets_report_messages_only(void **state)
{
        const struct timespec now = {0, 0};
        struct fixture       *f   = *state;
        fset_t               *set = fset_create();
        fqueue_t             *fq  = fqueue_create();
        char                  big[200];

        assert_int_equal(fset_add(set, f->fd[SERVER]), 0);
        inject_text(f->fd[CLIENT], "\0\0\0\0\0\0\0\1 a message, so it would seem");
        assert_int_equal(fevent(set, fq, &now), -ETIMEDOUT);
        assert_false(is_readable(f->fd[SERVER]));
        memset(big, 'b', sizeof(big));
        flow_write(f->fd[CLIENT], big, sizeof(big));
        flow_write(f->fd[CLIENT], "next", 4);
        assert_int_equal(fevent(set, fq, &now), 1);
        assert_int_equal(fqueue_next(fq), f->fd[SERVER]);
        assert_int_equal(fqueue_type(fq), FLOW_PKT);
        assert_int_equal(flow_read(f->fd[SERVER], big, sizeof(big)), sizeof(big));
        assert_reads(f->fd[SERVER], 8, "next");
        flow_dealloc(f->fd[CLIENT]);
        assert_int_equal(fevent(set, fq, &now), 1);
        assert_int_equal(fqueue_next(fq), f->fd[SERVER]);
        assert_int_equal(fqueue_type(fq), FLOW_DOWN);
        fqueue_destroy(fq);
        fset_destroy(set);
}

/* -- the end ----------------------------------------------------------------- */

/* Somebody ends the flow who does not have the keys. */
static void test_an_end_without_a_close(void **state)
{
        struct fixture *f = *state;

        flow_write(f->fd[CLIENT], "last", 4);
        port_end(&process_slot(f->fd[CLIENT])->port);
        assert_reads(f->fd[SERVER], 8, "last");
        for (int i = 0; i < 3; i++)
                assert_is_down(f->fd[SERVER]);
}

/* The process died when everything was said. */
static void test_a_close_and_a_death(void **state)
{
        struct fixture *f = *state;
        char            c;

        say(f->fd[CLIENT], RECORD_CLOSE);
        assert_false(is_readable(f->fd[SERVER]));
        port_bury(f->memfd, CLIENT, process_slot(f->fd[CLIENT])->port.peer_bell);
        assert_true(is_readable(f->fd[SERVER]));
        assert_int_equal(flow_read(f->fd[SERVER], &c, 1), 0);
}

/* However full the ring is, and wherever in its memory it ends, the close finds room. */
static void test_the_end_of_a_full_ring(void **state)
{
        static uint8_t buf[PORT_MSG_MAX];
        uint64_t       random = 17;

        (void)state;
        for (int i = 0; i < 400; i++) {
                size_t  n = 1 + random_below(&random, i % 3 == 0 ? sizeof(buf) : 100);
                int     fd[2];
                int     sent = 0;
                ssize_t r;

                assert_int_equal(pair_create_as(fd, NULL, pair_sealed), 0);
                for (uint64_t k = random_below(&random, 10); k > 0; k--) {
                        size_t before = 1 + random_below(&random, 30000);

                        assert_int_equal(flow_write(fd[CLIENT], buf, before), before);
                        assert_int_equal(flow_read(fd[SERVER], buf, before), before);
                }
                never_block(fd[CLIENT]);
                for (; flow_write(fd[CLIENT], buf, n) > 0; sent++)
                        ;
                assert_int_equal(errno, EAGAIN);
                assert_int_equal(flow_dealloc(fd[CLIENT]), 0);
                for (; (r = flow_read(fd[SERVER], buf, sizeof(buf))) > 0; sent--)
                        assert_int_equal(r, n);
                assert_int_equal(r, 0);
                assert_int_equal(sent, 0);
                flow_dealloc(fd[SERVER]);
        }
}

/* -- first data --------------------------------------------------------------- */

static int setup_first(void **state)
{
        const struct pair_side how[2] = {{.client = true}, {.first = "early bird"}};

        return setup_as(state, how);
}

static int setup_first_sealed(void **state)
{
        struct pair_side how[2] = {pair_sealed[CLIENT], pair_sealed[SERVER]};

        how[SERVER].first = "early bird";
        return setup_as(state, how);
}

static void test_first_data_is_the_first_message(void **state)
{
        struct fixture *f = *state;

        assert_true(is_readable(f->fd[SERVER]));
        assert_reads(f->fd[SERVER], 5, "early");
        assert_true(is_readable(f->fd[SERVER]));
        flow_write(f->fd[CLIENT], "worm", 4);
        assert_reads(f->fd[SERVER], 8, " bird");
        assert_true(is_readable(f->fd[SERVER]));
        assert_reads(f->fd[SERVER], 8, "worm");
        never_block(f->fd[SERVER]);
        assert_nothing_to_read(f->fd[SERVER]);
}

static void test_first_data_survives_the_client(void **state)
{
        struct fixture *f = *state;
        char            c;

        flow_dealloc(f->fd[CLIENT]);
        assert_reads(f->fd[SERVER], 16, "early bird");
        assert_int_equal(flow_read(f->fd[SERVER], &c, 1), 0);
        assert_true(is_readable(f->fd[SERVER]));
}

static void test_first_data_is_whole_or_kept(void **state)
{
        struct fixture *f = *state;
        char            buf[16];

        assert_int_equal(fccntl(f->fd[SERVER], FLOWSFLAGS, (uint32_t)(FLOWFDEFAULT | FLOWFRNOPART)), 0);
        assert_int_equal(flow_read(f->fd[SERVER], buf, 9), -EMSGSIZE);
        assert_true(is_readable(f->fd[SERVER]));
        assert_reads(f->fd[SERVER], 10, "early bird");
        assert_false(is_readable(f->fd[SERVER]));
}

/* The server is side 0 of these, and up before the client is. */
static void held(int fd[2], bool greets, bool wakes)
{
        struct pair_side how[2] = {pair_sealed[SERVER], pair_sealed[CLIENT]};

        how[0].first  = "early bird";
        how[0].hold   = true;
        how[1].client = greets;
        how[1].wakes  = wakes;
        assert_int_equal(pair_create_as(fd, NULL, how), 0);
        never_block(fd[0]);
}

static void end_both(const int fd[2])
{
        flow_dealloc(fd[0]);
        flow_dealloc(fd[1]);
}

static void test_held_until_the_client_greets(void **state)
{
        int fd[2];

        (void)state;
        held(fd, true, true);
        assert_true(is_readable(fd[0]));
        assert_reads(fd[0], 16, "early bird");
        assert_nothing_to_read(fd[0]);
        end_both(fd);
        held(fd, true, false);
        assert_reads(fd[0], 16, "early bird");
        end_both(fd);
}

static void test_held_from_who_has_no_keys(void **state)
{
        int fd[2];

        (void)state;
        held(fd, false, false);
        assert_nothing_to_read(fd[0]);
        inject_text(fd[1], "a record, so it would seem, of somebody");
        assert_nothing_to_read(fd[0]);
        port_end(&process_slot(fd[1])->port);
        assert_is_down(fd[0]);
        end_both(fd);
}

/* The greeting was lost: a message does as well, and is read after. */
static void test_held_until_a_message(void **state)
{
        int fd[2];

        (void)state;
        held(fd, false, false);
        flow_write(fd[1], "worm", 4);
        assert_true(is_readable(fd[0]));
        assert_reads(fd[0], 5, "early");
        assert_reads(fd[0], 8, " bird");
        assert_true(is_readable(fd[0]));
        assert_reads(fd[0], 8, "worm");
        assert_nothing_to_read(fd[0]);
        end_both(fd);
}

/* The client was up first, so its greeting is there when the server comes. */
static void test_held_data_that_is_free_at_once(void **state)
{
        struct pair_side how[2] = {pair_sealed[CLIENT], pair_sealed[SERVER]};
        int              fd[2];

        (void)state;
        how[SERVER].first = "early bird";
        how[SERVER].hold  = true;
        assert_int_equal(pair_create_as(fd, NULL, how), 0);
        assert_true(is_readable(fd[SERVER]));
        assert_int_equal(peer_of(fd[SERVER]).confirmed, 1);
        assert_reads(fd[SERVER], 16, "early bird");
        end_both(fd);
}

/* -- processes and threads ------------------------------------------------------ */

static void test_a_child_has_nothing(void **state)
{
        struct fixture *f = *state;
        int             status;
        pid_t           pid;

        flow_write(f->fd[CLIENT], "abc", 3);
        assert_reads(f->fd[SERVER], 1, "a");
        pid = fork();
        if (pid == 0) {
                bool bad = flow_write(f->fd[CLIENT], "x", 1) != -EBADF ||
                           process_slot(f->fd[CLIENT])->flow != NULL ||
                           process_slot(f->fd[SERVER])->in != NULL;

                _exit(bad);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        assert_reads(f->fd[SERVER], 8, "bc");
        flow_write(f->fd[CLIENT], "still", 5);
        assert_reads(f->fd[SERVER], 8, "still");
}

#define N_STREAM 20000

struct end {
        pthread_t thread;
        int       fd;
        uint64_t  seed; /* of lengths and contents */
        bool      good;
};

/* Message @i of a stream. Returns its length. */
static size_t compose(uint64_t seed, uint32_t i, uint8_t *buf)
{
        uint64_t random = seed + i;
        size_t   n      = sizeof(i) + random_below(&random, i % 64 == 0 ? 8000 : 200);

        memset(buf, (int)(i * 31 + seed), n);
        memcpy(buf, &i, sizeof(i));
        return n;
}

static void *send_stream(void *arg)
{
        struct end *e = arg;
        uint8_t     buf[8192];

        for (uint32_t i = 0; i < N_STREAM; i++) {
                size_t n = compose(e->seed, i, buf);

                if (flow_write(e->fd, buf, n) != (ssize_t)n)
                        return NULL;
        }
        e->good = true;
        return NULL;
}

static void *recv_stream(void *arg)
{
        struct end *e = arg;
        uint8_t     want[8192];
        uint8_t     got[8192];

        for (uint32_t i = 0; i < N_STREAM; i++) {
                size_t  n    = compose(e->seed, i, want);
                size_t  half = i % 5 == 0 ? n / 2 : n;
                ssize_t r    = flow_read(e->fd, got, half);

                if (r == (ssize_t)half && half < n)
                        r += flow_read(e->fd, got + half, sizeof(got) - half);
                if (r != (ssize_t)n || memcmp(got, want, n) != 0)
                        return NULL;
        }
        e->good = true;
        return NULL;
}

static void *ask_often(void *arg)
{
        struct end       *e = arg;
        struct flow_peer  peer;
        struct flow_stats stats;

        for (int i = 0; i < 2000; i++) {
                if (fccntl(e->fd, FLOWGPEER, &peer) < 0 || fccntl(e->fd, FLOWGSTATS, &stats) < 0)
                        return NULL;
        }
        e->good = true;
        return NULL;
}

/* Both directions at once, with new keys every few records. */
static void test_threads(void **state)
{
        struct fixture *f           = *state;
        void *(*const fn[])(void *) = {send_stream, recv_stream, send_stream, recv_stream, ask_often};
        struct end end[]            = {{.fd = f->fd[0], .seed = 1},
                                       {.fd = f->fd[1], .seed = 1},
                                       {.fd = f->fd[1], .seed = 2},
                                       {.fd = f->fd[0], .seed = 2},
                                       {.fd = f->fd[1]}};
        size_t     n                = sizeof(end) / sizeof(end[0]);

        for (int i = 0; i < 2; i++)
                record_tx_rotate_after(outbox_records(process_slot(f->fd[i])->out), 10);
        for (size_t i = 0; i < n; i++)
                assert_int_equal(pthread_create(&end[i].thread, NULL, fn[i], &end[i]), 0);
        for (size_t i = 0; i < n; i++) {
                pthread_join(end[i].thread, NULL);
                assert_true(end[i].good);
        }
        assert_int_equal(forged(f->fd[0]) + forged(f->fd[1]), 0);
        assert_true(record_tx_epoch(outbox_records(process_slot(f->fd[0])->out)) >= N_STREAM / 10);
}

struct vandal {
        pthread_t   thread;
        atomic_bool stop;
        uint8_t    *mem; /* a ring */
};

/* No synchronisation whatever: it is a peer who writes where others read. */
__attribute__((no_sanitize("thread"))) static void *vandalise(void *arg)
{
        struct vandal *v      = arg;
        uint64_t       random = 23;

        while (!atomic_load_explicit(&v->stop, memory_order_relaxed)) {
                size_t at = random_below(&random, 8 * RING_PAGE);

                /* Not the lengths, which lie at multiples of the alignment: a lie there ends the flow at once. */
                if (at % RING_ALIGN >= sizeof(uint32_t))
                        ((volatile uint8_t *)v->mem)[at] ^= 1;
        }
        return NULL;
}

/*
 * Somebody writes into records while they are opened: what is read was sent, every byte of it. Records are of
 * one length, so that those in which the length lies at a multiple of eight are known.
 */
static void test_a_vandal(void **state)
{
        struct fixture *f    = *state;
        struct vandal   v    = {.mem = process_slot(f->fd[CLIENT])->port.tx.mem};
        uint32_t        next = 0, got = 0;
        uint8_t         out[1004 - RECORD_OVERHEAD];
        uint8_t         in[sizeof(out)];

        never_block(f->fd[CLIENT]);
        never_block(f->fd[SERVER]);
        assert_int_equal(pthread_create(&v.thread, NULL, vandalise, &v), 0);
        for (uint32_t i = 1; i < 20000; i++) {
                memset(out, (int)i, sizeof(out));
                memcpy(out, &i, sizeof(i));
                assert_int_equal(flow_write(f->fd[CLIENT], out, sizeof(out)), sizeof(out));
                if (flow_read(f->fd[SERVER], in, sizeof(in)) < 0)
                        continue;
                memcpy(&next, in, sizeof(next));
                assert_int_equal(next, i);
                assert_memory_equal(in, out, sizeof(out));
                got++;
        }
        atomic_store(&v.stop, true);
        pthread_join(v.thread, NULL);
        assert_int_equal(got + forged(f->fd[SERVER]) + replayed(f->fd[SERVER]), 19999);
}

#define test(name)                cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
#define test_with(name, setup_fn) cmocka_unit_test_setup_teardown(test_##name, setup_fn, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                test(the_peer),
                test_with(the_first_record_confirms, setup_silent),
                test(what_is_counted),
                test(a_keepalive_disturbs_nobody),
                test(many_keepalives),
                test(a_message_is_opened_once),
                test(any_byte_altered),
                test(a_record_that_is_cut),
                test(a_replay),
                test(junk),
                test(a_record_that_is_too_long),
                test(an_empty_message),
                test(too_much_is_forged),
                cmocka_unit_test(test_a_plain_message_that_is_too_long),
                test(sets_report_messages_only),
                test(an_end_without_a_close),
                test(a_close_and_a_death),
                cmocka_unit_test(test_the_end_of_a_full_ring),
                test_with(first_data_is_the_first_message, setup_first),
                test_with(first_data_is_the_first_message, setup_first_sealed),
                test_with(first_data_survives_the_client, setup_first),
                test_with(first_data_survives_the_client, setup_first_sealed),
                test_with(first_data_is_whole_or_kept, setup_first),
                test_with(first_data_is_whole_or_kept, setup_first_sealed),
                cmocka_unit_test(test_held_until_the_client_greets),
                cmocka_unit_test(test_held_from_who_has_no_keys),
                cmocka_unit_test(test_held_until_a_message),
                cmocka_unit_test(test_held_data_that_is_free_at_once),
                test(a_child_has_nothing),
                test(threads),
                test(a_vandal),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
