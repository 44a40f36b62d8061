/*
 * creds.h - the credential store: one immutable snapshot of <config-dir>/security/, counted. A new one is read from
 * the files with the last one at hand, so that what is bad now can stay as it was. Reading files is all the I/O here;
 * watching them is watch.h's. A snapshot may be used by any thread.
 *
 *     cacert/     *.pem      trust anchors for both roles; cacert/server/, cacert/client/ where present take its place
 *     untrusted/  *.pem      revoked
 *     server/<name>/         cert, key, optional enc.cfg       (crt.pem, key.pem where cert, key are absent)
 *     client/<principal>/    likewise; client/default/ serves users without their own
 *     enc.cfg                system-wide
 *
 * cacert/server/ holds the anchors that a peer in the role of a server is verified with, cacert/client/ likewise.
 *
 * A key is PEM without passphrase, or the URI of a provider ("pkcs11:…") on a line of its own. Its file belongs to root or to
 * the user of this daemon; nobody else may read it, but for a group that is root's or the daemon's own. Symbolic links are
 * followed. Whatever is bad is that one's fault and always shows as a refusal: an identity falls back to its last good
 * state as a whole (if it ever had a pair or a policy), a file of cacert/ to its last certificates, and one of untrusted/ counts
 * for what can be read of it and for what it held before. Where untrusted/ was never readable, there are no anchors.
 */
#ifndef O7S_IRMD_OAP_CREDS_H
#define O7S_IRMD_OAP_CREDS_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "oap/message.h"
#include "oap/rule.h"

struct creds;

enum role { ROLE_SERVER, ROLE_CLIENT };

/* An identity of this host: one folder in server/ or client/. Everything is borrowed of the snapshot. */
struct identity {
        const char        *name; /* of the folder: a name or a principal   */
        enum role          role;
        const char        *dir;   /* its path                                */
        EVP_PKEY          *key;   /* NULL: has no credentials, or unusable   */
        X509              *leaf;  /* likewise                                */
        struct span        certs; /* as they are sent (message.h)            */
        const struct rule *rule;  /* its own enc.cfg, or NULL                */
        enum oap_reason    fault; /* OAP_OK; OAP_BAD_CREDENTIALS, OAP_BAD_POLICY: may not be used at all */
        const char        *why;   /* the fault in words, naming the file     */
        bool               stale; /* files are bad, this is the last good state */
};

/* What reading tells, one call a line: changes (with subject, serial and expiry) and faults (file and why). */
enum creds_note { CREDS_LOADED, CREDS_CHANGED, CREDS_REMOVED, CREDS_FAULT };
typedef void creds_tell_fn(void *ctx, enum creds_note note, const char *what, const char *text);

/*
 * Reads @dir, which need not exist (then nothing is there). @last (or NULL) is the snapshot before: parts whose files
 * are bad or form no pair keep its state; without it they are faulty and refused. untrusted/ is read on its own first.
 * NULL: out of memory. One reference is the caller's.
 */
struct creds *creds_read(const char *dir, const struct creds *last, creds_tell_fn *tell, void *ctx);

struct creds *creds_ref(const struct creds *c);
void          creds_unref(const struct creds *c); /* takes NULL */

/* Grows with every snapshot that differs. */
uint64_t creds_serial(const struct creds *c);

/* The identity of server @name, of user @principal (its own, else "default"). NULL: there is no folder. */
const struct identity *creds_server(const struct creds *c, const char *name);
const struct identity *creds_client(const struct creds *c, const char *principal);

/* All of them, in the order of their names, for lists: NULL at the end. */
const struct identity *creds_at(const struct creds *c, size_t i);

/*
 * The system-wide rule, or NULL. When *@fault is not OAP_OK the file is there and was never good: every flow
 * whose identity has no rule of its own is refused.
 */
const struct rule *creds_root_rule(const struct creds *c, enum oap_reason *fault);

/*
 * The anchors that a peer in role @peer is verified with. NULL: none are configured (*@fault OAP_OK), or they
 * cannot be read although they are there (*@fault OAP_BAD_CREDENTIALS: refuse).
 */
X509_STORE *creds_anchors(const struct creds *c, enum role peer, enum oap_reason *fault);

/* Whether @x is in untrusted/: the same public key, or the same issuer and serial. */
bool creds_revoked(const struct creds *c, X509 *x);

/* What is wrong with it, for `irm security check`: line @i, or NULL at the end. */
const char *creds_fault(const struct creds *c, size_t i);

#endif
