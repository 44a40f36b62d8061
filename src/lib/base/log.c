#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"

static struct {
        const char    *ident;
        enum log_level level;
        bool           journal;
        unsigned long  lost; /* lines that would have blocked */
} lg = {"ouroboros", LOG_INFO, false, 0};

static const char *const names[LOG_N_LEVELS] = {"error", "warning", "info", "debug"};
static const int         syslog_prio[]       = {3, 4, 6, 7};

/*
 * Whether @fd is the stream to the journal that systemd names. The variable alone says little: every child
 * inherits it.
 */
static bool is_journal(int fd)
{
        const char        *s = getenv("JOURNAL_STREAM");
        unsigned long long dev, ino;
        struct stat        st;

        return s != NULL && sscanf(s, "%llu:%llu", &dev, &ino) == 2 && fstat(fd, &st) == 0 &&
               dev == st.st_dev && ino == st.st_ino;
}

void log_init(const char *ident, enum log_level level)
{
        lg.ident   = ident;
        lg.level   = level;
        lg.journal = is_journal(STDERR_FILENO);
}

bool log_level_parse(const char *s, enum log_level *level)
{
        for (int i = 0; i < LOG_N_LEVELS; i++) {
                if (strcmp(s, names[i]) == 0) {
                        *level = (enum log_level)i;
                        return true;
                }
        }
        return false;
}

const char *log_level_name(enum log_level level)
{
        return names[level];
}

bool log_on(enum log_level level)
{
        return level <= lg.level;
}

/* Copies @in to @out, what is not printable as \xNN. Cuts what does not fit. */
static size_t escape(char *out, size_t cap, const char *in)
{
        size_t n = 0;

        while (*in != '\0' && n + 5 < cap) {
                size_t len = str_char(in);

                if (len > 0) {
                        memcpy(out + n, in, len);
                        n += len;
                        in += len;
                } else {
                        n += (size_t)snprintf(out + n, 5, "\\x%02x", (unsigned char)*in++);
                }
        }
        return n;
}

static void prefix(char *out, size_t cap, enum log_level level)
{
        struct timespec ts;
        struct tm       tm;
        char            when[32];

        if (lg.journal) {
                snprintf(out, cap, "<%d>", syslog_prio[level]);
                return;
        }
        clock_gettime(CLOCK_REALTIME, &ts);
        gmtime_r(&ts.tv_sec, &tm);
        strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
        snprintf(out, cap, "%s.%03ldZ %s[%d] %s: ", when, ts.tv_nsec / 1000000, lg.ident, (int)getpid(),
                 names[level]);
}

/*
 * A reader that is there but does not read must not stop the daemon: a pipe with room for a line is one that
 * poll() calls writable.
 */
static bool would_block(void)
{
        struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};

        return poll(&p, 1, 0) == 0;
}

/* One write, one line; a log that is gone must not stop us either. */
static void put(const char *line, size_t n)
{
        char   text[512];
        size_t len;

        if (would_block()) {
                lg.lost++;
                return;
        }
        if (lg.lost > 0) {
                prefix(text, sizeof(text) - 64, LOG_WARNING);
                len = strlen(text);
                len += (size_t)snprintf(text + len, 64, "%lu lines could not be written\n", lg.lost);
                lg.lost = 0;
                (void)!write(STDERR_FILENO, text, len);
        }
        (void)!write(STDERR_FILENO, line, n);
}

void log_line(enum log_level level, const char *fmt, ...)
{
        int     saved = errno;
        char    text[1024];
        char    line[2048];
        size_t  n;
        va_list ap;

        if (!log_on(level))
                return;
        prefix(text, 512, level);
        n     = escape(line, sizeof(line) - 1, text);
        errno = saved; /* for %m */
        va_start(ap, fmt);
        vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        n += escape(line + n, sizeof(line) - 1 - n, text);
        line[n++] = '\n';
        put(line, n);
        errno = saved;
}
