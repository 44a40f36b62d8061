/*
 * What is to be written lies in @pending: whole lines, the first of which may be written in part (up to @written).
 * A line stays there until its last byte is written, so that a log that is opened again gets it whole. What an
 * unfinished line left behind, in this life or the one before, is ended with a newline first: a fragment then is a
 * line of its own that no reader takes for an event.
 */
#include "audit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "audit_line.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"

#define PENDING_MAX (4u << 20)
#define LOOK_NS     (5 * NS_PER_S)
#define PENDING_OFF (256u << 10) /* more room than this is given back when it is empty */

/* What syslog(3) calls warning, notice and info. */
enum { PRIO_WARNING = 4, PRIO_NOTICE = 5, PRIO_INFO = 6 };

struct audit {
        char              *path;
        int                fd, socket; /* -1: no journal */
        bool               fragment;   /* the file ends in the middle of a line */
        bool               is_new;     /* it had nothing in it */
        bool               stuck;      /* the file could not be written, and the log says so */
        struct line        line;       /* in the making */
        struct text        pending;
        size_t             written;
        uint64_t           lost; /* lines, since the last that there was room for */
        uint64_t           journal_lost;
        struct sockaddr_un journal;
        int64_t            look_ns; /* when to look for a journal again that was not there */
};

/* -- the file -------------------------------------------------------------- */

/*
 * For reading too: to see how it ends, and so that a pipe that nobody reads yet is opened. Only a file is sure not to
 * block, but a pipe or a terminal can be told not to.
 */
static int open_file(const char *path)
{
        int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);

        return fd < 0 ? -errno : fd;
}

static bool ends_in_fragment(int fd)
{
        struct stat st;
        char        last;

        return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
               pread(fd, &last, 1, st.st_size - 1) == 1 && last != '\n';
}

static bool is_empty(int fd)
{
        struct stat st;

        return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0;
}

bool audit_is_new(const struct audit *a)
{
        return a->is_new;
}

/* Where the line that is written in part begins. */
static size_t first_line(const struct audit *a)
{
        const char *nl = a->written > 0 ? memrchr(a->pending.p, '\n', a->written) : NULL;

        return nl != NULL ? (size_t)(nl + 1 - a->pending.p) : 0;
}

/* Forgets the lines that are written; moves the rest only when that is the smaller part. */
static void drop_written(struct audit *a)
{
        struct text *t    = &a->pending;
        size_t       done = first_line(a);

        if (done < t->len && done <= t->len / 2)
                return;
        memmove(t->p, t->p + done, t->len - done);
        text_cut(t, t->len - done);
        a->written -= done;
        if (t->len == 0 && t->cap > PENDING_OFF)
                text_fini(t);
}

/* Whether the next byte will be the first of a line of the file. */
static bool end_fragment(struct audit *a)
{
        if (a->fragment && write(a->fd, "\n", 1) == 1)
                a->fragment = false;
        return !a->fragment;
}

/* One line in the log when it begins and one when all that waited is written. */
static void say_whether_stuck(struct audit *a, bool failed)
{
        if (failed && !a->stuck)
                log_err("audit log: %s: %s; its lines wait", a->path, strerror(errno));
        if (a->stuck && !audit_pending(a))
                log_info("audit log: %s is written again", a->path);
        a->stuck = audit_pending(a) && (a->stuck || failed);
}

void audit_flush(struct audit *a)
{
        ssize_t n = -1;

        if (!audit_pending(a))
                return;
        if (end_fragment(a))
                n = write(a->fd, a->pending.p + a->written, a->pending.len - a->written);
        if (n > 0) {
                a->written += (size_t)n;
                drop_written(a);
        }
        say_whether_stuck(a, n < 0);
}

bool audit_pending(const struct audit *a)
{
        return a->written < a->pending.len;
}

int audit_reopen(struct audit *a)
{
        int fd = open_file(a->path);

        a->look_ns = 0;
        if (fd < 0)
                return fd;
        audit_flush(a);
        fd_close(&a->fd);
        a->fd       = fd;
        a->fragment = ends_in_fragment(fd);
        a->written  = first_line(a);
        return 0;
}

/* -- the journal ----------------------------------------------------------- */

/* Whether there is one to write for. One that is not there is looked for now and then only: each look is a system call. */
static bool find_journal(struct audit *a)
{
        int64_t now_ns;

        if (a->socket < 0)
                return false;
        if (a->line.journals)
                return true;
        now_ns = clock_now_ns();
        if (now_ns < a->look_ns)
                return false;
        a->look_ns = now_ns + LOOK_NS;
        return connect(a->socket, (const struct sockaddr *)(const void *)&a->journal, sizeof(a->journal)) ==
               0;
}

static bool send_journal(const struct audit *a)
{
        const struct text *d = &a->line.journal;

        return send(a->socket, d->p, d->len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

/* One that was started anew is another socket under the same name. That there is none any more is no loss. */
static void tell_journal(struct audit *a)
{
        if (send_journal(a)) {
                a->journal_lost = 0;
                return;
        }
        if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM || errno == EMSGSIZE) {
                a->journal_lost++;
                return;
        }
        a->line.journals = false;
        a->look_ns       = 0;
        a->line.journals = find_journal(a) && send_journal(a);
}

static int open_journal(struct audit *a, const char *path)
{
        a->journal.sun_family = AF_UNIX;
        if (!str_copy(a->journal.sun_path, sizeof(a->journal.sun_path), path))
                return -ENAMETOOLONG;
        a->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        return a->socket < 0 ? -errno : 0;
}

/* -- birth and death ------------------------------------------------------- */

static int open_all(struct audit *a, const char *path, const char *journal)
{
        a->path = strdup(path);
        if (a->path == NULL)
                return -ENOMEM;
        a->fd = open_file(path);
        if (a->fd < 0)
                return a->fd;
        a->fragment = ends_in_fragment(a->fd);
        a->is_new   = is_empty(a->fd);
        return journal != NULL ? open_journal(a, journal) : 0;
}

int audit_open(struct audit **out, const char *path, const char *journal)
{
        struct audit *a = calloc(1, sizeof(*a));
        int           r;

        if (a == NULL)
                return -ENOMEM;
        a->fd          = -1;
        a->socket      = -1;
        a->pending.max = PENDING_MAX;
        line_init(&a->line);
        r = open_all(a, path, journal);
        if (r < 0) {
                audit_close(a);
                return r;
        }
        *out = a;
        return 0;
}

void audit_close(struct audit *a)
{
        if (a == NULL)
                return;
        audit_flush(a);
        fd_close(&a->fd);
        fd_close(&a->socket);
        text_fini(&a->pending);
        line_fini(&a->line);
        free(a->path);
        free(a);
}

/* -- lines ----------------------------------------------------------------- */

static struct line *begin(struct audit *a, const char *event, unsigned priority)
{
        a->line.journals = find_journal(a);
        line_begin(&a->line, event, priority, clock_wall_ns());
        if (a->lost > 0)
                line_uint(&a->line, "lost", a->lost);
        if (a->journal_lost > 0)
                line_uint(&a->line, "journal_lost", a->journal_lost);
        return &a->line;
}

static struct line *begin_flow(struct audit *a, const char *event, unsigned priority,
                               const struct audit_flow *f)
{
        struct line *l = begin(a, event, priority);

        if (f->flow_id != 0)
                line_uint(l, "flow", f->flow_id);
        line_text(l, "end", f->server ? "server" : "client");
        if (f->oap_id != NULL)
                line_hex(l, "oap_id", f->oap_id, OAP_ID);
        if (f->has_proc) {
                line_int(l, "pid", f->pid);
                line_uint(l, "uid", f->uid);
                line_text(l, "program", f->program);
        }
        line_text(l, "name", f->name);
        line_text(l, "layer", f->layer);
        return l;
}

static void end(struct audit *a)
{
        struct text *line = &a->line.json;
        bool         made = line_end(&a->line);

        if (made && text_put(&a->pending, line->p, line->len)) {
                a->lost = 0;
        } else {
                text_cut(&a->pending, a->pending.len);
                a->lost++;
        }
        if (made && a->line.journals)
                tell_journal(a);
}

void audit_start(struct audit *a, const char *version)
{
        struct line *l = begin(a, "start", PRIO_NOTICE);

        line_text(l, "version", version);
        line_int(l, "pid", getpid());
        end(a);
}

void audit_stop(struct audit *a)
{
        struct line *l = begin(a, "stop", PRIO_NOTICE);

        line_int(l, "pid", getpid());
        end(a);
}

void audit_asked(struct audit *a, const struct audit_flow *f)
{
        begin_flow(a, "asked", PRIO_INFO, f);
        end(a);
}

void audit_authenticated(struct audit *a, const struct audit_flow *f, const char *identity,
                         const char *subject, const char *serial)
{
        struct line *l = begin_flow(a, "authenticated", PRIO_INFO, f);

        line_text(l, "peer", identity);
        line_text(l, "subject", subject);
        line_text(l, "serial", serial);
        end(a);
}

void audit_refused(struct audit *a, const struct audit_flow *f, const char *reason, const char *detail,
                   int code)
{
        struct line *l = begin_flow(a, "refused", PRIO_NOTICE, f);

        line_text(l, "reason", reason);
        line_text(l, "detail", detail);
        line_int(l, "code", code);
        end(a);
}

void audit_established(struct audit *a, const struct audit_flow *f, const struct audit_established *e)
{
        struct line *l = begin_flow(a, "established", PRIO_INFO, f);

        line_text(l, "peer", e->peer);
        line_bool(l, "authenticated", e->authenticated);
        line_text(l, "suite", e->suite);
        line_text(l, "principal", e->principal);
        end(a);
}

void audit_closed(struct audit *a, const struct audit_flow *f, const char *why, int64_t duration_ns,
                  uint64_t tx_bytes, uint64_t rx_bytes)
{
        struct line *l = begin_flow(a, "closed", PRIO_INFO, f);

        line_text(l, "reason", why);
        line_ms(l, "duration_ms", duration_ns);
        line_uint(l, "tx_bytes", tx_bytes);
        line_uint(l, "rx_bytes", rx_bytes);
        end(a);
}

void audit_credentials(struct audit *a, const char *note, const char *what, const char *text)
{
        struct line *l = begin(a, "credentials", strcmp(note, "fault") == 0 ? PRIO_WARNING : PRIO_INFO);

        line_text(l, "note", note);
        line_text(l, "what", what);
        line_text(l, "text", text);
        end(a);
}
