#include "ipcpd/udp/dns_verdict.h"

#include <errno.h>

#include <ouroboros/errno.h>

/* By the code of the answer (RFC 2136, 2.2); those without words are no answers to what we ask. */
static const struct {
        int         result;
        const char *why;
} codes[16] = {
        [1]  = {-EPROTO, "it does not understand the update (FORMERR)"},
        [2]  = {-EIO, "it has failed (SERVFAIL)"},
        [4]  = {-ENOTSUP, "it takes no updates (NOTIMP)"},
        [5]  = {-EPERM, "it does not let this host update the zone (REFUSED)"},
        [9]  = {-EAUTH, "it is not master of the zone, or does not accept the key (NOTAUTH)"},
        [10] = {-EINVAL, "the name is not in its zone (NOTZONE)"},
};

static int by_code(unsigned int code, const char **why)
{
        *why = codes[code].why;
        if (*why != NULL)
                return codes[code].result;
        if (code == DNS_NOERROR)
                return 0;
        *why = "its answer makes no sense";
        return -EPROTO;
}

bool dns_verdict(const struct dns_key *k, const struct dns_mac *request, const uint8_t *p, size_t len,
                 int64_t now_s, int *result, const char **why)
{
        int r = k == NULL ? 0 : dns_tsig_verify(k, request, p, len, now_s, why);

        if (r < 0) {
                if (*why == NULL && by_code(dns_message_code(p), why) == 0)
                        *why = "its answer is not signed with our key";
                return false;
        }
        *result = r > 0 ? -EAUTH : by_code(dns_message_code(p), why);
        return true;
}
