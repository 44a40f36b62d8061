/*
 * audit.h - the audit log: one line of JSON per event of a flow or of the credentials, in a file and, where there is
 * one, in the journal. Every flow that is asked for has a beginning and an end there, whatever happens to its process;
 * the end of one that a crash of irmd cut off is the line "start" after it.
 *
 * Strings of others are escaped (audit_line.h): a peer can write no line and no field. Lines are gathered and
 * written once a turn of the loop (audit_flush()); a file that cannot be written is tried again, lines are kept up
 * to a bound, and what was lost is counted in the next line ("lost"; "journal_lost" for the journal, which gets each
 * line at once or not at all). Not thread safe: the loop's thread only. doc/audit.md describes the lines to their
 * readers.
 */
#ifndef O7S_IRMD_AUDIT_H
#define O7S_IRMD_AUDIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "oap/message.h"

struct audit;

/*
 * Appends to @path (created with mode 0600, or opened if it is there; opened again when it was renamed, at
 * audit_reopen()); to the journal's native socket as well when @journal (NULL: none) can be sent to. 0 or -errno.
 */
int  audit_open(struct audit **out, const char *path, const char *journal);
void audit_close(struct audit *a); /* flushes; takes NULL */
int  audit_reopen(struct audit *a);
void audit_flush(struct audit *a);

/* Whether the file had nothing in it when it was opened: no daemon ran with this state directory before. */
bool audit_is_new(const struct audit *a);

/* Whether audit_flush() has something to do. */
bool audit_pending(const struct audit *a);

/* What every line about a flow says. NULL and 0 are left out. */
struct audit_flow {
        uint64_t       flow_id;
        const uint8_t *oap_id; /* OAP_ID bytes: the same on both hosts */
        bool           server;
        pid_t          pid;
        uid_t          uid;
        bool           has_proc; /* pid, uid and program are known */
        const char    *program;
        const char    *name;
        const char    *layer;
};

void audit_start(struct audit *a, const char *version);
void audit_stop(struct audit *a);

/* event "asked" (a client asks, a request arrives at a server) */
void audit_asked(struct audit *a, const struct audit_flow *f);

/* event "authenticated": the peer was verified. */
void audit_authenticated(struct audit *a, const struct audit_flow *f, const char *identity,
                         const char *subject, const char *serial);

/* event "refused", an end: @reason a short word, @detail more (or NULL), @code what the application hears. */
void audit_refused(struct audit *a, const struct audit_flow *f, const char *reason, const char *detail,
                   int code);

struct audit_established {
        const char *peer; /* identity */
        bool        authenticated;
        const char *suite;
        const char *principal; /* whose credentials we used, or NULL */
};

/* event "established" */
void audit_established(struct audit *a, const struct audit_flow *f, const struct audit_established *e);

/* event "closed", an end: duration and bytes; @why a short word: "closed", "died", "layer", … */
void audit_closed(struct audit *a, const struct audit_flow *f, const char *why, int64_t duration_ns,
                  uint64_t tx_bytes, uint64_t rx_bytes);

/* events "credentials" (@note "loaded", "changed", "removed", "fault"): what file or identity, and text. */
void audit_credentials(struct audit *a, const char *note, const char *what, const char *text);

#endif
