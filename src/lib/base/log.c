#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct {
        const char    *ident;
        enum log_level level;
        bool           journal;
} lg = {"ouroboros", LOG_INFO, false};

static const char *const names[LOG_N_LEVELS] = {"error", "warning", "info", "debug"};
static const int         syslog_prio[]       = {3, 4, 6, 7};

void log_init(const char *ident, enum log_level level)
{
        lg.ident   = ident;
        lg.level   = level;
        lg.journal = getenv("JOURNAL_STREAM") != NULL;
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

/* Copies @in to @out with control characters as \xNN. Cuts what does not fit. */
static size_t escape(char *out, size_t cap, const char *in)
{
        size_t n = 0;

        for (; *in != '\0' && n + 5 < cap; in++) {
                unsigned char c = (unsigned char)*in;

                if (c >= 0x20 && c != 0x7f)
                        out[n++] = (char)c;
                else
                        n += (size_t)snprintf(out + n, 5, "\\x%02x", c);
        }
        return n;
}

static size_t prefix(char *out, size_t cap, enum log_level level)
{
        struct timespec ts;
        struct tm       tm;
        char            when[32];

        if (lg.journal)
                return (size_t)snprintf(out, cap, "<%d>", syslog_prio[level]);
        clock_gettime(CLOCK_REALTIME, &ts);
        gmtime_r(&ts.tv_sec, &tm);
        strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
        return (size_t)snprintf(out, cap, "%s.%03ldZ %s[%d] %s: ", when, ts.tv_nsec / 1000000, lg.ident,
                                (int)getpid(), names[level]);
}

void log_line(enum log_level level, const char *fmt, ...)
{
        char    text[1024];
        char    line[2048];
        size_t  n;
        va_list ap;

        if (!log_on(level))
                return;
        va_start(ap, fmt);
        vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        n = prefix(line, 256, level);
        n += escape(line + n, sizeof(line) - n - 1, text);
        line[n++] = '\n';
        (void)!write(STDERR_FILENO, line, n); /* one write, one line; a log that is gone must not stop us */
}
