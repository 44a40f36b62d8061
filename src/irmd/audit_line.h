/*
 * audit_line.h - one line of the audit log in the making: as JSON for the file, and as fields for the journal.
 *
 * Every value of text is first made harmless, the same for both: bytes that are not well-formed UTF-8, control
 * characters (C0, DEL, C1), line and paragraph separators and those that turn the direction of writing become "\xNN",
 * a byte each, and a backslash becomes "\\". So no value has a newline or a terminal's escape, whoever reads it and
 * however he decodes it, and yet the very bytes can be had back. Then JSON puts its own quotes around that.
 */
#ifndef O7S_IRMD_AUDIT_LINE_H
#define O7S_IRMD_AUDIT_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define LINE_VALUE_MAX 4096u /* bytes of a text; what is longer is cut, and ends in "..." */

/* Bytes that grow up to a bound; a text that has hit it takes nothing more until it is cut back. */
struct text {
        char  *p;
        size_t len, cap, max;
        bool   full;
};

/* False: there is no room, and nothing is appended. */
bool text_put(struct text *t, const char *bytes, size_t n);

/* Back to @len bytes, which it had before. */
void text_cut(struct text *t, size_t len);
void text_fini(struct text *t);

struct line {
        struct text json;     /* with the newline                             */
        struct text journal;  /* a datagram of the journal's native protocol  */
        bool        journals; /* the second is wanted; to be set before a line begins */
        time_t      second_at;
        char        second[40]; /* the beginning of a line at that second */
};

void line_init(struct line *l);
void line_fini(struct line *l);

/* In place of the line before. @priority: of syslog(3). */
void line_begin(struct line *l, const char *event, unsigned priority, int64_t wall_ns);

/* Fields. @key is ours: lower-case letters and '_'. NULL and "" are left out. */
void line_text(struct line *l, const char *key, const char *value);
void line_hex(struct line *l, const char *key, const uint8_t *bytes, size_t n);
void line_int(struct line *l, const char *key, int64_t value);
void line_uint(struct line *l, const char *key, uint64_t value);
void line_bool(struct line *l, const char *key, bool value);
void line_ms(struct line *l, const char *key, int64_t ns); /* milliseconds with three decimals */

/* Ends it. False: there is no memory for it, and neither form is whole. */
bool line_end(struct line *l);

#endif
