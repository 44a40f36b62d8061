/*
 * test_oap_memory.c - handshakes while memory runs out: each allocation of a handshake fails once, of ours and of OpenSSL's.
 * The handshake is refused, or goes as if nothing had been (OpenSSL has found another way); never does it end half-way.
 *
 * Ours are caught by the linker (--wrap), OpenSSL's by its own hook.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/crypto.h>

#include "oap/schedule.h"
#include "oap_pair.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);

static long countdown = -1; /* allocations until one fails; negative: none does */

static bool fails(void)
{
        return countdown >= 0 && countdown-- == 0;
}

void *__wrap_malloc(size_t n)
{
        return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
        return fails() ? NULL : __real_calloc(n, size);
}

static void *ssl_malloc(size_t n, const char *file, int line)
{
        (void)file;
        (void)line;
        return fails() ? NULL : __real_malloc(n);
}

static void *ssl_realloc(void *p, size_t n, const char *file, int line)
{
        (void)file;
        (void)line;
        return fails() ? NULL : realloc(p, n);
}

static void ssl_free(void *p, const char *file, int line)
{
        (void)file;
        (void)line;
        free(p);
}

/* -- one failure in a handshake ------------------------------------------------- */

static const struct stance mutual = {
        .sign = true, .demand = true, .suites = SUITE_BIT(SUITE_X25519), .suite = SUITE_X25519};
static const struct stance plain = {.suites = SUITE_BIT(SUITE_PLAIN), .suite = SUITE_PLAIN};

struct scene {
        struct host          client, server;
        const struct stance *st;
        struct pair          p;
};

static struct oap_context context(void)
{
        return (struct oap_context){.dst = PAIR_NAME};
}

static struct oap_client *make_client(const struct scene *s)
{
        static const uint8_t   id[OAP_ID] = {1};
        struct oap_client_conf conf       = {.ctx      = context(),
                                             .stance   = *s->st,
                                             .creds    = s->client.creds,
                                             .identity = creds_client(s->client.creds, "alice"),
                                             .chains   = s->p.chains[0],
                                             .id       = id,
                                             .data     = (const uint8_t *)"data",
                                             .data_len = 4};

        if (s->st->suite != SUITE_PLAIN) {
                conf.kex = kex_client(s->st->suite);
                if (conf.kex == NULL)
                        return NULL;
        }
        return oap_client_create(&conf);
}

static struct oap_server *make_server(const struct scene *s)
{
        struct oap_server_conf conf = {.ctx      = context(),
                                       .stance   = *s->st,
                                       .creds    = s->server.creds,
                                       .identity = creds_server(s->server.creds, PAIR_NAME),
                                       .chains   = s->p.chains[1]};

        return oap_server_create(&conf);
}

static enum oap_reason serve(struct scene *s, struct oap_server *o, struct span request,
                             struct span *response)
{
        enum oap_reason r = oap_server_begin(o, request.p, request.len, s->p.replay, 1, PKI_NOW_NS);
        int64_t         keep;

        if (r == OAP_OK)
                r = oap_server_verify(o, PKI_NOW_NS);
        if (r == OAP_OK)
                r = oap_server_admit(o, s->p.replay, PKI_NOW_NS, &keep);
        if (r == OAP_OK)
                r = oap_server_give_kex(o, s->st->suite == SUITE_PLAIN ? NULL : kex_server(s->st->suite));
        if (r == OAP_OK)
                r = oap_server_agree(o);
        if (r == OAP_OK)
                r = oap_server_sign(o, (const uint8_t *)"data", 4, PKI_NOW_NS);
        return r == OAP_OK ? oap_server_respond(o, response) : r;
}

static enum oap_reason handshake(struct scene *s, struct oap_client *c, struct oap_server *o)
{
        struct span     request, response = {NULL, 0};
        enum oap_reason r = oap_client_request(c, PKI_NOW_NS, &request);

        if (r == OAP_OK)
                r = serve(s, o, request, &response);
        assert_true(o == NULL || (oap_server_keys(o) != NULL) == (response.len > 0));
        if (r == OAP_OK)
                r = oap_client_response(c, response.p, response.len, PKI_NOW_NS);
        assert_int_equal(oap_client_keys(c) != NULL, r == OAP_OK);
        if (r == OAP_OK)
                assert_memory_equal(oap_client_keys(c)->c2s, oap_server_keys(o)->c2s, RECORD_SECRET);
        return r;
}

/* The allocation @n, counted from the beginning, fails. Whether there was one. */
static bool try(struct scene *s, long n, long *completed)
{
        struct oap_client *c;
        struct oap_server *o;

        s->p.replay = replay_create(16, 1, PKI_NOW_NS, 1);
        countdown   = n;
        c           = make_client(s);
        o           = make_server(s);
        if (c != NULL && o != NULL && handshake(s, c, o) == OAP_OK)
                ++*completed;
        n         = countdown;
        countdown = -1;
        oap_client_destroy(c);
        oap_server_destroy(o);
        replay_destroy(s->p.replay);
        return n < 0;
}

static void run_out(const struct stance *st)
{
        static const struct host_spec spec = {.credentials = true, .anchors = true, .key = PKI_ED25519};
        struct scene                  s    = {.st = st};
        long                          n, completed = 0;

        host_open(&s.client, ROLE_CLIENT, &spec);
        host_open(&s.server, ROLE_SERVER, &spec);
        s.p.chains[0] = chains_create(4);
        s.p.chains[1] = chains_create(4);
        assert_false(try(&s, 1000000,
                         &completed)); /* what is fetched once is there now, and the chains are known */
        assert_int_equal(completed, 1);
        for (n = 0; try(&s, n, &completed); n++)
                ;
        assert_true(n > 8 && completed < n);
        chains_destroy(s.p.chains[0]);
        chains_destroy(s.p.chains[1]);
        host_close(&s.client);
        host_close(&s.server);
}

static void test_handshakes(void **state)
{
        (void)state;
        run_out(&mutual);
        run_out(&plain);
}

static void test_replay(void **state)
{
        struct replay *r;
        long           n = 0;

        (void)state;
        do {
                countdown = n++;
                r         = replay_create(16, 1, PKI_NOW_NS, 1);
                countdown = -1;
                assert_int_equal(r != NULL, n == 7);
                replay_destroy(r);
        } while (r == NULL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_handshakes),
                cmocka_unit_test(test_replay),
        };

        if (CRYPTO_set_mem_functions(ssl_malloc, ssl_realloc, ssl_free) != 1)
                return 1;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
