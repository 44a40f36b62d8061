/*
 * test_oap_vectors.c - the known answers of tests/vectors/oap.json, which another implementation has computed: every value
 * of the key schedule, what is signed, sealed bodies, and whole handshakes of the engines, byte for byte in plain.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>

#include "oap/schedule.h"
#include "oap/sign.h"
#include "pki.h"

#define BYTES_MAX 4096u

struct bytes {
        uint8_t at[BYTES_MAX];
        size_t  len;
};

static json_t *all;

/* -- values of the file ------------------------------------------------------ */

static unsigned nibble(char c)
{
        return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* The value @key of @of; empty where there is none. */
static struct bytes get(const json_t *of, const char *key)
{
        const char  *hex = json_string_value(json_object_get(of, key));
        struct bytes b   = {.len = hex == NULL ? 0 : strlen(hex) / 2};

        assert_true(b.len <= BYTES_MAX);
        for (size_t i = 0; i < b.len; i++)
                b.at[i] = (uint8_t)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
        return b;
}

static int64_t number(const json_t *of, const char *key)
{
        return json_integer_value(json_object_get(of, key));
}

static struct span span_of(const struct bytes *b)
{
        return (struct span){b->at, b->len};
}

static void check(const json_t *of, const char *key, const void *got, size_t len)
{
        struct bytes b = get(of, key);

        if (b.len != len || memcmp(b.at, got, len) != 0)
                fail_msg("%s is another", key);
}

static struct oap_context context(void)
{
        struct oap_context c   = {.dst = json_string_value(json_object_get(all, "name"))};
        struct bytes       qos = get(all, "qos");

        assert_int_equal(qos.len, sizeof(c.qos));
        memcpy(c.qos, qos.at, qos.len);
        return c;
}

/* -- the key schedule ----------------------------------------------------------- */

static void check_sealed(const json_t *v, const struct schedule *k, const struct bytes *head)
{
        struct bytes response = get(v, "response"), clear = get(v, "response_body"), out = {.len = 0};
        struct span  sealed = {response.at + head->len, response.len - head->len};

        assert_int_equal(schedule_open(k, span_of(head), sealed, out.at), 0);
        assert_memory_equal(out.at, clear.at, clear.len);
        assert_int_equal(schedule_seal(k, span_of(head), span_of(&clear), out.at), 0);
        assert_memory_equal(out.at, sealed.p, sealed.len);
        response.at[response.len - 1] ^= 1;
        assert_int_equal(schedule_open(k, span_of(head), sealed, out.at), -EBADMSG);
}

static void check_schedule(const json_t *v)
{
        struct bytes    ctx = get(v, "ctx"), request = get(v, "request_hash"), z = get(v, "z");
        struct bytes    head = get(v, "response_head"), clear = get(v, "response_body");
        struct schedule k;
        struct oap_keys keys;

        if (z.len == 0)
                return;
        assert_int_equal(schedule_begin(&k, ctx.at, request.at, span_of(&head), z.at, z.len), 0);
        check(v, "th1", k.th1, sizeof(k.th1));
        check(v, "prk", k.prk, sizeof(k.prk));
        check(v, "reply", k.reply, sizeof(k.reply));
        assert_int_equal(schedule_finish(&k, span_of(&clear), &keys), 0);
        check(v, "c2s", keys.c2s, sizeof(keys.c2s));
        check(v, "s2c", keys.s2c, sizeof(keys.s2c));
        check_sealed(v, &k, &head);
}

static void test_schedule(void **state)
{
        struct oap_context c = context();
        uint8_t            ctx[SHA384_LEN], request[SHA384_LEN];
        char               name[257];
        const json_t      *v;
        size_t             i;

        (void)state;
        memset(name, 'n', sizeof(name));
        name[256] = '\0';
        assert_int_equal(schedule_context(ctx, &(struct oap_context){.dst = name}), -EINVAL);
        assert_int_equal(schedule_context(ctx, &(struct oap_context){.dst = ""}), -EINVAL);
        assert_int_equal(schedule_context(ctx, &c), 0);
        json_array_foreach(json_object_get(all, "cases"), i, v)
        {
                struct bytes whole = get(v, "request");

                check(v, "ctx", ctx, sizeof(ctx));
                sha384(request, (struct piece[]){{whole.at, whole.len}}, 1);
                check(v, "request_hash", request, sizeof(request));
                check_schedule(v);
        }
        assert_int_equal(i, 9);
}

/* -- signatures -------------------------------------------------------------------- */

static X509 *certificate(const json_t *of, const char *key)
{
        struct bytes   der = get(of, key);
        const uint8_t *p   = der.at;
        X509          *x   = d2i_X509(NULL, &p, (long)der.len);

        assert_non_null(x);
        return x;
}

static void check_signature(const char *who, const struct signed_text *t, struct span sig)
{
        X509 *x = certificate(json_object_get(all, who), "cert");

        assert_true(sign_verify(X509_get0_pubkey(x), t->bytes, t->len, sig.p, sig.len));
        X509_free(x);
}

static void check_client_signs(const json_t *v)
{
        struct bytes       ctx = get(v, "ctx"), request = get(v, "request");
        struct signed_text t;
        struct oap_header  h;
        struct oap_body    b;
        struct span        kex, body;

        assert_true(oap_header_get(request.at, request.len, OAP_REQUEST, &h, &kex, &body));
        assert_int_equal(h.suite, number(v, "suite"));
        assert_true(h.timestamp_ns == number(v, "request_timestamp"));
        assert_true(oap_body_get(body, h.auth, &b));
        check(v, "request_data", b.data.p, b.data.len);
        if (!h.auth)
                return;
        assert_int_equal(schedule_client_text(&t, ctx.at, (struct span){request.at, request.len - b.sig.len}),
                         0);
        check(v, "client_signs", t.bytes, t.len);
        check_signature("client", &t, b.sig);
}

static void check_server_signs(const json_t *v)
{
        struct bytes       ctx = get(v, "ctx"), request = get(v, "request_hash");
        struct bytes       head = get(v, "response_head"), clear = get(v, "response_body");
        struct signed_text t;
        struct oap_body    b;
        bool               auth = get(v, "server_signs").len > 0;

        assert_true(oap_body_get(span_of(&clear), auth, &b));
        check(v, "response_data", b.data.p, b.data.len);
        if (!auth)
                return;
        assert_int_equal(schedule_server_text(&t, ctx.at, request.at, span_of(&head),
                                              (struct span){clear.at, clear.len - b.sig.len}),
                         0);
        check(v, "server_signs", t.bytes, t.len);
        check_signature("server", &t, b.sig);
}

static void test_signatures(void **state)
{
        const json_t *v;
        size_t        i;

        (void)state;
        json_array_foreach(json_object_get(all, "cases"), i, v)
        {
                check_client_signs(v);
                check_server_signs(v);
        }
}

/* -- engines ------------------------------------------------------------------------- */

/* The credentials of both hosts, in one tree. */
static const struct creds *credentials(char **dir)
{
        static const char *const who[] = {"server", "client"};
        struct pki_cert middle = {certificate(all, "middle"), NULL}, root = {certificate(all, "root"), NULL};
        const struct pki_cert *m = &middle, *r = &root;
        const struct creds    *c;

        *dir = pki_dir();
        pki_write_certs(*dir, "cacert/root.pem", &r, 1);
        for (size_t i = 0; i < 2; i++) {
                const json_t   *of   = json_object_get(all, who[i]);
                struct bytes    pk8  = get(of, "key");
                const uint8_t  *p    = pk8.at;
                struct pki_cert leaf = {certificate(of, "cert"), d2i_AutoPrivateKey(NULL, &p, (long)pk8.len)};

                pki_write_identity(*dir, i == 0 ? "server/time.example" : "client/default", &leaf, &m, 1);
                pki_free(&leaf);
        }
        pki_free(&middle);
        pki_free(&root);
        c = creds_read(*dir, NULL, NULL, NULL);
        assert_non_null(c);
        return c;
}

static struct oap_server *server_for(const json_t *v, const struct creds *c)
{
        struct bytes           request = get(v, "request");
        int64_t                now_ns  = number(v, "request_timestamp"), keep_ns;
        struct replay         *replay  = replay_create(16, 1, now_ns, 1);
        struct oap_server_conf conf    = {
                   .ctx = context(), .creds = c, .identity = creds_server(c, "time.example")};
        struct oap_server *s;

        conf.stance.sign   = get(v, "server_signs").len > 0;
        conf.stance.suites = SUITE_BIT(number(v, "suite"));
        s                  = oap_server_create(&conf);
        assert_int_equal(oap_server_begin(s, request.at, request.len, replay, 1, now_ns), OAP_OK);
        assert_int_equal(oap_server_verify(s, now_ns), OAP_OK);
        assert_int_equal(oap_server_admit(s, replay, now_ns, &keep_ns), OAP_OK);
        replay_destroy(replay);
        return s;
}

/* The server's engine takes the request of every case for what it is. */
static void test_requests_are_accepted(void **state)
{
        char               *dir;
        const struct creds *c = credentials(&dir);
        const json_t       *v;
        size_t              i;

        (void)state;
        json_array_foreach(json_object_get(all, "cases"), i, v)
        {
                struct oap_server *s    = server_for(v, c);
                struct span        data = oap_server_data(s);

                check(v, "request_data", data.p, data.len);
                check(v, "id", oap_server_facts(s)->id, OAP_ID);
                assert_int_equal(oap_server_peer(s) != NULL, get(v, "client_signs").len > 0);
                if (oap_server_peer(s) != NULL)
                        assert_string_equal(oap_server_peer(s)->identity, "email:alice@example");
                oap_server_destroy(s);
        }
        creds_unref(c);
        pki_dir_remove(dir);
}

static void check_plain_response(const json_t *v, const struct creds *c)
{
        struct oap_server *s    = server_for(v, c);
        struct bytes       data = get(v, "response_data");
        struct span        response;

        assert_int_equal(oap_server_give_kex(s, NULL), OAP_OK);
        assert_int_equal(oap_server_agree(s), OAP_OK);
        assert_int_equal(oap_server_sign(s, data.at, data.len, number(v, "response_timestamp")), OAP_OK);
        assert_int_equal(oap_server_respond(s, &response), OAP_OK);
        check(v, "response", response.p, response.len);
        oap_server_destroy(s);
}

static void check_plain_request(const json_t *v, const struct creds *c)
{
        struct bytes id = get(v, "id"), data = get(v, "request_data"), response = get(v, "response");
        struct oap_client_conf conf = {.ctx      = context(),
                                       .creds    = c,
                                       .identity = creds_client(c, "alice"),
                                       .id       = id.at,
                                       .data     = data.at,
                                       .data_len = data.len};
        struct oap_client     *o;
        struct span            request;

        conf.stance.sign   = get(v, "client_signs").len > 0;
        conf.stance.demand = get(v, "server_signs").len > 0;
        o                  = oap_client_create(&conf);
        assert_int_equal(oap_client_request(o, number(v, "request_timestamp"), &request), OAP_OK);
        check(v, "request", request.p, request.len);
        assert_int_equal(oap_client_response(o, response.at, response.len, number(v, "request_timestamp")),
                         OAP_OK);
        check(v, "response_data", oap_client_data(o).p, oap_client_data(o).len);
        oap_client_destroy(o);
}

/* Without an ephemeral key the engines have no choice: their messages are those of the file. */
static void test_plain_handshakes(void **state)
{
        char               *dir;
        const struct creds *c = credentials(&dir);
        const json_t       *v;
        size_t              i, n = 0;

        (void)state;
        json_array_foreach(json_object_get(all, "cases"), i, v)
        {
                if (number(v, "suite") != SUITE_PLAIN)
                        continue;
                check_plain_request(v, c);
                check_plain_response(v, c);
                n++;
        }
        assert_int_equal(n, 3);
        creds_unref(c);
        pki_dir_remove(dir);
}

static int load(void **state)
{
        (void)state;
        all = json_load_file(O7S_SOURCE_DIR "/tests/vectors/oap.json", 0, NULL);
        return all == NULL;
}

static int unload(void **state)
{
        (void)state;
        json_decref(all);
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_schedule),
                cmocka_unit_test(test_signatures),
                cmocka_unit_test(test_requests_are_accepted),
                cmocka_unit_test(test_plain_handshakes),
        };

        return cmocka_run_group_tests(tests, load, unload);
}
