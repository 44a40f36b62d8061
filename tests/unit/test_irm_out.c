/* test_irm_out.c - what irm prints: aligned tables, one line of JSON, text from others made harmless. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "irm/cmd.h"
#include "irm/lists.h"
#include "irm/out.h"

/* -- standard output into memory ------------------------------------------- */

static int  real_stdout, memory;
static char printed[4096];

static void catch_output(void)
{
        fflush(stdout);
        real_stdout = dup(STDOUT_FILENO);
        memory      = memfd_create("stdout", MFD_CLOEXEC);
        assert_true(dup2(memory, STDOUT_FILENO) >= 0);
}

static void release_output(void)
{
        ssize_t n;

        fflush(stdout);
        assert_true(dup2(real_stdout, STDOUT_FILENO) >= 0);
        n = pread(memory, printed, sizeof(printed) - 1, 0);
        assert_true(n >= 0);
        printed[n] = '\0';
        close(real_stdout);
        close(memory);
}

/* -- tables ---------------------------------------------------------------- */

static const struct column columns[] = {
        {"NAME", "name", NULL},          {"N", "n", NULL},       {"LIST", "list", NULL},
        {"HOW MANY", "list", out_count}, {"LAST", "last", NULL}, {NULL, NULL, NULL},
};

static json_t *rows(void)
{
        return json_pack("[{s:s, s:i, s:[s, s], s:s}, {s:s, s:i, s:[], s:s}, {s:s, s:i, s:[i], s:s}]", "name",
                         "short", "n", 5, "list", "x", "y", "last", "a", "name", "a-longer-name", "n", 12345,
                         "list", "last", "bb", "name", "\xc3\xa4\xc3\xb6\xc3\xbc", "n", 0, "list", 7, "last",
                         "");
}

static void a_table_is_aligned(void **state)
{
        const struct args a = {0};

        (void)state;
        catch_output();
        assert_int_equal(out_rows(&a, rows(), columns), EXIT_DONE);
        release_output();
        assert_string_equal(printed, "NAME               N  LIST  HOW MANY  LAST\n"
                                     "short              5  x, y  2         a\n"
                                     "a-longer-name  12345  -     0         bb\n"
                                     "\xc3\xa4\xc3\xb6\xc3\xbc                0  7     1         -\n");
}

static void an_empty_table_has_its_head(void **state)
{
        const struct args a = {0};

        (void)state;
        catch_output();
        assert_int_equal(out_rows(&a, json_array(), columns), EXIT_DONE);
        release_output();
        assert_string_equal(printed, "NAME  N  LIST  HOW MANY  LAST\n");
}

static void json_is_one_line(void **state)
{
        const struct args a = {.json = true};

        (void)state;
        catch_output();
        assert_int_equal(out_rows(&a, json_pack("[{s:s}, {s:i}]", "a", "b", "c", 1), columns), EXIT_DONE);
        assert_int_equal(out_done(&a, json_pack("{s:b}", "done", 1)), EXIT_DONE);
        release_output();
        assert_string_equal(printed, "[{\"a\": \"b\"}, {\"c\": 1}]\n{\"done\": true}\n");
}

static void what_is_done_is_not_told_to_people(void **state)
{
        const struct args a = {0};

        (void)state;
        catch_output();
        assert_int_equal(out_done(&a, json_object()), EXIT_DONE);
        release_output();
        assert_string_equal(printed, "");
}

static void an_object_is_a_line_for_each_value(void **state)
{
        const struct args a = {0};

        (void)state;
        catch_output();
        assert_int_equal(out_object(&a, json_pack("{s:s, s:i}", "name", "x", "n", 7), columns), EXIT_DONE);
        release_output();
        assert_string_equal(printed, "NAME      x\nN         7\nLIST      -\nHOW MANY  0\nLAST      -\n");
}

/* -- values ---------------------------------------------------------------- */

static void assert_duration(json_int_t ms, const char *text)
{
        json_t *v = json_integer(ms);
        char   *s = out_duration(v);

        assert_string_equal(s, text);
        free(s);
        json_decref(v);
}

static void durations_are_readable(void **state)
{
        (void)state;
        assert_duration(0, "0.000s");
        assert_duration(59999, "59.999s");
        assert_duration(60000, "1m00s");
        assert_duration(3599999, "59m59s");
        assert_duration(3600000, "1h00m");
        assert_duration(86399999, "23h59m");
        assert_duration(86400000, "1d00h");
        assert_duration(INT64_C(31536000000000), "365000d00h");
}

static void assert_text(const char *s, const char *clean)
{
        json_t *v = out_text(s);

        assert_string_equal(json_string_value(v), clean);
        json_decref(v);
}

static void text_of_others_is_harmless(void **state)
{
        (void)state;
        assert_text("", "");
        assert_text("plain 'text' \xe2\x82\xac", "plain 'text' \xe2\x82\xac");
        assert_text("\033[31mred", "\\x1b[31mred");
        assert_text("not \xff utf", "not \\xff utf");
        assert_text("\xc2\x9b", "\\xc2\\x9b"); /* a C1 control */
}

static void bytes_are_digits(void **state)
{
        static const uint8_t bytes[] = {0x00, 0x9f, 0xff};
        json_t              *v       = out_hex(bytes, sizeof(bytes));

        (void)state;
        assert_string_equal(json_string_value(v), "009fff");
        json_decref(v);
        v = out_hex(NULL, 0);
        assert_string_equal(json_string_value(v), "");
        json_decref(v);
}

static void assert_date(json_int_t s, const char *text)
{
        json_t *v = json_integer(s);
        char   *d = out_date(v);

        assert_string_equal(d, text);
        free(d);
        json_decref(v);
}

static void dates_are_utc(void **state)
{
        (void)state;
        assert_date(0, "-");
        assert_date(1, "1970-01-01 00:00Z");
        assert_date(1797243319, "2026-12-14 10:15Z");
        assert_date(INT64_MAX, "-"); /* a year that no calendar has */
}

static void a_flow_has_its_peer(void **state)
{
        uint8_t        id[] = {0xab, 0x01};
        Irm__FlowEntry e    = IRM__FLOW_ENTRY__INIT;
        json_t        *row;

        (void)state;
        e.flow_id       = 7;
        e.state         = (char *)"open";
        e.name          = (char *)"x";
        e.peer          = (char *)"dns:\033[31mx";
        e.authenticated = true;
        e.suite         = 1;
        e.oap_id        = (ProtobufCBinaryData){.len = sizeof(id), .data = id};
        e.principal     = (char *)"alice";
        row             = list_flow_row(&e);
        assert_string_equal(list_row_text(row, "peer"), "dns:\\x1b[31mx");
        assert_true(json_is_true(json_object_get(row, "authenticated")));
        assert_string_equal(list_row_text(row, "suite"), "p384");
        assert_string_equal(list_row_text(row, "oap_id"), "ab01");
        assert_string_equal(list_row_text(row, "principal"), "alice");
        assert_string_equal(list_row_text(row, "end"), "client");
        json_decref(row);
        e.suite = 4711; /* of a daemon that has more */
        row     = list_flow_row(&e);
        assert_string_equal(list_row_text(row, "suite"), "unknown");
        json_decref(row);
}

/* -- choosing -------------------------------------------------------------- */

static void names_are_chosen_by_pattern_or_whole(void **state)
{
        (void)state;
        assert_true(list_match(NULL, "x"));
        assert_true(list_match("x", "x"));
        assert_false(list_match("x", "xy"));
        assert_true(list_match("x*", "xy"));
        assert_true(list_match("?y", "xy"));
        assert_true(list_match("[a-x]y", "xy"));
        assert_false(list_match("[a-w]y", "xy"));
        assert_true(list_match("a[b", "a[b")); /* a name like any other */
        assert_true(list_match("\\*", "*"));
        assert_false(list_match("\\*", "x"));
        assert_true(list_is_pattern("a*"));
        assert_false(list_is_pattern("a.b-c"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_table_is_aligned),
                cmocka_unit_test(an_empty_table_has_its_head),
                cmocka_unit_test(json_is_one_line),
                cmocka_unit_test(what_is_done_is_not_told_to_people),
                cmocka_unit_test(an_object_is_a_line_for_each_value),
                cmocka_unit_test(durations_are_readable),
                cmocka_unit_test(text_of_others_is_harmless),
                cmocka_unit_test(bytes_are_digits),
                cmocka_unit_test(dates_are_utc),
                cmocka_unit_test(a_flow_has_its_peer),
                cmocka_unit_test(names_are_chosen_by_pattern_or_whole),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
