/*
 * What follows from policy and holdings. Rule 2 and rule 5 of doc/protocols/oap.md meet here: a demand that nobody
 * wrote down is satisfied by the kernel on a local flow; one that was written is not.
 */
#include <fnmatch.h>
#include <string.h>

#include "oap/rule.h"

static bool kernel_vouches(const struct holdings *h)
{
        return h->local && (h->root == NULL || !h->root->local_as_remote);
}

/* An enc.cfg is there: @r names the suites. */
static void set_suites(struct stance *s, const struct rule *r)
{
        bool plain = r->disabled || !r->encrypt;

        s->suites = plain ? SUITE_BIT(SUITE_PLAIN) : r->suites & ~SUITE_BIT(SUITE_PLAIN);
        s->suite  = plain ? SUITE_PLAIN : r->first;
}

/* What both roles have in common. */
static void begin(const struct holdings *h, struct stance *s)
{
        *s        = (struct stance){.suite = SUITE_P384, .suites = SUITE_BIT(SUITE_P384)};
        s->rule   = h->own != NULL ? h->own : h->root;
        s->kernel = kernel_vouches(h);
        s->sign   = h->credentials;
        if (s->rule != NULL)
                set_suites(s, s->rule);
}

enum oap_reason stance_client(const struct holdings *h, struct stance *s)
{
        begin(h, s);
        if (s->rule == NULL && !h->credentials && !h->anchors) {
                s->suite  = SUITE_PLAIN;
                s->suites = SUITE_BIT(SUITE_PLAIN);
        }
        switch (s->rule == NULL ? AUTH_BY_RULE_2 : s->rule->auth) {
        case AUTH_BY_RULE_2: s->demand = h->anchors && !s->kernel; return OAP_OK;
        case AUTH_OPTIONAL: return OAP_OK;
        case AUTH_SERVER:
                s->sign   = false;
                s->demand = true;
                return OAP_OK;
        case AUTH_MUTUAL:
        default: s->demand = true; return h->credentials ? OAP_OK : OAP_NO_CREDENTIALS;
        }
}

enum oap_reason stance_server(const struct holdings *h, struct stance *s)
{
        begin(h, s);
        if (s->rule != NULL) {
                s->hold  = s->rule->hold;
                s->lists = s->rule->allow.present || s->rule->deny.present;
        } else if (!h->credentials) {
                s->suites |= SUITE_BIT(SUITE_PLAIN);
        }
        switch (s->rule == NULL ? AUTH_BY_RULE_2 : s->rule->auth) {
        case AUTH_BY_RULE_2: s->demand = h->credentials && h->anchors && !s->kernel; return OAP_OK;
        case AUTH_OPTIONAL: return OAP_OK;
        case AUTH_SERVER: return h->credentials ? OAP_OK : OAP_NO_CREDENTIALS;
        case AUTH_MUTUAL:
        default: s->demand = true; return h->credentials ? OAP_OK : OAP_NO_CREDENTIALS;
        }
}

/* -- allow and deny -------------------------------------------------------- */

/* What fnmatch() cannot tell counts as @unsure. */
static bool matches(const struct patterns *p, const char *id, bool unsure)
{
        for (size_t i = 0; id != NULL && i < p->n; i++) {
                int r = fnmatch(p->at[i], id, 0);

                if (r == 0 || (r != FNM_NOMATCH && unsure))
                        return true;
        }
        return false;
}

static bool denied(const struct patterns *deny, const char *identity, const char *const *names,
                   size_t n_names, const char *kernel)
{
        for (size_t i = 0; i < n_names; i++) {
                if (matches(deny, names[i], true))
                        return true;
        }
        return matches(deny, identity, true) || matches(deny, kernel, true);
}

bool stance_admits(const struct stance *s, const char *identity, const char *const *names, size_t n_names,
                   const char *kernel)
{
        const struct rule *r = s->rule;

        if (!s->lists)
                return true;
        if (identity == NULL && kernel == NULL)
                return false;
        if (denied(&r->deny, identity, names, n_names, kernel))
                return false;
        return !r->allow.present || matches(&r->allow, identity, false) || matches(&r->allow, kernel, false);
}
