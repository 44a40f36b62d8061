/*
 * test_dns_tsig.c - keys from files, signatures against those of another implementation (ldns's own), and
 * what the answer to an update means.
 */
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include <ldns/ldns.h>

#include <ouroboros/errno.h>

#include "ipcpd/udp/dns_verdict.h"

#define SECRET "c2VjcmV0IG9mIHRoaXJ0eS10d28gYnl0ZXMsIG5vIGxlc3M="
#define OTHER  "YW5vdGhlciBvZiB0aGlydHktdHdvIGJ5dGVzLCB0aGF0IGk="
#define LINE   "hmac-sha256:Some-Key:" SECRET

/* The same key. */
#define OTHER_LINE "HMAC-SHA256:some-key.:" SECRET

static int read_key(struct dns_key **k, const char *text, mode_t mode)
{
        char        path[] = "/tmp/test_dns_keyXXXXXX";
        int         fd     = mkstemp(path);
        const char *why    = NULL;
        int         r;

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
        assert_int_equal(fchmod(fd, mode), 0);
        close(fd);
        r = dns_key_read(k, path, &why);
        unlink(path);
        assert_true(r == 0 || why != NULL);
        return r;
}

static struct dns_key *key(const char *text)
{
        struct dns_key *k = NULL;

        assert_int_equal(read_key(&k, text, 0600), 0);
        return k;
}

static void check_refused(const char *text, mode_t mode, int expected)
{
        struct dns_key *k = NULL;

        assert_int_equal(read_key(&k, text, mode), expected);
        assert_null(k);
}

/* -- keys ------------------------------------------------------------------ */

static void test_key(void **state)
{
        static const char *const lines[] = {LINE, LINE "\n", LINE "\r\n", OTHER_LINE};

        (void)state;
        for (size_t i = 0; i < 4; i++) {
                struct dns_key *k = key(lines[i]);

                assert_int_equal(dns_key_name(k)->len, 10);
                assert_memory_equal(dns_key_name(k)->b, "\10some-key", 10);
                assert_int_equal(dns_key_algorithm(k)->len, 13);
                assert_memory_equal(dns_key_algorithm(k)->b, "\13hmac-sha256", 13);
                dns_key_free(k);
        }
        dns_key_free(NULL);
}

static void test_no_key(void **state)
{
        static const char *const lines[] = {
                "",
                "\n",
                ":",
                "::",
                "hmac-sha256:k",
                "hmac-sha256:k:",
                "hmac-md5:k:c2VjcmV0",
                "k:c2VjcmV0",
                "hmac-sha256::c2VjcmV0",
                "hmac-sha256:.:c2VjcmV0",
                "hmac-sha256:a..b:c2VjcmV0",
                "hmac-sha256:k:c2VjcmV0\nhmac-sha256:l:c2VjcmV0",
                "\nhmac-sha256:k:c2VjcmV0",
                "hmac-sha256:k:c2VjcmV0:x",
                "hmac-sha256:k:c2VjcmV0=",
                "hmac-sha256:k:====",
                "hmac-sha256:k:c2Vj cmV0",
                "hmac-sha256:k:c2=j",
                "hmac-sha256:k:-2VjcmV0",
        };
        char long_line[1100];

        (void)state;
        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
                check_refused(lines[i], 0600, -EINVAL);
        memset(long_line, 'A', sizeof(long_line) - 1);
        long_line[sizeof(long_line) - 1] = 0;
        check_refused(long_line, 0600, -EINVAL);
        memcpy(long_line, "hmac-sha256:k:", 14);
        long_line[14 + 348] = 0; /* 261 bytes */
        check_refused(long_line, 0600, -EINVAL);
        long_line[14 + 340] = 0;
        dns_key_free(key(long_line));
}

static void test_whose_file(void **state)
{
        struct dns_key *k;
        const char     *why;

        (void)state;
        check_refused(LINE, 0604, -EPERM);
        check_refused(LINE, 0602, -EPERM);
        check_refused(LINE, 0620, -EPERM);
        assert_int_equal(read_key(&k, LINE, 0640), 0); /* our own group */
        dns_key_free(k);
        assert_int_equal(dns_key_read(&k, "/nowhere/at/all", &why), -ENOENT);
        assert_int_equal(dns_key_read(&k, "/dev/null", &why), -EINVAL);
        assert_int_equal(dns_key_read(&k, "/tmp", &why), -EINVAL);
}

/* RFC 4231, 4.3: key "Jefe". */
static void test_hmac(void **state)
{
        static const struct {
                const char *line;
                size_t      len;
                uint8_t     begin[4];
        } cases[] = {
                {"hmac-sha224:k:SmVmZQ==", 28, {0xa3, 0x0e, 0x01, 0x09}},
                {"hmac-sha256:k:SmVmZQ==", 32, {0x5b, 0xdc, 0xc1, 0x46}},
                {"hmac-sha384:k:SmVmZQ==", 48, {0xaf, 0x45, 0xd2, 0xe3}},
                {"hmac-sha512:k:SmVmZQ==", 64, {0x16, 0x4b, 0x7a, 0x7b}},
        };
        static const struct dns_key_piece pieces[] = {{(const uint8_t *)"what do ya want ", 16},
                                                      {(const uint8_t *)"for nothing?", 12}};

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct dns_key *k = key(cases[i].line);
                struct dns_mac  mac;

                assert_int_equal(dns_key_sign(k, pieces, 2, &mac), 0);
                assert_int_equal(mac.len, cases[i].len);
                assert_memory_equal(mac.b, cases[i].begin, 4);
                dns_key_free(k);
        }
}

/* -- signatures ------------------------------------------------------------ */

struct scene {
        struct dns_key    *key;
        struct dns_message m;
        struct dns_mac     mac;
        int64_t            now_s;
        uint8_t           *answer; /* of ldns's making */
        size_t             len;
        const char        *why;
};

static int setup(void **state)
{
        struct scene      *s   = calloc(1, sizeof(*s));
        struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xC0000201)};

        s->key   = key(LINE);
        s->now_s = time(NULL);
        assert_int_equal(
                dns_message_update(&s->m, 0x1234, "z", "my.z", (struct sockaddr_storage *)&own, true), 0);
        assert_int_equal(dns_tsig_sign(s->key, &s->m, s->now_s, &s->mac), 0);
        *state = s;
        return 0;
}

static int teardown(void **state)
{
        struct scene *s = *state;

        dns_key_free(s->key);
        free(s->answer);
        free(s);
        return 0;
}

/* As ldns keeps a MAC: behind its length. */
static ldns_rdf *mac_of(const struct dns_mac *mac)
{
        uint8_t b[66] = {0, (uint8_t)mac->len};

        memcpy(b + 2, mac->b, mac->len);
        return ldns_rdf_new_frm_data(LDNS_RDF_TYPE_INT16_DATA, mac->len + 2, b);
}

/* The server's answer with @code, signed with @secret (NULL: not). */
static void answer(struct scene *s, uint8_t code, const char *secret)
{
        ldns_pkt *pkt = NULL;
        ldns_rdf *mac = mac_of(&s->mac);

        assert_int_equal(ldns_wire2pkt(&pkt, s->m.b, s->m.len), LDNS_STATUS_OK);
        ldns_rr_free(ldns_pkt_tsig(pkt));
        ldns_pkt_set_tsig(pkt, NULL);
        ldns_pkt_set_qr(pkt, true);
        ldns_pkt_set_rcode(pkt, code);
        if (secret != NULL)
                assert_int_equal(ldns_pkt_tsig_sign(pkt, "some-key.", secret, 300, "hmac-sha256.", mac),
                                 LDNS_STATUS_OK);
        free(s->answer);
        s->answer = NULL;
        assert_int_equal(ldns_pkt2wire(&s->answer, pkt, &s->len), LDNS_STATUS_OK);
        ldns_pkt_free(pkt);
        ldns_rdf_deep_free(mac);
}

static int verify(struct scene *s)
{
        return dns_tsig_verify(s->key, &s->mac, s->answer, s->len, s->now_s, &s->why);
}

static void test_ldns_believes_us(void **state)
{
        struct scene *s   = *state;
        ldns_pkt     *pkt = NULL;

        assert_int_equal(ldns_wire2pkt(&pkt, s->m.b, s->m.len), LDNS_STATUS_OK);
        assert_true(ldns_pkt_tsig_verify(pkt, s->m.b, s->m.len, "some-key.", SECRET, NULL));
        assert_false(ldns_pkt_tsig_verify(pkt, s->m.b, s->m.len, "some-key.", OTHER, NULL));
        ldns_pkt_free(pkt);
}

static void test_we_believe_ldns(void **state)
{
        struct scene *s = *state;

        answer(s, 0, SECRET);
        assert_int_equal(verify(s), 0);
        assert_null(s->why);
        answer(s, 0, OTHER);
        assert_int_equal(verify(s), -EAUTH);
        answer(s, 0, NULL);
        assert_int_equal(verify(s), -EAUTH);
}

static void test_an_answer_to_another(void **state)
{
        struct scene *s = *state;

        answer(s, 0, SECRET);
        s->mac.b[0] ^= 1;
        assert_int_equal(verify(s), -EAUTH);
}

/*
 * No bit of it can be changed, but in the header's id (the signed one is in the signature) and the case of
 * names.
 */
static void test_altered(void **state)
{
        struct scene *s = *state;

        answer(s, 5, SECRET);
        for (size_t i = 2; i < s->len; i++) {
                for (int bit = 0; bit < 8; bit++) {
                        s->answer[i] ^= (uint8_t)(1 << bit);
                        assert_true(verify(s) == -EAUTH || (bit == 5 && isalpha(s->answer[i])));
                        s->answer[i] ^= (uint8_t)(1 << bit);
                }
        }
        for (size_t len = DNS_HEADER; len < s->len; len++)
                assert_int_equal(dns_tsig_verify(s->key, &s->mac, s->answer, len, s->now_s, &s->why), -EAUTH);
}

static void test_time(void **state)
{
        struct scene *s = *state;

        answer(s, 0, SECRET);
        s->now_s = time(NULL) + 299;
        assert_int_equal(verify(s), 0);
        s->now_s = time(NULL) + 302;
        assert_int_equal(verify(s), -EAUTH);
        s->now_s = time(NULL) - 302;
        assert_int_equal(verify(s), -EAUTH);
}

/* What does not fit is refused, not cut. */
static void test_no_room(void **state)
{
        struct scene *s = *state;

        s->m.len = DNS_MESSAGE_MAX - 80;
        assert_int_equal(dns_tsig_sign(s->key, &s->m, 0, &s->mac), -EMSGSIZE);
}

/* -- verdicts -------------------------------------------------------------- */

static void check_verdict(struct scene *s, const struct dns_key *k, uint8_t code, int expected)
{
        int result = 1;

        answer(s, code, k == NULL ? NULL : SECRET);
        assert_true(dns_verdict(k, &s->mac, s->answer, s->len, s->now_s, &result, &s->why));
        assert_int_equal(result, expected);
        assert_int_equal(s->why == NULL, result == 0);
}

static void test_verdicts(void **state)
{
        static const int results[16] = {0,       -EPROTO, -EIO,    -EPROTO, -ENOTSUP, -EPERM,
                                        -EPROTO, -EPROTO, -EPROTO, -EAUTH,  -EINVAL,  -EPROTO,
                                        -EPROTO, -EPROTO, -EPROTO, -EPROTO};
        struct scene    *s           = *state;
        int              result;

        for (uint8_t code = 0; code < 16; code++) {
                check_verdict(s, NULL, code, results[code]);
                check_verdict(s, s->key, code, results[code]);
        }
        answer(s, 0, NULL);
        assert_false(dns_verdict(s->key, &s->mac, s->answer, s->len, s->now_s, &result, &s->why));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_key),
                cmocka_unit_test(test_no_key),
                cmocka_unit_test(test_whose_file),
                cmocka_unit_test(test_hmac),
                cmocka_unit_test_setup_teardown(test_ldns_believes_us, setup, teardown),
                cmocka_unit_test_setup_teardown(test_we_believe_ldns, setup, teardown),
                cmocka_unit_test_setup_teardown(test_an_answer_to_another, setup, teardown),
                cmocka_unit_test_setup_teardown(test_altered, setup, teardown),
                cmocka_unit_test_setup_teardown(test_time, setup, teardown),
                cmocka_unit_test_setup_teardown(test_no_room, setup, teardown),
                cmocka_unit_test_setup_teardown(test_verdicts, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
