/* test_dns_message.c - what is said in DNS, byte by byte, and answers as a hostile server would give them. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "ipcpd/udp/dns_message.h"
#include "wire/cursor.h"

#define ID 0x1234

/* "my.z": the name that is asked for in all that follows. */
#define NAME "\2my\1z\0"

enum { A = 1, CNAME = 5, AAAA = 28, IN = 1 };

static struct sockaddr_storage address(const char *s)
{
        struct sockaddr_storage a    = {0};
        struct sockaddr_in     *sin  = (struct sockaddr_in *)&a;
        struct sockaddr_in6    *sin6 = (struct sockaddr_in6 *)&a;

        if (inet_pton(AF_INET, s, &sin->sin_addr) == 1) {
                a.ss_family = AF_INET;
        } else {
                assert_int_equal(inet_pton(AF_INET6, s, &sin6->sin6_addr), 1);
                a.ss_family = AF_INET6;
        }
        return a;
}

static void check_bytes(const struct dns_message *m, const char *expected, size_t len)
{
        assert_int_equal(m->len, len);
        assert_memory_equal(m->b, expected, len);
}

#define CHECK_BYTES(m, s) check_bytes(m, s, sizeof(s) - 1)

/* -- what we say ----------------------------------------------------------- */

static void test_find(void **state)
{
        struct dns_message m;

        (void)state;
        assert_int_equal(dns_message_find(&m, ID, "my.z", AF_INET), 0);
        CHECK_BYTES(&m, "\x12\x34\1\0\0\1\0\0\0\0\0\0" NAME "\0\1\0\1");
        assert_int_equal(m.question, 10);
        assert_int_equal(dns_message_find(&m, ID, "my.z", AF_INET6), 0);
        CHECK_BYTES(&m, "\x12\x34\1\0\0\1\0\0\0\0\0\0" NAME "\0\x1c\0\1");
        assert_int_equal(dns_message_find(&m, ID, "my..z", AF_INET), -EINVAL);
}

/*
 * RFC 2136, 2.5.1: class IN and the TTL; 2.5.4: class NONE and none. The name points into the zone section.
 */
static void test_update(void **state)
{
        struct sockaddr_storage own4 = address("192.0.2.1"), own6 = address("2001:db8::1");
        struct dns_message      m;

        (void)state;
        assert_int_equal(dns_message_update(&m, ID, "z", "my.z", &own4, true), 0);
        CHECK_BYTES(&m, "\x12\x34\x28\0\0\1\0\0\0\1\0\0"
                        "\1z\0\0\6\0\1"
                        "\2my\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1");
        assert_int_equal(m.question, 7);
        assert_int_equal(dns_message_update(&m, ID, "z", "my.z", &own4, false), 0);
        CHECK_BYTES(&m, "\x12\x34\x28\0\0\1\0\0\0\1\0\0"
                        "\1z\0\0\6\0\1"
                        "\2my\xc0\x0c\0\1\0\xfe\0\0\0\0\0\4\xc0\0\2\1");
        assert_int_equal(dns_message_update(&m, ID, "z", "my.z", &own6, true), 0);
        CHECK_BYTES(&m, "\x12\x34\x28\0\0\1\0\0\0\1\0\0"
                        "\1z\0\0\6\0\1"
                        "\2my\xc0\x0c\0\x1c\0\1\0\0\0\x3c\0\x10\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1");
        assert_int_equal(dns_message_update(&m, ID, "z..", "my.z", &own4, true), -EINVAL);
        assert_int_equal(dns_message_update(&m, ID, "z", "my..z", &own4, true), -EINVAL);
}

/* -- what we hear ---------------------------------------------------------- */

static bool fits(const struct dns_message *m, size_t at, uint8_t byte)
{
        uint8_t p[DNS_MESSAGE_MAX];

        memcpy(p, m->b, m->len);
        p[2] |= 0x80;
        p[at] = byte;
        return dns_message_fits(m, p, m->len);
}

static void test_fits(void **state)
{
        struct dns_message m;

        (void)state;
        assert_int_equal(dns_message_find(&m, ID, "my.z", AF_INET), 0);
        assert_true(fits(&m, 2, 0x84));
        assert_true(fits(&m, 3, 3));                /* NXDOMAIN      */
        assert_false(fits(&m, 2, 0x04));            /* a question    */
        assert_false(fits(&m, 2, 0x84 | 1 << 3));   /* other opcode  */
        assert_false(fits(&m, 0, 0x13));            /* other id      */
        assert_false(fits(&m, 1, 0x35));            /* other id      */
        assert_false(fits(&m, 5, 0));               /* no question   */
        assert_false(fits(&m, 5, 2));               /* two           */
        assert_false(fits(&m, 4, 1));               /* many          */
        for (size_t i = DNS_HEADER; i < m.len; i++) /* another one   */
                assert_false(fits(&m, i, m.b[i] ^ 0x20));
        for (size_t len = 0; len < m.len; len++)
                assert_false(dns_message_fits(&m, m.b, len));
}

static void test_fits_an_update(void **state)
{
        struct sockaddr_storage own = address("192.0.2.1");
        struct dns_message      m;

        (void)state;
        assert_int_equal(dns_message_update(&m, ID, "z", "my.z", &own, true), 0);
        assert_true(fits(&m, 2, 0xa8));
        assert_true(fits(&m, 5, 0)); /* without what it answers */
        assert_false(fits(&m, 2, 0x80));
        assert_false(fits(&m, DNS_HEADER + 1, 'y'));
}

struct answer {
        struct wr w;
        uint16_t  records;
        uint16_t  type;
        uint8_t   p[4096];
};

static void put(struct answer *a, const void *p, size_t len)
{
        for (size_t i = 0; i < len; i++)
                wr_be(&a->w, ((const uint8_t *)p)[i], 1);
}

static void begin(struct answer *a, uint16_t type)
{
        a->w       = (struct wr){a->p, a->p + sizeof(a->p), false};
        a->records = 0;
        a->type    = type;
        put(a, "\x12\x34\x84\0\0\1\0\0\0\0\0\0" NAME, 18);
        wr_be(&a->w, type, 2);
        wr_be(&a->w, IN, 2);
}

/* @owner is a name as it is on the wire. */
static void record(struct answer *a, const char *owner, size_t owner_len, uint16_t type, uint16_t class,
                   const void *rdata, size_t len)
{
        put(a, owner, owner_len);
        wr_be(&a->w, type, 2);
        wr_be(&a->w, class, 2);
        wr_be(&a->w, 60, 4);
        wr_be(&a->w, len, 2);
        put(a, rdata, len);
        a->p[7] = (uint8_t)++a->records;
}

#define POINTER "\xc0\x0c"

static void host(struct answer *a, const char *text)
{
        struct sockaddr_storage s = address(text);

        if (s.ss_family == AF_INET)
                record(a, POINTER, 2, A, IN, &((struct sockaddr_in *)&s)->sin_addr, 4);
        else
                record(a, POINTER, 2, AAAA, IN, &((struct sockaddr_in6 *)&s)->sin6_addr, 16);
}

static int hosts_of(const struct answer *a, struct sockaddr_storage hosts[16])
{
        assert_false(a->w.bad);
        return dns_message_hosts(a->p, (size_t)(a->w.p - a->p), hosts, 16);
}

static void check_host(const struct sockaddr_storage *got, const char *text)
{
        struct sockaddr_storage want = address(text);

        assert_memory_equal(got, &want, sizeof(want));
}

static void test_hosts(void **state)
{
        struct sockaddr_storage hosts[16];
        struct answer           a;

        (void)state;
        begin(&a, A);
        assert_int_equal(hosts_of(&a, hosts), 0);
        host(&a, "192.0.2.2");
        record(&a, "\2MY\1Z\0", 6, A, IN, "\xc0\0\2\1", 4);
        assert_int_equal(hosts_of(&a, hosts), 2);
        check_host(&hosts[0], "192.0.2.2");
        check_host(&hosts[1], "192.0.2.1");
        begin(&a, AAAA);
        host(&a, "2001:db8::1");
        host(&a, "192.0.2.2"); /* was not asked for */
        assert_int_equal(hosts_of(&a, hosts), 1);
        check_host(&hosts[0], "2001:db8::1");
}

static void test_what_is_none(void **state)
{
        static const char *const no4[] = {"0.0.0.0", "0.1.2.3", "224.0.0.1", "255.255.255.255"};
        static const char *const no6[] = {"::", "ff02::1", "::ffff:192.0.2.1"};
        struct sockaddr_storage  hosts[16];
        struct answer            a;

        (void)state;
        begin(&a, A);
        for (size_t i = 0; i < 4; i++)
                host(&a, no4[i]);
        record(&a, POINTER, 2, CNAME, IN, "\1x\xc0\x0f", 4);
        record(&a, "\1x\xc0\x0f", 4, A, IN, "\xc0\0\2\1", 4); /* of the name that the CNAME leads to */
        record(&a, POINTER, 2, A, 3, "\xc0\0\2\1", 4);        /* class CH */
        host(&a, "192.0.2.7");
        host(&a, "192.0.2.7");
        assert_int_equal(hosts_of(&a, hosts), 1);
        check_host(&hosts[0], "192.0.2.7");
        begin(&a, AAAA);
        for (size_t i = 0; i < 3; i++)
                host(&a, no6[i]);
        assert_int_equal(hosts_of(&a, hosts), 0);
}

static void test_many(void **state)
{
        struct sockaddr_storage hosts[16];
        struct answer           a;

        (void)state;
        begin(&a, A);
        for (uint8_t i = 1; i <= 40; i++)
                record(&a, POINTER, 2, A, IN, (uint8_t[]){192, 0, 2, i}, 4);
        assert_int_equal(hosts_of(&a, hosts), 16);
        check_host(&hosts[15], "192.0.2.16");
}

static void test_malformed(void **state)
{
        struct sockaddr_storage hosts[16];
        struct answer           a;
        size_t                  len;

        (void)state;
        begin(&a, A);
        host(&a, "192.0.2.1");
        host(&a, "192.0.2.2");
        len = (size_t)(a.w.p - a.p);
        for (size_t n = DNS_HEADER + 10; n < len; n++)
                assert_int_equal(dns_message_hosts(a.p, n, hosts, 16), -EPROTO);
        a.p[6] = 0xFF; /* 65,282 records */
        assert_int_equal(hosts_of(&a, hosts), -EPROTO);
        begin(&a, A);
        record(&a, "\xc0\x16", 2, A, IN, "\xc0\0\2\1", 4); /* a name that points to itself */
        assert_int_equal(hosts_of(&a, hosts), -EPROTO);
        begin(&a, A);
        record(&a, POINTER, 2, A, IN, "\xc0\0\2\1\1", 5);
        assert_true(hosts_of(&a, hosts) <= 1);
        begin(&a, A);
        record(&a, POINTER, 2, A, IN, "\xc0\0\2", 3);
        assert_int_not_equal(hosts_of(&a, hosts), 1);
}

static void test_flags(void **state)
{
        (void)state;
        assert_true(dns_message_cut((const uint8_t *)"\0\0\x82\0\0\0\0\0\0\0\0\0"));
        assert_false(dns_message_cut((const uint8_t *)"\0\0\x85\xff\0\0\0\0\0\0\0\0"));
        assert_int_equal(dns_message_code((const uint8_t *)"\0\0\x80\xf9\0\0\0\0\0\0\0\0"), 9);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_find),  cmocka_unit_test(test_update),
                cmocka_unit_test(test_fits),  cmocka_unit_test(test_fits_an_update),
                cmocka_unit_test(test_hosts), cmocka_unit_test(test_what_is_none),
                cmocka_unit_test(test_many),  cmocka_unit_test(test_malformed),
                cmocka_unit_test(test_flags),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
