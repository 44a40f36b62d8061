/*
 * reason.h - why a handshake was refused: the exact reason, for the audit log of this host, and the coarse
 * code that the other side and the application get.
 */
#ifndef O7S_IRMD_OAP_REASON_H
#define O7S_IRMD_OAP_REASON_H

enum oap_reason {
        OAP_OK,
        OAP_MALFORMED,     /* length, version, type, flag, reserved field       -EAUTH  */
        OAP_SUITE,         /* a suite that policy does not name                 -ECRYPT */
        OAP_PLAIN,         /* plain where encryption is required                -ECRYPT */
        OAP_CLOCK,         /* timestamp out of the window, or below the horizon -ETIME  */
        OAP_REPLAY,        /* seen before                                       -EAUTH  */
        OAP_BUSY,          /* replay table, share of the identity or queue full -EBUSY  */
        OAP_NO_CERT,       /* no certificate where one is required              -EAUTH  */
        OAP_NO_ANCHORS,    /* a certificate, and nothing to verify it with      -EAUTH  */
        OAP_CERT_ENCODING, /* certificates that cannot be read                          */
        OAP_SELF_SIGNED,
        OAP_UNKNOWN_CA, /* no chain to a trust anchor                                */
        OAP_EXPIRED,
        OAP_NOT_YET_VALID,
        OAP_REVOKED,    /* the leaf is in untrusted/                                 */
        OAP_REVOKED_CA, /* a CA of the chain is                                      */
        OAP_WRONG_PURPOSE,
        OAP_WEAK_KEY, /* key type, size, curve or digest not allowed               */
        OAP_CHAIN,    /* any other fault of the chain (constraints, signature, …)  */
        OAP_WRONG_NAME,
        OAP_BAD_IDENTITY, /* a client's leaf without a name that may be one            */
        OAP_BAD_SIGNATURE,
        OAP_NOT_ALLOWED,     /* allow and deny                                            */
        OAP_BAD_KEX,         /* a value of the key exchange is not acceptable             */
        OAP_BAD_TAG,         /* the response does not decrypt                     -ECRYPT */
        OAP_NOT_MY_REQUEST,  /* a response to another request                             */
        OAP_NO_CREDENTIALS,  /* policy wants us to sign and there is nothing to sign with */
        OAP_BAD_CREDENTIALS, /* our own are there and cannot be used                      */
        OAP_BAD_POLICY,      /* enc.cfg cannot be used                                    */
        OAP_INTERNAL,        /* memory                                            -ENOMEM */
        OAP_N_REASONS
};

/* A short word for the log, "wrong-name"; never NULL. */
const char *oap_reason_name(enum oap_reason r);

/* A sentence for people; never NULL. */
const char *oap_reason_text(enum oap_reason r);

/* What the other side and the application hear; -EAUTH where the list above says nothing; 0 for OAP_OK. */
int oap_reason_code(enum oap_reason r);

#endif
