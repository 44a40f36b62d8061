/*
 * rule.h - the policy of an identity: what enc.cfg says, or what is built in where there is none, and what
 * follows from it for a handshake (doc/protocols/oap.md has the table).
 */
#ifndef O7S_IRMD_OAP_RULE_H
#define O7S_IRMD_OAP_RULE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypt/suite.h"
#include "oap/reason.h"

enum rule_auth { AUTH_BY_RULE_2, AUTH_OPTIONAL, AUTH_SERVER, AUTH_MUTUAL };

/* allow or deny: shell patterns over typed identities ("dns:*.example.com", "uid:0"). */
struct patterns {
        char **at;
        size_t n;
        bool   present; /* the key is there: an empty list is not no list */
};

/* One enc.cfg. */
struct rule {
        bool            disabled; /* `disabled` stands alone             */
        bool            encrypt;  /* encryption = required               */
        enum rule_auth  auth;
        unsigned        suites; /* SUITE_BIT()s, of `suite`            */
        enum suite      first;  /* the first one named, a client's     */
        struct patterns allow, deny;
        bool            hold;            /* first-data = confirmed              */
        bool            local_as_remote; /* root file: local = as-remote   */
        unsigned        clock_skew_s;    /* root file; default 30          */
        char           *file;            /* where it was read; NULL: built in   */
};

#define RULE_SKEW_DEFAULT_S 30u

struct rule_fault {
        unsigned line; /* 0: of the file as a whole */
        char     text[256];
};

/*
 * Reads the text of an enc.cfg; @file (copied) is its path, @root says that it is the system-wide one. 0 and *@out,
 * for rule_free(), or -EINVAL and *@fault, -ENOMEM. Unknown and repeated keys, bad values, a client-side file with
 * several suites (@client) and suites that are not available are faults.
 */
int  rule_parse(struct rule **out, const char *text, size_t len, const char *file, bool root, bool client,
                struct rule_fault *fault);
void rule_free(struct rule *r); /* takes NULL */

/* What a handshake starts from: decided once, then not looked up again. */
struct stance {
        bool       sign;   /* send certificates and a signature                           */
        bool       demand; /* refuse a peer that does not                                 */
        unsigned   suites; /* that are acceptable; SUITE_PLAIN among them where it is     */
        enum suite suite;  /* a client's choice                                           */
        bool       hold;   /* server: first data waits for the first record               */
        bool       lists; /* server: allow or deny exist: a request without AUTH is refused, but see rule 5 */
        bool       kernel;       /* local flow, whose peer the kernel vouches for               */
        const struct rule *rule; /* NULL: built in; borrowed of the snapshot                    */
};

/* What is there for an identity. */
struct holdings {
        const struct rule *own, *root;  /* NULL: no such file */
        bool               credentials; /* usable                       */
        bool               anchors;     /* for the role of the peer     */
        bool               local;       /* the flow is local (rule 5)   */
};

/* OAP_OK and *@s, or OAP_NO_CREDENTIALS: the rule wants a signature and there is nothing to sign with. */
enum oap_reason stance_client(const struct holdings *h, struct stance *s);
enum oap_reason stance_server(const struct holdings *h, struct stance *s);

/*
 * allow/deny over the names of a peer: @identity and all @names (n_names; typed) of its leaf, NULL when it has not
 * signed; @kernel ("uid:N") where the kernel vouches, else NULL. deny matches any of them, allow the identity or the
 * kernel's; deny wins; an empty allow list admits nobody.
 */
bool stance_admits(const struct stance *s, const char *identity, const char *const *names, size_t n_names,
                   const char *kernel);

#endif
