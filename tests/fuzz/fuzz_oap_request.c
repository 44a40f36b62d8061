/*
 * fuzz_oap_request.c - a server that gets any request at all.
 *
 * input: | policy 1 | request |
 *
 * policy: bits 0 to 2 a set of suites (plain, p384, x25519), 3 demands a signature, 4 has an allow list, 5 signs itself,
 * 6 the kernel vouches for the peer.
 */
#include "crypt/kex.h"
#include "oap_form.h"
#include "oap_pair.h"

static struct host host;

/* Of a request without AUTH that went through, or of one that is signed and verified, nothing is missing. */
static void check_policy(const struct pair *p, const struct stance *st)
{
        const struct oap_facts *f = oap_server_facts(p->server);

        MUST(oap_server_keys(p->server) != NULL);
        MUST((st->suites & SUITE_BIT(f->suite)) != 0);
        MUST(f->authenticated || (!st->demand && (!st->lists || p->local)));
        MUST((oap_server_peer(p->server) != NULL) == f->authenticated);
        MUST(f->signed_ == st->sign);
}

static void check_refused(const struct pair *p, enum oap_reason r)
{
        MUST(oap_server_keys(p->server) == NULL && oap_server_data(p->server).len == 0);
        MUST(oap_server_facts(p->server)->reason == r);
        MUST(oap_reason_code(r) < 0);
}

static struct stance stance_of(uint8_t bits, const struct rule *rule)
{
        struct stance st = {.demand = bits & 8, .sign = bits & 32, .kernel = bits & 64};

        st.suites = (bits & 1 ? SUITE_BIT(SUITE_PLAIN) : 0) | (bits & 2 ? SUITE_BIT(SUITE_P384) : 0) |
                    (bits & 4 ? SUITE_BIT(SUITE_X25519) : 0);
        st.lists = bits & 16;
        st.rule  = rule;
        return st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const struct host_spec spec       = {.credentials = true, .anchors = true, .key = PKI_ED25519};
        static char                  *patterns[] = {"uid:1000", "email:*"};
        static const struct rule      rule       = {.allow = {patterns, 2, true}};
        struct pair                   p;
        struct stance                 st;
        enum oap_reason               r;

        if (size == 0)
                return 0;
        if (host.creds == NULL)
                host_open(&host, ROLE_SERVER, &spec);
        form_check((struct span){data + 1, size - 1}, OAP_REQUEST);
        pair_open(&p, &host, &host);
        st      = stance_of(data[0], &rule);
        p.local = st.kernel;
        r = pair_serve_with(&p, (struct span){data + 1, size - 1}, &st, creds_server(host.creds, PAIR_NAME));
        if (r == OAP_OK)
                check_policy(&p, &st);
        else if (p.server != NULL)
                check_refused(&p, r);
        pair_close(&p);
        return 0;
}
