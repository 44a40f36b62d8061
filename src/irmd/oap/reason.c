#include "oap/reason.h"

#include <ouroboros/errno.h>
#include <stddef.h>

static const struct {
        const char *name, *text;
        int         code; /* 0: EAUTH */
} reasons[] = {
        [OAP_OK]            = {"ok", "Nothing is wrong", 0},
        [OAP_MALFORMED]     = {"malformed", "The message is not formed as the protocol says", 0},
        [OAP_SUITE]         = {"suite", "The policy does not name the cipher suite", ECRYPT},
        [OAP_PLAIN]         = {"plain", "The policy requires encryption", ECRYPT},
        [OAP_CLOCK]         = {"clock", "The request is not of now: the clocks of the hosts differ", ETIME},
        [OAP_REPLAY]        = {"replay", "The request was accepted before", 0},
        [OAP_BUSY]          = {"busy", "Too many requests at once", EBUSY},
        [OAP_NO_CERT]       = {"no-certificate", "The peer does not authenticate, as the policy requires", 0},
        [OAP_NO_ANCHORS]    = {"no-anchors", "The peer has a certificate, and there are no trust anchors", 0},
        [OAP_CERT_ENCODING] = {"certificate-encoding", "The peer's certificates cannot be read", 0},
        [OAP_SELF_SIGNED]   = {"self-signed", "The certificate is signed by nobody but itself", 0},
        [OAP_UNKNOWN_CA]    = {"unknown-ca", "The certificate leads to no trust anchor", 0},
        [OAP_EXPIRED]       = {"expired", "A certificate has expired", 0},
        [OAP_NOT_YET_VALID] = {"not-yet-valid", "A certificate is not valid yet", 0},
        [OAP_REVOKED]       = {"revoked", "The certificate is revoked", 0},
        [OAP_REVOKED_CA]    = {"revoked-ca", "A certificate authority of the chain is revoked", 0},
        [OAP_WRONG_PURPOSE] = {"wrong-purpose", "The certificate is not for this use", 0},
        [OAP_WEAK_KEY]      = {"weak-key", "The type, size or digest of a key is not allowed", 0},
        [OAP_CHAIN]         = {"chain", "The chain of certificates is not valid", 0},
        [OAP_WRONG_NAME]    = {"wrong-name", "The certificate is for another name", 0},
        [OAP_BAD_IDENTITY]  = {"bad-identity", "The certificate has no name that can be an identity", 0},
        [OAP_BAD_SIGNATURE] = {"bad-signature", "The signature is not of this message and certificate", 0},
        [OAP_NOT_ALLOWED]   = {"not-allowed", "The peer is not admitted by allow and deny", 0},
        [OAP_BAD_KEX]       = {"bad-key-exchange", "A value of the key exchange is not acceptable", 0},
        [OAP_BAD_TAG]       = {"bad-tag", "The response does not decrypt", ECRYPT},
        [OAP_NOT_MY_REQUEST]  = {"not-my-request", "The response is not to this request", 0},
        [OAP_NO_CREDENTIALS]  = {"no-credentials",
                                 "The policy wants a signature, and there are no credentials", 0},
        [OAP_BAD_CREDENTIALS] = {"bad-credentials", "The credentials of this host cannot be used", 0},
        [OAP_BAD_POLICY]      = {"bad-policy", "An enc.cfg of this host cannot be used", 0},
        [OAP_INTERNAL]        = {"internal", "Out of memory", ENOMEM},
};

_Static_assert(sizeof(reasons) / sizeof(*reasons) == OAP_N_REASONS, "a reason without words");

/* What is none is taken for the least telling one. */
static enum oap_reason known(enum oap_reason r)
{
        return (size_t)r < OAP_N_REASONS ? r : OAP_INTERNAL;
}

const char *oap_reason_name(enum oap_reason r)
{
        return reasons[known(r)].name;
}

const char *oap_reason_text(enum oap_reason r)
{
        return reasons[known(r)].text;
}

int oap_reason_code(enum oap_reason r)
{
        if (r == OAP_OK)
                return 0;
        return reasons[known(r)].code == 0 ? -EAUTH : -reasons[known(r)].code;
}
