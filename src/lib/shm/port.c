#include "shm/port.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ouroboros/errno.h>

#include "base/clock.h"
#include "base/fd.h"
#include "shm/bell.h"
#include "shm/futex.h"

/* What is reserved behind a record, so that the last one fits there without a skip. */
#define LAST_ROOM (PORT_LAST_MAX + 2 * RING_ALIGN)

struct port_ctl {
        struct ring_ctl ring[2]; /* [s]: written by side s */
        struct {
                alignas(RING_SPACING) _Atomic uint32_t word; /* enum port_end */
        } end[2];
};

_Static_assert(sizeof(struct port_ctl) <= RING_PAGE, "the control block is one page");
_Static_assert(PORT_RECORD_MAX + LAST_ROOM <= 3 * (PORT_RING_SIZE / 8) - 4,
               "every message fits an empty ring, see ring_max()");
_Static_assert(offsetof(struct ring_ctl, tx_word) < 64, "what a producer says shares a line");

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

int port_create(void)
{
        int fd = memfd_create("o7s-port", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        int r;

        if (fd < 0)
                return -errno;
        if (ftruncate(fd, (off_t)PORT_SIZE) == 0 && fcntl(fd, F_ADD_SEALS, SEALS) == 0)
                return fd;
        r = -errno;
        close(fd);
        return r;
}

/* A memory that can shrink would be a SIGBUS in the hands of whoever gave it. */
static int check_memfd(int memfd)
{
        struct stat st;
        int         seals = fcntl(memfd, F_GET_SEALS);

        if (seals < 0 || (seals & F_SEAL_SHRINK) == 0)
                return -EPROTO;
        if (fstat(memfd, &st) < 0)
                return -errno;
        return st.st_size == (off_t)PORT_SIZE ? 0 : -EPROTO;
}

int port_open(struct port *p, int memfd, unsigned side, int bell, int peer_bell)
{
        uint8_t *mem;
        int      r = check_memfd(memfd);

        if (r < 0)
                return r;
        mem = mmap(NULL, PORT_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
        if (mem == MAP_FAILED)
                return -errno;
        (void)madvise(mem, PORT_SIZE, MADV_DONTFORK);
        port_reopen(p, (struct port_ctl *)(void *)mem, side, bell, peer_bell);
        return 0;
}

void port_reopen(struct port *p, struct port_ctl *mapping, unsigned side, int bell, int peer_bell)
{
        uint8_t *mem = (uint8_t *)mapping + RING_PAGE;

        *p = (struct port){.ctl = mapping, .side = side, .bell = bell, .peer_bell = peer_bell, .self = -1};
        ring_tx_init(&p->tx, &p->ctl->ring[side], mem + side * PORT_RING_SIZE, PORT_RING_SIZE);
        ring_rx_init(&p->rx, &p->ctl->ring[!side], mem + !side * PORT_RING_SIZE, PORT_RING_SIZE);
        port_rx_leave(p);
}

/*
 * Takes what @word asks for and does it: the second half of whatever publishes. The fence pairs with that in
 * declare().
 */
static bool wake(_Atomic uint32_t *word, int bell)
{
        uint32_t state;

        ring_fence();
        if (atomic_load_explicit(word, memory_order_relaxed) == RING_AWAKE)
                return false;
        state = atomic_exchange(word, RING_AWAKE);
        if (state & RING_ASLEEP)
                futex_wake(word);
        if (state & RING_ARMED)
                bell_ring(bell);
        return state != RING_AWAKE;
}

/*
 * Says in @word how to be woken. What is looked at afterwards is seen, or the other side sees the word. The
 * fence pairs with those in wake() and port_bury().
 */
static void declare(_Atomic uint32_t *word, uint32_t state)
{
        atomic_store_explicit(word, state, memory_order_relaxed);
        ring_fence();
}

static void rouse(_Atomic uint32_t *word)
{
        atomic_store(word, RING_AWAKE);
        futex_wake(word);
}

static void say_end(struct port_ctl *ctl, unsigned side, enum port_end end)
{
        uint32_t open = PORT_OPEN;

        atomic_compare_exchange_strong(&ctl->end[side].word, &open, end);
}

/* Who has written nonsense into its own word has itself to blame if it is not woken. */
void port_end(struct port *p)
{
        say_end(p->ctl, p->side, PORT_CLOSED);
        (void)wake(&p->tx.ctl->rx_word, p->peer_bell);
        (void)wake(&p->rx.ctl->tx_word, p->peer_bell);
}

struct port_ctl *port_part(struct port *p)
{
        struct port_ctl *mapping = p->ctl;

        if (mapping == NULL)
                return NULL;
        port_end(p);
        p->ctl = NULL;
        fd_close(&p->bell);
        fd_close(&p->peer_bell);
        fd_close(&p->self);
        return mapping;
}

void port_unmap(struct port_ctl *mapping)
{
        if (mapping != NULL)
                munmap(mapping, PORT_SIZE);
}

void port_close(struct port *p)
{
        port_unmap(port_part(p));
}

void port_rouse(struct port *p)
{
        if (p->ctl == NULL)
                return;
        rouse(&p->rx.ctl->rx_word);
        rouse(&p->tx.ctl->tx_word);
}

void port_forget(struct port *p)
{
        p->ctl = NULL; /* not mapped here: MADV_DONTFORK */
        fd_close(&p->bell);
        fd_close(&p->peer_bell);
        fd_close(&p->self);
}

void port_bury(int memfd, unsigned side, int bell)
{
        struct port_ctl *ctl = mmap(NULL, RING_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);

        if (ctl == MAP_FAILED)
                return;
        say_end(ctl, side, PORT_DIED);
        ring_fence();
        /* In any way: what a process that is dead left in the words cannot be relied upon. */
        rouse(&ctl->ring[side].rx_word);
        rouse(&ctl->ring[!side].tx_word);
        if (bell >= 0)
                bell_ring(bell);
        munmap(ctl, RING_PAGE);
}

int port_reset(int memfd)
{
        static const uint8_t zeros[sizeof(struct port_ctl)];
        ssize_t              n = pwrite(memfd, zeros, sizeof(zeros), 0);

        return n == (ssize_t)sizeof(zeros) ? 0 : n < 0 ? -errno : -EIO;
}

void port_inspect(int memfd, struct port_facts *facts)
{
        struct port_ctl ctl;

        *facts = (struct port_facts){0};
        if (pread(memfd, &ctl, sizeof(ctl), 0) != (ssize_t)sizeof(ctl))
                return;
        for (unsigned i = 0; i < 2; i++) {
                facts->bytes[i] = atomic_load_explicit(&ctl.ring[i].bytes, memory_order_relaxed);
                facts->ended[i] = atomic_load_explicit(&ctl.end[i].word, memory_order_relaxed) != PORT_OPEN;
        }
}

enum port_end port_peer(const struct port *p)
{
        switch (atomic_load_explicit(&p->ctl->end[!p->side].word, memory_order_acquire)) {
        case PORT_OPEN:
                return atomic_load_explicit(&p->hung_up, memory_order_relaxed) ? PORT_DIED : PORT_OPEN;
        case PORT_CLOSED: return PORT_CLOSED;
        default: return PORT_DIED;
        }
}

static int reserve(struct port *p, size_t len, uint8_t **to)
{
        if (port_peer(p) != PORT_OPEN)
                return -EFLOWDOWN;
        return ring_tx_reserve(&p->tx, len, to);
}

static void publish(struct port *p, size_t len, size_t payload)
{
        p->tx.bytes += payload;
        ring_tx_commit(&p->tx, len);
}

static void call_reader(struct port *p)
{
        if (wake(&p->tx.ctl->rx_word, p->peer_bell))
                p->wakes++;
}

int port_write(struct port *p, const void *buf, size_t len)
{
        uint8_t *to;
        int      r;

        if (len == 0 || len > PORT_MSG_MAX)
                return -EMSGSIZE;
        r = reserve(p, len, &to);
        if (r < 0)
                return r;
        memcpy(to, buf, len);
        publish(p, len, len);
        call_reader(p);
        return 0;
}

int port_reserve(struct port *p, size_t len, bool last, uint8_t **to)
{
        if (len == 0 || len > (last ? PORT_LAST_MAX : PORT_RECORD_MAX))
                return -EMSGSIZE;
        return reserve(p, last ? len : len + LAST_ROOM, to);
}

void port_commit(struct port *p, size_t len, size_t payload, bool wakes)
{
        publish(p, len, payload);
        if (wakes)
                call_reader(p);
}

void port_add(struct port *p, size_t len, size_t payload)
{
        p->tx.bytes += payload;
        ring_tx_add(&p->tx, len);
}

void port_flush(struct port *p)
{
        ring_tx_publish(&p->tx);
        call_reader(p);
}

bool port_tx_prepare(struct port *p)
{
        uint64_t seen = port_tx_seen(p);

        declare(&p->tx.ctl->tx_word, RING_ASLEEP);
        return !port_tx_moved(p, seen);
}

/*
 * A peer can move our sleep to a futex of its own (FUTEX_REQUEUE) where nobody would wake us, not even irmd
 * when the peer has died: nobody sleeps for longer than this without a look.
 */
static int sleep_on(_Atomic uint32_t *word, uint32_t value, int64_t deadline_ns)
{
        int64_t look_ns = clock_after(clock_now_ns(), 60 * NS_PER_S);

        if (futex_wait(word, value, deadline_ns < look_ns ? deadline_ns : look_ns) != -ETIMEDOUT)
                return 0;
        return deadline_ns < look_ns ? -ETIMEDOUT : 0;
}

int port_tx_sleep(struct port *p, int64_t deadline_ns)
{
        return sleep_on(&p->tx.ctl->tx_word, RING_ASLEEP, deadline_ns);
}

uint64_t port_tx_seen(const struct port *p)
{
        return p->tx.looked;
}

bool port_tx_moved(const struct port *p, uint64_t seen)
{
        return atomic_load_explicit(&p->tx.ctl->tail, memory_order_acquire) != seen ||
               port_peer(p) != PORT_OPEN;
}

uint64_t port_rx_seen(const struct port *p)
{
        return p->rx.head;
}

bool port_rx_moved(const struct port *p, uint64_t seen)
{
        return atomic_load_explicit(&p->rx.ctl->head, memory_order_acquire) != seen ||
               port_peer(p) != PORT_OPEN;
}

int port_peek(struct port *p, const uint8_t **buf, size_t *len)
{
        int r = ring_rx_peek(&p->rx, PORT_RECORD_MAX, buf, len);

        if (r < 0)
                return r;
        p->vain = false;
        return *len > 0 ? 0 : -EPROTO; /* port_write() sends none that is empty */
}

int port_look_again(struct port *p, const uint8_t **buf, size_t *len)
{
        enum port_end end = port_peer(p);
        int           r;

        if (end == PORT_OPEN)
                return -EAGAIN;
        r = port_peek(p, buf, len); /* what it wrote before it ended can be seen now */
        if (r != -EAGAIN)
                return r;
        return end == PORT_CLOSED ? -ENODATA : -EFLOWDOWN;
}

static void give_room(struct port *p)
{
        (void)wake(&p->rx.ctl->tx_word, p->peer_bell);
}

void port_pop(struct port *p)
{
        if (ring_rx_pop(&p->rx))
                give_room(p);
}

int port_peek_batch(struct port *p, struct iovec *v, size_t n, size_t bytes)
{
        const uint8_t *at;
        size_t         len, sum;
        int            i = 0;
        int            r = port_peek(p, &at, &len);

        if (r < 0)
                return r;
        sum = len;
        do {
                v[i++] = (struct iovec){.iov_base = (void *)at, .iov_len = len};
                if ((size_t)i == n || ring_rx_peek_more(&p->rx, PORT_RECORD_MAX, &at, &len) < 0)
                        break; /* a lie shows when it is the oldest */
                sum += len;
        } while (len > 0 && sum <= bytes);
        return i;
}

void port_pop_batch(struct port *p, const struct iovec *v, size_t n)
{
        if (ring_rx_pop_to(&p->rx, v[n - 1].iov_base, v[n - 1].iov_len))
                give_room(p);
}

static bool something_to_read(struct port *p)
{
        return ring_rx_ready(&p->rx) || p->extra || port_peer(p) != PORT_OPEN;
}

/*
 * Other readers of this process may be asleep, so that the word may hold RING_ASLEEP: it stays, but is never
 * put back when it was taken. Then they are awake, even those who were just about to sleep: they will find
 * the word changed, and come back.
 */
void port_rx_enter(struct port *p)
{
        if (!p->armed)
                return;
        p->armed = false;
        if (atomic_fetch_and(&p->rx.ctl->rx_word, ~(uint32_t)RING_ARMED) & RING_ARMED)
                p->vain = true;
        else
                p->rung = true; /* whoever took the arm rings, or is about to */
}

void port_rx_enter_uncalled(struct port *p)
{
        port_rx_enter(p);
        p->vain = false;
}

/*
 * Takes the ring back. It may still be on its way from a writer that was interrupted between taking the arm
 * and ringing: then we yield to it a few times. One that comes later makes the descriptor readable without a
 * message; so does a peer that rings for nothing. The visit that this causes finds nothing to read, and such
 * a visit looks for a ring at its end. So each costs one visit.
 */
static void clear_bell(struct port *p)
{
        int r = bell_clear(p->bell);

        for (int i = 0; p->rung && r == 0 && i < 50; i++) {
                sched_yield();
                r = bell_clear(p->bell);
        }
        if (r == -EPIPE)
                atomic_store_explicit(&p->hung_up, true, memory_order_relaxed);
        p->rung = false;
        p->vain = false;
}

void port_rx_unring(struct port *p)
{
        p->rung = false; /* one that is still on its way comes as another */
        clear_bell(p);
}

static void arm(struct port *p)
{
        atomic_fetch_or_explicit(&p->rx.ctl->rx_word, RING_ARMED, memory_order_relaxed);
        ring_fence(); /* as in declare() */
        p->armed = true;
}

/*
 * Rings our own bell: three system calls, or one if the writing end is open already. It stays open for
 * readers who find several messages each time; but as long as it is, the kernel does not tell a poller that
 * the peer has died (bell.h), so it is closed when many visits in a row did without.
 */
#define RESTS_MAX 64

static bool ring_own(struct port *p)
{
        if (p->self < 0)
                p->self = bell_open_own(p->bell);
        if (p->self < 0)
                return false;
        bell_ring(p->self);
        p->rests = 0;
        return true;
}

/* Leaves an empty ring. False: it is not empty any more. */
static bool rest(struct port *p)
{
        if (ring_rx_publish(&p->rx))
                give_room(p);
        if (p->rung || p->vain)
                clear_bell(p);
        if (p->self >= 0 && ++p->rests > RESTS_MAX)
                fd_close(&p->self);
        arm(p);
        if (!something_to_read(p))
                return true;
        port_rx_enter(p);
        return false;
}

bool port_rx_rest(struct port *p)
{
        port_rx_enter(p); /* another reader may have left while we were outside the lock */
        return !something_to_read(p) && rest(p);
}

void port_rx_leave(struct port *p)
{
        port_rx_enter(p); /* likewise */
        if (!something_to_read(p) && rest(p))
                return;
        if (p->n_asleep > 0) /* others of this process, for what we leave behind */
                (void)wake(&p->rx.ctl->rx_word, p->self);
        if (!p->rung)
                p->rung = ring_own(p);
        if (!p->rung) /* this process has no descriptor left: then the next message rings */
                arm(p);
}

static bool prepare_as(struct port *p, uint32_t word)
{
        port_rx_enter(p); /* as in port_rx_rest() */
        p->n_asleep++;
        if (ring_rx_publish(&p->rx))
                give_room(p);
        declare(&p->rx.ctl->rx_word, word);
        return !something_to_read(p);
}

bool port_rx_prepare(struct port *p)
{
        return prepare_as(p, RING_ASLEEP);
}

/* A ticket is what the word is then: RING_ASLEEP, and a count above it that nobody else looks at. */
bool port_rx_prepare_next(struct port *p, uint32_t *ticket)
{
        p->ticket += 2 * RING_ASLEEP;
        *ticket = p->ticket | RING_ASLEEP;
        return prepare_as(p, *ticket);
}

int port_rx_sleep_on(struct port *p, uint32_t ticket, int64_t deadline_ns)
{
        return sleep_on(&p->rx.ctl->rx_word, ticket, deadline_ns);
}

int port_rx_sleep(struct port *p, int64_t deadline_ns)
{
        /*
         * Another reader of this process may have come and armed the bell meanwhile: then this returns at
         * once, and the caller prepares again.
         */
        return sleep_on(&p->rx.ctl->rx_word, RING_ASLEEP, deadline_ns);
}

void port_rx_awake(struct port *p)
{
        port_rx_enter(p); /* as in port_rx_rest() */
        p->n_asleep--;
        if (p->n_asleep == 0)
                atomic_store_explicit(&p->rx.ctl->rx_word, RING_AWAKE, memory_order_relaxed);
}
