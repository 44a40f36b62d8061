/*
 * io.c - flow_read() and flow_write(): a look-up, one lock and one copy; all else is for when there is
 * nothing to read or no room.
 */
#include <errno.h>
#include <string.h>

#include <ouroboros/dev.h>
#include <ouroboros/errno.h>
#include <ouroboros/fccntl.h>

#include "base/clock.h"
#include "base/err.h"
#include "dev/dealloc.h"
#include "dev/inbox.h"
#include "dev/outbox.h"
#include "dev/process.h"
#include "dev/stream.h"
#include "dev/wait.h"

/* When a call that has to wait gives up. Known at the first wait: most calls never ask the clock. */
struct until {
        bool    known;
        int64_t deadline_ns;
};

static bool may_wait(const struct lane *l, bool noblock, struct until *until)
{
        if (noblock || l->timeout_ns == 0)
                return false;
        if (!until->known) {
                until->deadline_ns = l->timeout_ns == CLOCK_NEVER
                                             ? CLOCK_NEVER
                                             : clock_after(clock_now_ns(), l->timeout_ns);
                until->known       = true;
        }
        return true;
}

/* 0, or why nothing can go through @s in a direction that flows of the access mode @lacking do not have. */
static int check(const struct slot *s, uint32_t lacking)
{
        if (s->state != SLOT_OPEN)
                return -EBADF;
        return (s->flags & FLOWFACCMODE) == lacking ? -EPERM : 0;
}

static int send_message(struct slot *s, const void *buf, size_t count)
{
        if (atomic_load_explicit(&s->broken, memory_order_relaxed))
                return -EFLOWDOWN;
        if (count > s->max_message)
                return -EMSGSIZE;
        if (s->out != NULL)
                return outbox_write(s->out, &s->port, buf, count);
        return port_write(&s->port, buf, count);
}

static ssize_t write_once(struct slot *s, const void *buf, size_t count)
{
        int r = send_message(s, buf, count);

        if (r == -EPROTO)
                return slot_break(s);
        if (r < 0)
                return r;
        s->tx.messages++;
        s->tx.bytes += count;
        return (ssize_t)count;
}

static ssize_t write_stream(struct slot *s, const void *buf, size_t count)
{
        struct until until = {0};
        ssize_t      r;

        do {
                uint32_t ticket;
                bool     wait;

                r = check(s, FLOWFRDONLY);
                if (r < 0 || count == 0)
                        break;
                wait = may_wait(&s->tx, (s->flags & FLOWFWNOBLOCK) != 0, &until);
                r    = stream_write(s->stream, buf, count, wait ? &ticket : NULL);
                if (r != -EAGAIN || !wait)
                        break;
                r = wait_stream(s, &s->tx, ticket, until.deadline_ns);
        } while (r == 0);
        if (s->state == SLOT_OPEN)
                stream_leave(s->stream);
        if (r > 0) {
                s->tx.messages++;
                s->tx.bytes += count;
        }
        return r;
}

static ssize_t write_locked(struct slot *s, const void *buf, size_t count)
{
        struct until until = {0};
        ssize_t      r;

        do {
                r = check(s, FLOWFRDONLY);
                if (r < 0 || count == 0)
                        return r;
                r = write_once(s, buf, count);
                if (r != -EAGAIN || !may_wait(&s->tx, (s->flags & FLOWFWNOBLOCK) != 0, &until))
                        return r;
                r = wait_tx(s, until.deadline_ns);
        } while (r == 0);
        return r;
}

O7S_API ssize_t flow_write(int fd, const void *buf, size_t count)
{
        struct slot *s = process_slot(fd);
        ssize_t      r;

        if (s == NULL)
                return err_return(-EBADF);
        if (buf == NULL && count > 0)
                return err_return(-EINVAL);
        pthread_mutex_lock(&s->tx.lock);
        r = s->stream != NULL ? write_stream(s, buf, count) : write_locked(s, buf, count);
        pthread_mutex_unlock(&s->tx.lock);
        if (r == -EBADF)
                dealloc_finish(s);
        return err_return(r);
}

/* Copies from the message @msg what was not yet read of it. */
static ssize_t take(struct slot *s, const uint8_t *msg, size_t len, uint8_t *buf, size_t count)
{
        size_t n;

        /* No honest writer changes the length of a message that is half read. */
        if (len <= s->rx.offset)
                return -EPROTO;
        n = len - s->rx.offset;
        if (n > count) {
                if (s->flags & FLOWFRNOPART)
                        return -EMSGSIZE;
                memcpy(buf, msg + s->rx.offset, count);
                s->rx.offset += count;
                return (ssize_t)count;
        }
        memcpy(buf, msg + s->rx.offset, n);
        port_pop(&s->port);
        s->rx.offset = 0;
        s->rx.messages++;
        return (ssize_t)n;
}

static ssize_t read_plain(struct slot *s, void *buf, size_t count)
{
        const uint8_t *msg;
        size_t         len;
        int            r = slot_look_plain(s, &msg, &len);

        return r == 0 ? take(s, msg, len, buf, count) : r;
}

static ssize_t read_inbox(struct slot *s, void *buf, size_t count)
{
        ssize_t r;

        if (atomic_load_explicit(&s->broken, memory_order_relaxed))
                return -EFLOWDOWN;
        r = inbox_read(s->in, &s->port, buf, count, (s->flags & FLOWFRNOPART) != 0);
        if (r > 0 && inbox_between(s->in))
                s->rx.messages++;
        if (inbox_spent(s->in))
                s->in = NULL;
        return r;
}

/* Inside the port. -EAGAIN: there is nothing. */
static ssize_t read_once(struct slot *s, void *buf, size_t count)
{
        ssize_t r = s->in == NULL ? read_plain(s, buf, count) : read_inbox(s, buf, count);

        if (r == -ENODATA)
                return 0;
        if (r == -EPROTO)
                return slot_break(s);
        if (r > 0)
                s->rx.bytes += (uint64_t)r;
        return r;
}

static void leave(struct slot *s, ssize_t result)
{
        if (s->state != SLOT_OPEN || atomic_load_explicit(&s->broken, memory_order_relaxed))
                return;
        if (result > 0)
                wait_linger(s);
        if (s->in != NULL)
                inbox_leave(s->in, &s->port);
        else
                port_rx_leave(&s->port);
}

static ssize_t read_stream(struct slot *s, void *buf, size_t count)
{
        bool         whole = (s->flags & FLOWFRNOPART) != 0;
        struct until until = {0};
        ssize_t      r;

        do {
                uint32_t ticket;
                bool     wait;

                r = check(s, FLOWFWRONLY);
                if (r < 0 || count == 0)
                        break;
                wait = may_wait(&s->rx, (s->flags & FLOWFRNOBLOCK) != 0, &until);
                r    = stream_read(s->stream, buf, count, whole, wait ? &ticket : NULL);
                if (r != -EAGAIN || !wait)
                        break;
                r = wait_stream(s, &s->rx, ticket, until.deadline_ns);
        } while (r == 0);
        if (s->state == SLOT_OPEN)
                stream_leave(s->stream);
        if (r > 0) {
                s->rx.messages += stream_between(s->stream);
                s->rx.bytes += (uint64_t)r;
        }
        return r == -ENODATA ? 0 : r;
}

static ssize_t read_locked(struct slot *s, void *buf, size_t count)
{
        struct until until = {0};
        ssize_t      r;

        do {
                r = check(s, FLOWFWRONLY);
                if (r < 0 || count == 0)
                        break; /* not at once: the flags may have been changed while it slept */
                port_rx_enter(&s->port);
                r = read_once(s, buf, count);
                if (r != -EAGAIN || !may_wait(&s->rx, (s->flags & FLOWFRNOBLOCK) != 0, &until))
                        break;
                r = wait_rx(s, until.deadline_ns);
        } while (r == 0);
        leave(s, r);
        return r;
}

O7S_API ssize_t flow_read(int fd, void *buf, size_t count)
{
        struct slot *s = process_slot(fd);
        ssize_t      r;

        if (s == NULL)
                return err_return(-EBADF);
        if (buf == NULL && count > 0)
                return err_return(-EINVAL);
        pthread_mutex_lock(&s->rx.lock);
        r = s->stream != NULL ? read_stream(s, buf, count) : read_locked(s, buf, count);
        pthread_mutex_unlock(&s->rx.lock);
        if (r == -EBADF)
                dealloc_finish(s);
        return err_return(r);
}
