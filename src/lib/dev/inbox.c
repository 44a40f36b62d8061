#include "dev/inbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ouroboros/errno.h>

#include "base/clock.h"
#include "crypt/crc32.h"
#include "crypt/secret.h"

/* Records that are no message, in one visit: a peer who sends nothing else must not keep us. */
#define IDLE_MAX 256

#define SEALED_MAX (PORT_MSG_MAX + RECORD_OVERHEAD)

/* Where records are opened. Large: its pages come with their first use. */
struct desk {
        struct record_rx *records; /* NULL: checksums */
        alignas(64) uint8_t sealed[SEALED_MAX];
        alignas(64) uint8_t plain[PORT_MSG_MAX];
};

struct inbox {
        uint8_t     *first; /* NULL: there was none, or it is read */
        size_t       first_len;
        bool         held;      /* not to be read yet */
        struct desk *desk;      /* NULL: plain */
        bool         confirmed; /* a record was opened                                          */
        bool         closed;    /* one of them said that the peer ends the flow                 */
        size_t       opened;    /* length of the message in desk->plain, the oldest in the ring */
        size_t       soiled;    /* so much of desk->plain was ever used                         */
        size_t       offset;    /* so much of the oldest message was read                       */
};

/* -- birth and death ------------------------------------------------------- */

static bool take_first(struct inbox *in, const void *first, size_t len, bool hold)
{
        if (len == 0)
                return true;
        in->first = malloc(len);
        if (in->first == NULL)
                return false;
        memcpy(in->first, first, len);
        in->first_len = len;
        in->held      = hold;
        return true;
}

static struct desk *desk_create(const uint8_t *secret)
{
        struct desk *d = aligned_alloc(alignof(struct desk), sizeof(*d));

        if (d == NULL)
                return NULL;
        d->records = secret != NULL ? record_rx_create(secret) : NULL;
        if (secret == NULL || d->records != NULL)
                return d;
        free(d);
        return NULL;
}

struct inbox *inbox_create(enum inbox_kind kind, const uint8_t *secret, const void *first, size_t first_len,
                           bool hold)
{
        struct inbox *in = calloc(1, sizeof(*in));

        if (in == NULL)
                return NULL;
        if (kind != INBOX_PLAIN)
                in->desk = desk_create(secret);
        if (take_first(in, first, first_len, hold) && (kind == INBOX_PLAIN || in->desk != NULL))
                return in;
        inbox_destroy(in);
        return NULL;
}

static void forget_first(struct inbox *in)
{
        if (in->first == NULL)
                return;
        secret_wipe(in->first, in->first_len);
        free(in->first);
        in->first = NULL;
}

void inbox_destroy(struct inbox *in)
{
        if (in == NULL)
                return;
        forget_first(in);
        if (in->desk != NULL) {
                if (in->desk->records != NULL)
                        record_rx_destroy(in->desk->records);
                secret_wipe(in->desk->plain, in->soiled);
                free(in->desk);
        }
        free(in);
}

/* -- the message at hand --------------------------------------------------- */

static bool first_is_due(const struct inbox *in)
{
        return in->first != NULL && !in->held;
}

/* The oldest message, if it lies in memory of ours. */
static const uint8_t *at_hand(const struct inbox *in, size_t *len)
{
        if (first_is_due(in)) {
                *len = in->first_len;
                return in->first;
        }
        *len = in->opened;
        return in->opened > 0 ? in->desk->plain : NULL;
}

/* It was read to its end. */
static void done(struct inbox *in, struct port *p)
{
        in->offset = 0;
        if (first_is_due(in)) {
                forget_first(in);
                return;
        }
        in->opened = 0;
        port_pop(p);
}

/* Reads from the message at hand, @msg of @len bytes. */
static ssize_t take(struct inbox *in, struct port *p, const uint8_t *msg, size_t len, void *buf, size_t count,
                    bool whole)
{
        size_t n = len - in->offset;

        if (n > count) {
                if (whole)
                        return -EMSGSIZE;
                n = count;
        }
        memcpy(buf, msg + in->offset, n);
        in->offset += n;
        if (in->offset == len)
                done(in, p);
        return (ssize_t)n;
}

/* -- records --------------------------------------------------------------- */

/* Where a record is opened to. */
struct room {
        uint8_t *buf; /* the reader's */
        size_t   size;
};

static bool is_sealed(const struct inbox *in)
{
        return in->desk != NULL && in->desk->records != NULL;
}

/* An end that no record has announced may be anybody's; where there are no records it is taken as it comes. */
static int end_of(const struct inbox *in, int r)
{
        if (!is_sealed(in))
                return r;
        if (r == -ENODATA || r == -EFLOWDOWN)
                return in->closed ? -ENODATA : -EFLOWDOWN;
        return r;
}

/* A record of @type was opened. */
static void learn(struct inbox *in, struct port *p, enum record_type type)
{
        in->confirmed = is_sealed(in);
        in->held      = false;
        in->closed    = in->closed || type == RECORD_CLOSE;
        p->extra      = in->first != NULL;
}

/* The message, of @n bytes, is in the reader's buffer, or else at hand. Its length, or 0 for the latter. */
static ssize_t keep(struct inbox *in, struct port *p, size_t n, bool straight)
{
        if (n == 0)
                return -EPROTO; /* flow_write() sends none that is empty */
        if (straight) {
                port_pop(p);
                return (ssize_t)n;
        }
        in->opened = n;
        return 0;
}

/* What record_open() does, for a checksum. */
static ptrdiff_t check_sum(const uint8_t *packet, size_t len, uint8_t *out)
{
        if (!crc32_ok(packet, len))
                return -EBADMSG;
        memcpy(out, packet, len - CRC32_LEN);
        return (ptrdiff_t)(len - CRC32_LEN);
}

static ptrdiff_t open_packet(struct desk *d, size_t len, uint8_t *out, enum record_type *type)
{
        if (d->records == NULL)
                return check_sum(d->sealed, len, out);
        return record_open(d->records, d->sealed, len, clock_coarse_ns(), out, type);
}

/*
 * Opens the oldest record, to @room if the whole message fits and is the next. More than 0: it is there, that
 * long. 0: look again, the message is at hand or it was none. Nothing of a record is looked at in the ring but
 * what was copied out of it.
 */
static ssize_t open_one(struct inbox *in, struct port *p, struct room room)
{
        enum record_type type     = RECORD_DATA;
        size_t           overhead = is_sealed(in) ? RECORD_OVERHEAD : CRC32_LEN;
        const uint8_t   *rec;
        size_t           len;
        bool             straight;
        ptrdiff_t        n;
        int              r = port_look(p, &rec, &len);

        if (r < 0) {
                if (is_sealed(in))
                        record_rx_expire(in->desk->records, clock_coarse_ns());
                return end_of(in, r);
        }
        if (len > SEALED_MAX)
                return -EPROTO;
        memcpy(in->desk->sealed, rec, len);
        straight = !in->held && len > overhead && len - overhead <= room.size;
        n        = open_packet(in->desk, len, straight ? room.buf : in->desk->plain, &type);
        if (n >= 0) {
                learn(in, p, type);
                if (!straight && (size_t)n > in->soiled)
                        in->soiled = (size_t)n;
                if (type == RECORD_DATA)
                        return keep(in, p, (size_t)n, straight);
        } else if (n != -EBADMSG && n != -EALREADY) {
                return n == -ENOMEM ? -ENOMEM : -EPROTO;
        }
        port_pop(p);
        return 0;
}

/* -- reading --------------------------------------------------------------- */

ssize_t inbox_read(struct inbox *in, struct port *p, void *buf, size_t count, bool whole)
{
        for (unsigned i = 0; i < IDLE_MAX; i++) {
                size_t         len;
                const uint8_t *msg = at_hand(in, &len);
                ssize_t        n;

                if (msg != NULL) {
                        n        = take(in, p, msg, len, buf, count, whole);
                        p->extra = first_is_due(in);
                        return n;
                }
                n = open_one(in, p, (struct room){buf, count});
                if (n != 0)
                        return n;
        }
        return -EAGAIN;
}

int inbox_look(struct inbox *in, struct port *p)
{
        ssize_t n = 0;
        size_t  len;

        for (unsigned i = 0; i < IDLE_MAX && n == 0; i++) {
                if (at_hand(in, &len) != NULL)
                        return 0;
                n = in->desk != NULL ? open_one(in, p, (struct room){NULL, 0}) : -EAGAIN;
        }
        return n == 0 ? -EAGAIN : (int)n;
}

/*
 * Whether the descriptor has to be readable. What is plainly no message is opened here, or it would wake a
 * reader who then finds nothing: the type lies open in the ring, and one that is lied about only makes the
 * descriptor readable.
 */
static bool has_news(struct inbox *in, struct port *p)
{
        for (unsigned i = 0; i < IDLE_MAX; i++) {
                const uint8_t *rec;
                size_t         len;
                int            r;

                if (at_hand(in, &len) != NULL)
                        return true;
                r = port_look(p, &rec, &len);
                if (r == -EAGAIN)
                        return false;
                if (r < 0 || !is_sealed(in) || rec[0] == RECORD_DATA)
                        return true;
                if (open_one(in, p, (struct room){NULL, 0}) < 0)
                        return true;
        }
        return true;
}

/* A record that is no message may come without a call just as we leave; then port_rx_rest() has seen it. */
void inbox_leave(struct inbox *in, struct port *p)
{
        p->extra = first_is_due(in);
        for (unsigned i = 0; in->desk != NULL && i < IDLE_MAX && !has_news(in, p); i++) {
                if (port_rx_rest(p))
                        return;
        }
        port_rx_leave(p);
}

bool inbox_between(const struct inbox *in)
{
        return in->offset == 0;
}

bool inbox_spent(const struct inbox *in)
{
        return in->first == NULL && in->desk == NULL;
}

bool inbox_confirmed(const struct inbox *in)
{
        return in->confirmed;
}

struct record_rx *inbox_records(struct inbox *in)
{
        return in->desk == NULL ? NULL : in->desk->records;
}
