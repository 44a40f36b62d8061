/*
 * fccntl.c - fccntl(). Each command is a function that gets the slot with both locks held: nothing here is
 * worth finer ones.
 */
#include <ouroboros/fccntl.h>

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include <ouroboros/errno.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "crypt/suite.h"
#include "dev/inbox.h"
#include "dev/process.h"
#include "dev/stream.h"
#include "pb/convert.h"

#define FLAGS_SETTABLE (FLOWFACCMODE | FLOWFNONBLOCK | FLOWFRNOPART | FLOWFWNOPART)

static int set_timeout(struct lane *l, const struct timespec *ts)
{
        if (ts == NULL) {
                l->timeout_ns = CLOCK_NEVER;
                return 0;
        }
        if (!clock_timespec_ok(ts))
                return -EINVAL;
        l->timeout_ns = clock_length_ns(ts);
        return 0;
}

static int get_timeout(const struct lane *l, struct timespec *ts)
{
        if (l->timeout_ns == CLOCK_NEVER)
                return -EPERM;
        *ts = clock_timespec(l->timeout_ns);
        return 0;
}

/* A program may give back what FLOWGFLAGS gave, so FLOWFDOWN is let pass. */
static int set_flags(struct slot *s, uint32_t flags)
{
        flags &= ~(uint32_t)FLOWFDOWN;
        if ((flags & ~(uint32_t)FLAGS_SETTABLE) != 0 || (flags & FLOWFACCMODE) == FLOWFACCMODE)
                return -EINVAL;
        s->flags = flags;
        return 0;
}

static bool is_down(const struct slot *s)
{
        if (s->stream != NULL)
                return stream_is_down(s->stream);
        return atomic_load(&s->broken) || port_peer(&s->port) != PORT_OPEN;
}

static bool is_confirmed(const struct slot *s)
{
        return s->stream != NULL ? stream_confirmed(s->stream) : inbox_confirmed(s->in);
}

static void get_peer(const struct slot *s, struct flow_peer *peer)
{
        const struct flow *f = s->flow;

        memset(peer, 0, sizeof(*peer));
        peer->authenticated = f->authenticated;
        peer->encrypted     = f->suite != SUITE_PLAIN;
        peer->suite         = (uint8_t)f->suite;
        peer->confirmed     = peer->encrypted && (f->client || is_confirmed(s));
        (void)str_copy(peer->identity, sizeof(peer->identity), f->peer);
        memcpy(peer->fingerprint, f->fingerprint, sizeof(peer->fingerprint));
}

static void get_info(const struct slot *s, struct flow_info *info)
{
        memset(info, 0, sizeof(*info));
        (void)str_copy(info->layer, sizeof(info->layer), s->flow->layer);
        (void)str_copy(info->ipcp_type, sizeof(info->ipcp_type), pb_ipcp_type_name(s->flow->ipcp_type));
        info->max_message = (uint32_t)s->max_message;
        info->flow_id     = s->flow->id;
}

static void get_frct_stats(struct stream *s, struct flow_stats *stats)
{
        struct frct_stats f;

        stream_stats(s, &f);
        stats->tx_packets    = f.tx_packets;
        stats->rx_packets    = f.rx_packets;
        stats->retransmitted = f.retransmitted;
        stats->spurious      = f.spurious;
        stats->losses        = f.losses;
        stats->timeouts      = f.timeouts;
        stats->duplicates    = f.duplicates;
        stats->rtt_ns        = (uint64_t)f.srtt_ns;
        stats->rtt_min_ns    = (uint64_t)f.min_rtt_ns;
        stats->cwnd          = f.cwnd;
        stats->in_flight     = f.in_flight;
        stats->pacing_rate   = f.pacing_rate;
}

static void get_stats(const struct slot *s, struct flow_stats *stats)
{
        *stats = (struct flow_stats){
                .tx_messages = s->tx.messages,
                .tx_bytes    = s->tx.bytes,
                .rx_messages = s->rx.messages,
                .rx_bytes    = s->rx.bytes,
                .tx_wakes    = s->stream != NULL ? stream_wakes(s->stream) : s->port.wakes,
                .rx_waits    = s->rx.sleeps,
        };
        if (s->stream != NULL)
                get_frct_stats(s->stream, stats);
}

static size_t rx_queued(const struct slot *s)
{
        struct frct_stats f;

        if (s->stream == NULL)
                return (size_t)ring_rx_used(&s->port.rx);
        stream_stats(s->stream, &f);
        return f.rx_queued;
}

static size_t tx_queued(const struct slot *s)
{
        struct frct_stats f;

        if (s->stream == NULL)
                return (size_t)ring_tx_used(&s->port.tx);
        stream_stats(s->stream, &f);
        return f.tx_queued;
}

static int get_frct_flags(const struct slot *s, uint32_t *flags)
{
        if (s->stream == NULL)
                return -EPERM;
        *flags = stream_flags(s->stream);
        return 0;
}

/* Commands that give the fact behind @out, which is not NULL. */
static int get(const struct slot *s, int cmd, void *out)
{
        switch (cmd) {
        case FLOWGRCVTIMEO: return get_timeout(&s->rx, out);
        case FLOWGSNDTIMEO: return get_timeout(&s->tx, out);
        case FLOWGQOSSPEC: *(qosspec_t *)out = s->flow->qos; break;
        case FLOWGFLAGS: *(uint32_t *)out = s->flags | (is_down(s) ? FLOWFDOWN : 0); break;
        case FLOWGRXQLEN: *(size_t *)out = rx_queued(s); break;
        case FLOWGTXQLEN: *(size_t *)out = tx_queued(s); break;
        case FRCTGFLAGS: return get_frct_flags(s, out);
        case FLOWGPEER: get_peer(s, out); break;
        case FLOWGINFO: get_info(s, out); break;
        case FLOWGSTATS: get_stats(s, out); break;
        default: return -EINVAL;
        }
        return 0;
}

static int command(struct slot *s, int cmd, va_list *ap)
{
        void *out;

        if (s->state != SLOT_OPEN)
                return -EBADF;
        switch (cmd) {
        case FLOWSRCVTIMEO: return set_timeout(&s->rx, va_arg(*ap, const struct timespec *));
        case FLOWSSNDTIMEO: return set_timeout(&s->tx, va_arg(*ap, const struct timespec *));
        case FLOWSFLAGS: return set_flags(s, va_arg(*ap, uint32_t));
        case FRCTSFLAGS:
                return s->stream == NULL ? -EPERM : stream_set_flags(s->stream, va_arg(*ap, uint32_t));
        default: break;
        }
        out = va_arg(*ap, void *);
        return out == NULL ? -EINVAL : get(s, cmd, out);
}

O7S_API int fccntl(int fd, int cmd, ...)
{
        struct slot *s = process_slot(fd);
        va_list      ap;
        int          r = -EBADF;

        if (s == NULL)
                return (int)err_return(r);
        va_start(ap, cmd);
        slot_lock(s);
        r = command(s, cmd, &ap);
        slot_unlock(s);
        va_end(ap);
        return (int)err_return(r);
}
