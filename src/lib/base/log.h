/*
 * log.h - the daemons' log: one line per cause on stderr, in the format that journald understands (a "<N>"
 * priority in front when it reads us).
 *
 * A log that is not read loses lines, and says how many once it is read again; it never stops the daemon. The
 * only file-scope state of the project: there is one log per process. The library never logs.
 */
#ifndef O7S_BASE_LOG_H
#define O7S_BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG, LOG_N_LEVELS };

/* @ident is put on every line and must live on. */
void log_init(const char *ident, enum log_level level);

bool log_level_parse(const char *s, enum log_level *level);

const char *log_level_name(enum log_level level);

/* Whether a line of @level would be written: for callers that must prepare something dear. */
bool log_on(enum log_level level);

/*
 * What is not printable UTF-8 in the result is escaped, so that no peer can forge a line or talk to the
 * terminal. Keeps errno.
 */
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_err(...)  log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_dbg(...)  (log_on(LOG_DEBUG) ? log_line(LOG_DEBUG, __VA_ARGS__) : (void)0)

#endif
