/* test_convert.c - messages to plain structs and back, with values out of range, and the names of values. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <ouroboros/errno.h>

#include "pb/convert.h"

static void assert_same_qos(const qosspec_t *a, const qosspec_t *b)
{
        assert_int_equal(a->delay, b->delay);
        assert_true(a->bandwidth == b->bandwidth);
        assert_int_equal(a->availability, b->availability);
        assert_int_equal(a->loss, b->loss);
        assert_int_equal(a->ber, b->ber);
        assert_int_equal(a->in_order, b->in_order);
        assert_int_equal(a->max_gap, b->max_gap);
        assert_int_equal(a->timeout, b->timeout);
}

/* -- QoS ------------------------------------------------------------------- */

static void qos_survives_the_way_through_bytes(void **state)
{
        const qosspec_t *specs[] = {&qos_raw,   &qos_raw_no_errors, &qos_best_effort,
                                    &qos_video, &qos_voice,         &qos_data};

        (void)state;
        for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
                uint8_t   buf[256];
                Irm__Qos  m, *back;
                qosspec_t qs;
                size_t    len;

                pb_qos_put(&m, specs[i]);
                len = pb_pack(&m.base, buf, sizeof(buf));
                assert_int_not_equal(len, 0);
                back = irm__qos__unpack(NULL, len, buf);
                assert_non_null(back);
                assert_int_equal(pb_qos_get(back, &qs), 0);
                assert_same_qos(&qs, specs[i]);
                irm__qos__free_unpacked(back, NULL);
        }
}

static void no_qos_is_raw(void **state)
{
        qosspec_t qs = qos_data;

        (void)state;
        assert_int_equal(pb_qos_get(NULL, &qs), 0);
        assert_same_qos(&qs, &qos_raw);
}

static void qos_that_does_not_fit_is_refused(void **state)
{
        qosspec_t qs = qos_data;
        Irm__Qos  m;

        (void)state;
        pb_qos_put(&m, &qos_raw);
        m.availability = 256;
        assert_int_equal(pb_qos_get(&m, &qs), -EINVAL);
        m.availability = 255;
        m.in_order     = 2;
        assert_int_equal(pb_qos_get(&m, &qs), -EINVAL);
        assert_same_qos(&qs, &qos_data);
        m.in_order = 1;
        assert_int_equal(pb_qos_get(&m, &qs), 0);
        assert_int_equal(qs.availability, 255);
}

/* -- bytes ----------------------------------------------------------------- */

static void packing_stops_at_the_end_of_the_buffer(void **state)
{
        Irm__NameCreate m   = IRM__NAME_CREATE__INIT;
        Irm__Request    req = IRM__REQUEST__INIT;
        uint8_t         buf[64];
        size_t          len;

        (void)state;
        m.name          = (char *)"a.name";
        req.verb_case   = IRM__REQUEST__VERB_NAME_CREATE;
        req.name_create = &m;
        len             = irm__request__get_packed_size(&req);
        buf[len]        = 0xa5;
        assert_int_equal(pb_pack(&req.base, buf, len), len);
        assert_int_equal(buf[len], 0xa5);
        buf[0] = 0xa5;
        assert_int_equal(pb_pack(&req.base, buf, len - 1), 0);
        assert_int_equal(buf[0], 0xa5);
        assert_int_equal(pb_pack(&req.base, buf, 0), 0);
}

/* -- names of values ------------------------------------------------------- */

static void each_value_has_a_name_that_is_read_back(void **state)
{
        enum ipcp_type   type;
        enum hash_algo   algo;
        enum pol_balance lb;

        (void)state;
        for (int i = 0; i < IPCP_INVALID; i++) {
                assert_true(pb_ipcp_type_parse(pb_ipcp_type_name((enum ipcp_type)i), &type));
                assert_int_equal(type, i);
        }
        for (int i = 0; i <= DIR_HASH_SHA3_512; i++) {
                assert_true(pb_hash_parse(pb_hash_name((enum hash_algo)i), &algo));
                assert_int_equal(algo, i);
        }
        for (int i = 0; i < LB_INVALID; i++) {
                assert_true(pb_lb_parse(pb_lb_name((enum pol_balance)i), &lb));
                assert_int_equal(lb, i);
        }
        assert_string_equal(pb_ipcp_type_name(IPCP_ETH_LLC), "eth-llc");
        assert_string_equal(pb_ipcp_state_name(IPCP_OPERATIONAL), "operational");
        assert_string_equal(pb_lb_name(LB_SPILL), "spillover");
        assert_true(pb_hash_parse("sha3_384", &algo));
        assert_int_equal(algo, DIR_HASH_SHA3_384);
}

static void values_out_of_range_have_no_name(void **state)
{
        enum ipcp_type type = IPCP_UDP4;

        (void)state;
        assert_string_equal(pb_ipcp_type_name(IPCP_INVALID), "unknown");
        assert_string_equal(pb_ipcp_type_name((enum ipcp_type) - 1), "unknown");
        assert_string_equal(pb_ipcp_state_name((enum ipcp_state)99), "unknown");
        assert_string_equal(pb_hash_name((enum hash_algo)99), "unknown");
        assert_string_equal(pb_lb_name(LB_INVALID), "unknown");
        assert_false(pb_ipcp_type_parse("", &type));
        assert_false(pb_ipcp_type_parse("loca", &type));
        assert_false(pb_ipcp_type_parse("unknown", &type));
        assert_int_equal(type, IPCP_UDP4);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(qos_survives_the_way_through_bytes),
                cmocka_unit_test(no_qos_is_raw),
                cmocka_unit_test(qos_that_does_not_fit_is_refused),
                cmocka_unit_test(packing_stops_at_the_end_of_the_buffer),
                cmocka_unit_test(each_value_has_a_name_that_is_read_back),
                cmocka_unit_test(values_out_of_range_have_no_name),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
