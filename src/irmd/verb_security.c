/*
 * What the credentials and the policy of this host are, for those who manage it: the same decisions that handshakes
 * start from (security.h), told instead of carried out.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <ouroboros/errno.h>

#include "base/clock.h"
#include "list.h"
#include "oap/chain.h"
#include "oap/pem.h"
#include "security.h"
#include "verbs.h"

#define PATTERN_BYTES (24u << 10) /* of allow, of deny, in an entry: both fit a frame */
#define EXPIRY_NOTE_S (30 * 86400)

/* -- what is known about a certificate ------------------------------------- */

/* "P-384", "RSA 2048", "ED25519". */
static void key_text(EVP_PKEY *key, char *out, size_t cap)
{
        const char *type = EVP_PKEY_get0_type_name(key);
        const char *nist = NULL;
        char        curve[64];

        if (EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, curve, sizeof(curve), NULL) == 1)
                nist = EC_curve_nid2nist(OBJ_sn2nid(curve));
        ERR_clear_error();
        if (nist != NULL)
                snprintf(out, cap, "%s", nist);
        else if (EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS"))
                snprintf(out, cap, "%s %d", type, EVP_PKEY_get_bits(key));
        else
                snprintf(out, cap, "%s", type != NULL ? type : "unknown");
}

/* Seconds since 1970; 0: not known. */
static int64_t expiry_of(const X509 *x)
{
        struct tm tm;

        return ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) == 1 ? timegm(&tm) : 0;
}

/* -- what is in force ------------------------------------------------------ */

/* A name or principal, its identity if it has one, and what a flow that is not local would start from. */
struct policy {
        const char            *name;
        enum role              role;
        const struct identity *id;
        struct stance          stance;
        enum oap_reason        fault;
};

static struct policy policy_of(const struct security *s, const char *name, enum role role)
{
        struct policy p = {.name = name, .role = role};

        if (role == ROLE_SERVER)
                p.fault = security_server(s, name, false, &p.stance, &p.id);
        else
                p.fault = security_client(s, name, false, &p.stance, &p.id);
        if (p.stance.rule == NULL && p.id != NULL)
                p.stance.rule = p.id->rule;
        return p;
}

static const char *authentication_of(const struct policy *p)
{
        const struct stance *s = &p->stance;

        switch (s->rule != NULL ? s->rule->auth : AUTH_BY_RULE_2) {
        case AUTH_MUTUAL: return "mutual";
        case AUTH_SERVER: return "server";
        case AUTH_OPTIONAL: return "optional";
        case AUTH_BY_RULE_2:
        default: break;
        }
        if (s->demand && s->sign)
                return "mutual";
        if (p->role == ROLE_SERVER)
                return s->sign ? "server" : "none";
        return s->demand ? "server" : s->sign ? "optional" : "none";
}

static unsigned suites_of(const struct policy *p)
{
        if (p->stance.suites == 0) /* refused before that was decided */
                return 0;
        return p->role == ROLE_CLIENT ? SUITE_BIT(p->stance.suite) : p->stance.suites;
}

static bool is_plain(const struct policy *p)
{
        return (suites_of(p) & SUITE_BIT(SUITE_PLAIN)) != 0;
}

/* -- irm security show ----------------------------------------------------- */

struct shown {
        struct list          list;
        Irm__Reply           reply;
        Irm__SecurityEntries body;
        Irm__SecurityEntry  *at[1];
        Irm__SecurityEntry   entry;
        char                 subject[256], serial[64], key[64], more[2][64];
        char                *suites[SUITE_N];
};

static void clear_entry(struct list *l)
{
        struct shown *w = (struct shown *)(void *)l;

        free(w->entry.allow);
        free(w->entry.deny);
        w->entry.allow = w->entry.deny = NULL;
}

/* As many as a reply can hold, then how many there are more (text in @more). */
static size_t put_patterns(const struct patterns *from, char ***to, char *more, size_t size)
{
        size_t n = 0, bytes = 0;

        *to = calloc(from->n + 1, sizeof(**to));
        if (*to == NULL)
                return 0;
        while (n < from->n && bytes + strlen(from->at[n]) < PATTERN_BYTES) {
                bytes += strlen(from->at[n]) + 8;
                (*to)[n] = from->at[n];
                n++;
        }
        if (n == from->n)
                return n;
        snprintf(more, size, "... and %zu more", from->n - n);
        (*to)[n] = more;
        return n + 1;
}

static void put_certificate(struct shown *w, const struct identity *id)
{
        Irm__SecurityEntry *e = &w->entry;

        e->stale = id->stale;
        if (id->key != NULL) {
                key_text(id->key, w->key, sizeof(w->key));
                e->key = w->key;
        }
        if (id->leaf == NULL)
                return;
        pem_subject(id->leaf, w->subject, sizeof(w->subject));
        pem_serial(id->leaf, w->serial, sizeof(w->serial));
        e->subject = w->subject;
        e->serial  = w->serial;
        e->expires = expiry_of(id->leaf);
}

static void put_rule(struct shown *w, const struct rule *r)
{
        Irm__SecurityEntry *e = &w->entry;

        if (r->file != NULL)
                e->file = r->file;
        e->n_allow   = put_patterns(&r->allow, &e->allow, w->more[0], sizeof(w->more[0]));
        e->n_deny    = put_patterns(&r->deny, &e->deny, w->more[1], sizeof(w->more[1]));
        e->has_allow = r->allow.present;
        e->hold      = r->hold;
}

static void put_suites(struct shown *w, unsigned set)
{
        Irm__SecurityEntry *e = &w->entry;

        e->suites = w->suites;
        for (enum suite s = SUITE_PLAIN; s < SUITE_N; s++)
                if ((set & SUITE_BIT(s)) != 0)
                        w->suites[e->n_suites++] = (char *)suite_name(s);
}

static const char *fault_of(const struct policy *p)
{
        if (p->fault == OAP_OK)
                return "";
        return p->id != NULL && p->id->fault != OAP_OK && p->id->why != NULL ? p->id->why
                                                                             : oap_reason_text(p->fault);
}

/* One entry, a reply of its own: its lists may be long. */
static void show(struct shown *w, const struct security *s, const char *name, enum role role)
{
        struct policy       p = policy_of(s, name, role);
        Irm__SecurityEntry *e = &w->entry;
        enum oap_reason     fault;
        const struct rule  *root = creds_root_rule(s->creds, &fault);

        irm__security_entry__init(e);
        e->name           = (char *)name;
        e->client         = role == ROLE_CLIENT;
        e->fault          = (char *)fault_of(&p);
        e->encryption     = p.fault == OAP_OK && !is_plain(&p);
        e->authentication = (char *)authentication_of(&p);
        put_suites(w, suites_of(&p));
        if (p.id != NULL)
                put_certificate(w, p.id);
        if (p.stance.rule != NULL)
                put_rule(w, p.stance.rule);
        e->local_as_remote = root != NULL && root->local_as_remote;
        w->body.n_entry    = 1;
        list_send(&w->list);
}

static void show_all(struct shown *w, const struct security *s)
{
        const struct identity *id;

        show(w, s, "", ROLE_SERVER);
        for (size_t i = 0; (id = creds_at(s->creds, i)) != NULL; i++)
                show(w, s, id->name, id->role);
}

static bool has_folder(const struct security *s, const char *name, enum role role)
{
        const struct identity *id;

        for (size_t i = 0; (id = creds_at(s->creds, i)) != NULL; i++)
                if (id->role == role && strcmp(id->name, name) == 0)
                        return true;
        return false;
}

/* A name without a folder is shown too: some rule is in force for it. */
static void show_named(struct shown *w, const struct security *s, const char *name)
{
        bool client = has_folder(s, name, ROLE_CLIENT);

        if (!client || has_folder(s, name, ROLE_SERVER))
                show(w, s, name, ROLE_SERVER);
        if (client)
                show(w, s, name, ROLE_CLIENT);
}

void verb_security_show(struct proc *p, uint32_t id, const Irm__Request *m)
{
        struct shown w = {.reply = IRM__REPLY__INIT, .body = IRM__SECURITY_ENTRIES__INIT};

        if (m->security_show->name[0] != '\0' && !verb_check_name(p, id, "name", m->security_show->name))
                return;
        w.at[0]           = &w.entry;
        w.body.entry      = w.at;
        w.reply.body_case = IRM__REPLY__BODY_SECURITY;
        w.reply.security  = &w.body;
        w.list            = (struct list){
                           .proc = p, .id = id, .reply = &w.reply, .n = &w.body.n_entry, .clear = clear_entry};
        if (m->security_show->name[0] == '\0')
                show_all(&w, p->irmd->security);
        else
                show_named(&w, p->irmd->security, m->security_show->name);
        list_end(&w.list);
}

/* -- irm security check ---------------------------------------------------- */

#define CHECK_BATCH 8u /* texts in a reply */

struct check {
        struct security_wish wish;
        struct irmd         *irmd;
        uint64_t             serial; /* of the process */
        uint32_t             id;     /* of the request */
};

struct checked {
        struct list            list;
        Irm__Reply             reply;
        Irm__SecurityFaults    body;
        const struct security *security;
        char                  *at[CHECK_BATCH];
        char                   text[CHECK_BATCH][2048];
};

static void nothing_to_free(struct list *l)
{
        (void)l;
}

static void say(struct checked *k, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(struct checked *k, const char *fmt, ...)
{
        size_t *n = k->list.n;
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(k->text[*n], sizeof(k->text[*n]), fmt, ap);
        va_end(ap);
        k->at[*n] = k->text[*n];
        if (++*n == CHECK_BATCH)
                list_send(&k->list);
}

static const char *folder_of(const struct policy *p)
{
        return p->role == ROLE_SERVER ? "server" : "client";
}

/* What the store cannot see, since it is no fault of a file. */
static void check_use(struct checked *k, const struct policy *p)
{
        if (p->fault != OAP_OK && p->id->fault == OAP_OK)
                say(k, "%s/%s: %s", folder_of(p), p->name, oap_reason_text(p->fault));
        if (p->id->leaf == NULL)
                return;
        if (expiry_of(p->id->leaf) < clock_wall_ns() / NS_PER_S)
                say(k, "%s/%s: the certificate has expired", folder_of(p), p->name);
        if (p->role == ROLE_SERVER && chain_check_name(p->id->leaf, p->name) != OAP_OK)
                say(k, "%s/%s: the certificate is not for this name, and clients will refuse it",
                    folder_of(p), p->name);
}

static void note_use(struct checked *k, const struct policy *p)
{
        int64_t left_s;

        if (p->fault == OAP_OK && is_plain(p))
                say(k, "%s/%s: flows are plain, by %s", folder_of(p), p->name,
                    p->stance.rule != NULL ? p->stance.rule->file : "the built-in rules");
        if (p->id->leaf == NULL)
                return;
        left_s = expiry_of(p->id->leaf) - clock_wall_ns() / NS_PER_S;
        if (left_s >= 0 && left_s < EXPIRY_NOTE_S)
                say(k, "%s/%s: the certificate expires in %d days", folder_of(p), p->name,
                    (int)(left_s / 86400));
}

static void each_identity(struct checked *k, void (*fn)(struct checked *k, const struct policy *p))
{
        const struct identity *id;

        for (size_t i = 0; (id = creds_at(k->security->creds, i)) != NULL; i++) {
                struct policy p = policy_of(k->security, id->name, id->role);

                fn(k, &p);
        }
}

static void say_faults(struct checked *k)
{
        const char *fault;

        k->body.fault = k->at;
        k->list.n     = &k->body.n_fault;
        for (size_t i = 0; (fault = creds_fault(k->security->creds, i)) != NULL; i++)
                say(k, "%s", fault);
        each_identity(k, check_use);
        list_send(&k->list);
}

static void say_notes(struct checked *k)
{
        struct policy others = policy_of(k->security, "", ROLE_SERVER);

        k->body.note = k->at;
        k->list.n    = &k->body.n_note;
        if (others.fault == OAP_OK && is_plain(&others))
                say(k, "names without credentials of their own accept plain flows, by %s",
                    others.stance.rule != NULL ? others.stance.rule->file : "the built-in rules");
        each_identity(k, note_use);
        list_end(&k->list);
}

static void answer_check(struct proc *p, uint32_t id)
{
        struct checked k = {.reply = IRM__REPLY__INIT, .body = IRM__SECURITY_FAULTS__INIT};

        k.security              = p->irmd->security;
        k.reply.body_case       = IRM__REPLY__BODY_SECURITY_FAULTS;
        k.reply.security_faults = &k.body;
        k.list = (struct list){.proc = p, .id = id, .reply = &k.reply, .clear = nothing_to_free};
        say_faults(&k);
        say_notes(&k);
}

/* All files were read again: what is said is of now. */
static void checked(struct security_wish *w)
{
        struct check *c = (struct check *)(void *)w;
        struct proc  *p = proc_by_serial(c->irmd, c->serial);

        if (p != NULL)
                answer_check(p, c->id);
        free(c);
}

void verb_security_check(struct proc *p, uint32_t id, const Irm__Request *m)
{
        struct check *c = calloc(1, sizeof(*c));

        (void)m;
        if (c == NULL) {
                proc_reply(p, id, -ENOMEM, NULL);
                return;
        }
        c->wish.done = checked;
        c->irmd      = p->irmd;
        c->serial    = p->serial;
        c->id        = id;
        security_reload(p->irmd->security, &c->wish);
}
