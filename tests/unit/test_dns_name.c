/* test_dns_name.c - how the hash of a name is written in DNS: the examples of RFC 4648 and the labels. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "ipcpd/udp/dns_name.h"

static char text[DNS_NAME_MAX + 1];

static const char *name(const char *hash, const char *zone)
{
        assert_int_equal(dns_name(text, (const uint8_t *)hash, strlen(hash), zone), 0);
        return text;
}

static void test_examples_of_the_rfc(void **state)
{
        (void)state;
        assert_string_equal(name("f", "z"), "my.z");
        assert_string_equal(name("fo", "z"), "mzxq.z");
        assert_string_equal(name("foo", "z"), "mzxw6.z");
        assert_string_equal(name("foob", "z"), "mzxw6yq.z");
        assert_string_equal(name("fooba", "z"), "mzxw6ytb.z");
        assert_string_equal(name("foobar", "z"), "mzxw6ytboi.z");
}

/* Digits of a hash of @len bytes up to the first dot, between the first and the second, … */
static void check_labels(size_t len, size_t first, size_t second)
{
        uint8_t     hash[64];
        const char *p = text;

        memset(hash, 0xFF, sizeof(hash));
        assert_int_equal(dns_name(text, hash, len, "ouroboros.internal"), 0);
        assert_int_equal(strcspn(p, "."), first);
        p += first + 1;
        if (second > 0) {
                assert_int_equal(strcspn(p, "."), second);
                p += second + 1;
        }
        assert_string_equal(p, "ouroboros.internal");
}

static void test_labels(void **state)
{
        (void)state;
        check_labels(28, 45, 0);
        check_labels(32, 52, 0);
        check_labels(37, 60, 0); /* 59.2: the last digit is of one bit */
        check_labels(38, 60, 1);
        check_labels(48, 60, 17);
        check_labels(64, 60, 43);
}

static void test_longest(void **state)
{
        uint8_t hash[64] = {0};
        char    zone[DNS_NAME_MAX + 1];
        size_t  fits = DNS_NAME_MAX - 103 - 2;

        (void)state;
        memset(zone, 'z', sizeof(zone));
        zone[fits] = 0;
        assert_int_equal(dns_name(text, hash, sizeof(hash), zone), 0);
        assert_int_equal(strlen(text), DNS_NAME_MAX);
        zone[fits]     = 'z';
        zone[fits + 1] = 0;
        assert_int_equal(dns_name(text, hash, sizeof(hash), zone), -ENAMETOOLONG);
        assert_string_equal(text, "");
        assert_int_equal(dns_name(text, hash, SIZE_MAX / 16, "z"), -ENAMETOOLONG);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_examples_of_the_rfc),
                cmocka_unit_test(test_labels),
                cmocka_unit_test(test_longest),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
