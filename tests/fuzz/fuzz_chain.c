/*
 * fuzz_chain.c - f05: the certificates of a peer. Genuine ones are made at the start, by Ed25519, whose signatures have one form;
 * the input says which are presented and what is done to them.
 *
 *     | role 8 | then a list of  | which 8 | kind 8 | ... |
 *       which: 0 leaf, 1 intermediate, 2 root, 3 another CA's leaf (modulo 4)
 *       kind:  0 as it is; 1 | offset 16 | byte 8 | replaced; 2 | offset 16 | cut off there; 3 | length 16 | bytes | of the input
 *
 * Invariant: what is accepted is the genuine leaf, to the last byte, and stays so when it is remembered.
 */
#include <openssl/err.h>
#include <string.h>

#include "oap/chain.h"

#include "input.h"
#include "pki.h"

#define GENUINE 4

static struct {
        uint8_t der[1024];
        size_t  len;
} genuine[GENUINE];

static struct creds  *creds;
static struct chains *chains;

int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
        struct pki_cert root =
                pki_cert(&(struct pki_spec){.cn = "root", .ca = true, .key = PKI_ED25519}, NULL);
        struct pki_cert other =
                pki_cert(&(struct pki_spec){.cn = "other", .ca = true, .key = PKI_ED25519}, NULL);
        struct pki_cert inter =
                pki_cert(&(struct pki_spec){.cn = "i", .ca = true, .key = PKI_ED25519}, &root);
        struct pki_spec        spec         = {.cn = "leaf", .san = "DNS:a.example", .key = PKI_ED25519};
        struct pki_cert        leaf         = pki_cert(&spec, &inter);
        struct pki_cert        wrong        = pki_cert(&spec, &other);
        struct pki_cert       *all[GENUINE] = {&leaf, &inter, &root, &wrong};
        const struct pki_cert *anchor       = &root;
        char                  *dir          = pki_dir();

        (void)argc;
        (void)argv;
        pki_write_certs(dir, "cacert/root.pem", &anchor, 1);
        creds  = creds_read(dir, NULL, NULL, NULL);
        chains = chains_create(16);
        MUST(creds != NULL && chains != NULL);
        pki_dir_remove(dir);
        for (size_t i = 0; i < GENUINE; i++) {
                genuine[i].len = pki_der(all[i], genuine[i].der, sizeof(genuine[i].der));
                pki_free(all[i]);
        }
        pki_free(&other);
        return 0;
}

/* Writes a certificate to @out as the input says. Returns its length. */
static size_t present(struct input *in, uint8_t out[1024])
{
        size_t which = input_byte(in) % GENUINE, len = genuine[which].len, at;

        memcpy(out, genuine[which].der, len);
        switch (input_byte(in) % 4) {
        case 0: return len;
        case 1:
                at      = (size_t)input_le(in, 2) % len;
                out[at] = input_byte(in);
                return len;
        case 2: return (size_t)input_le(in, 2) % len + 1;
        default:
                len = (size_t)input_le(in, 2) % 1023 + 1;
                for (size_t i = 0; i < len; i++)
                        out[i] = input_byte(in);
                return len;
        }
}

static void fill(struct input *in, uint8_t *buf, struct oap_body *b)
{
        size_t len = 0;

        while (input_left(in) && b->n_certs < OAP_CERTS_MAX) {
                uint8_t *at = buf + len;
                size_t   n  = present(in, at + 2);

                at[0]                 = (uint8_t)(n >> 8);
                at[1]                 = (uint8_t)n;
                b->cert[b->n_certs++] = (struct span){at + 2, n};
                len += 2 + n;
        }
        b->certs = (struct span){buf, len};
}

static bool is_genuine(struct span leaf)
{
        return leaf.len == genuine[0].len && memcmp(leaf.p, genuine[0].der, leaf.len) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static uint8_t  buf[OAP_CERTS_MAX * 1026];
        struct input    in   = {data, data + size};
        enum role       role = input_byte(&in) & 1 ? ROLE_CLIENT : ROLE_SERVER;
        const char     *name = role == ROLE_SERVER ? "a.example" : NULL;
        struct oap_body body = {0};
        struct leaf     leaf;
        char            detail[64];
        enum oap_reason first = OAP_OK;

        fill(&in, buf, &body);
        for (int i = 0; i < 2; i++) {
                enum oap_reason r =
                        chain_verify(creds, chains, role, &body, name, PKI_NOW_NS, &leaf, detail, 64);

                first = i == 0 ? r : first;
                MUST(r == first && r < OAP_N_REASONS);
                MUST(r != OAP_OK || is_genuine(body.cert[0]));
                MUST((r == OAP_OK) == (leaf.key != NULL));
                MUST(ERR_peek_error() == 0);
                leaf_clear(&leaf);
        }
        return 0;
}
