/* test_irm_args.c - what irm makes of words: shortened, misspelt, missing, and too many. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "irm/args.h"
#include "irm/match.h"

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))

/* -- words ----------------------------------------------------------------- */

static struct match match(const char *typed)
{
        static const char *const words[] = {"bind", "unbind", "name", "register", "reg", "unregister"};
        struct match             m;

        match_init(&m, typed);
        for (size_t i = 0; i < N_OF(words); i++)
                match_offer(&m, words[i], i);
        return m;
}

static void assert_found(const char *typed, const char *word)
{
        struct match m = match(typed);

        assert_true(match_found(&m));
        assert_string_equal(m.word, word);
}

static void a_beginning_will_do_while_it_is_unambiguous(void **state)
{
        struct match m;

        (void)state;
        assert_found("b", "bind");
        assert_found("unb", "unbind");
        assert_found("unregister", "unregister");
        m = match("un");
        assert_false(match_found(&m));
        assert_non_null(m.other);
        m = match("x");
        assert_false(match_found(&m));
        assert_null(m.other);
        m = match("");
        assert_false(match_found(&m));
}

static void the_whole_word_wins_over_longer_ones(void **state)
{
        (void)state;
        assert_found("reg", "reg");
        assert_found("regi", "register");
        assert_int_equal(match("reg").index, 4);
}

static void what_is_nearly_a_word_is_proposed(void **state)
{
        (void)state;
        assert_string_equal(match("nmae").near, "name");
        assert_string_equal(match("registre").near, "register");
        assert_null(match("xyzzy").near);
        assert_null(match("a-word-that-is-far-longer-than-any-of-the-tables-holds").near);
}

static void edits_are_counted(void **state)
{
        (void)state;
        assert_int_equal(match_edits("", ""), 0);
        assert_int_equal(match_edits("name", "name"), 0);
        assert_int_equal(match_edits("", "abc"), 3);
        assert_int_equal(match_edits("nmae", "name"), 1);
        assert_int_equal(match_edits("naem", "name"), 1);
        assert_int_equal(match_edits("kitten", "sitting"), 3);
        assert_int_equal(match_edits("12345678901234567890123456789012", ""), UINT_MAX);
}

/* -- arguments ------------------------------------------------------------- */

static const struct key keys[] = {
        {"name", "N", "a name", KEY_NEEDED},
        {"type", "local|eth-dix", "a type", 0},
        {"layer", "L", "a layer", KEY_REPEAT},
        {"auto", NULL, "a flag", 0},
        {NULL, NULL, NULL, 0},
};

static const struct form full = {
        .operand = {"PROGRAM", NULL, "a program", KEY_NEEDED},
        .keys    = keys,
        .rest    = {"ARGS", "auto", "its arguments", 0},
};

static const struct key any_keys[] = {
        {"ipcp", "I", "an IPCP", KEY_ANY | KEY_REPEAT},
        {"layer", "L", "a layer", KEY_ANY | KEY_REPEAT},
        {NULL, NULL, NULL, 0},
};

static const struct form any = {.operand = {"NAME", NULL, "a name", KEY_NEEDED}, .keys = any_keys};
static const struct form pid = {.operand = {"PID", NULL, "a process", KEY_NEEDED | KEY_PID}};

#define PARSE(a, form, ...) \
        args_parse((a), (form), (char *[]){__VA_ARGS__, NULL}, N_OF(((const char *[]){__VA_ARGS__})))

#define ASSERT_FAULT(form, part, ...)                                      \
        do {                                                               \
                struct args bad = {0};                                     \
                assert_int_equal(PARSE(&bad, form, __VA_ARGS__), -EINVAL); \
                assert_non_null(bad.fault);                                \
                if (strstr(bad.fault, part) == NULL)                       \
                        assert_string_equal(bad.fault, part);              \
                args_fini(&bad);                                           \
        } while (0)

static void all_kinds_of_arguments_are_sorted(void **state)
{
        struct args a  = {0};
        size_t      at = 0;

        (void)state;
        assert_int_equal(PARSE(&a, &full, "prog", "layer", "x", "na", "n", "l", "y", "auto", "t", "ETH-DIX"),
                         0);
        assert_string_equal(a.operand, "prog");
        assert_string_equal(args_get(&a, "name"), "n");
        assert_string_equal(args_get(&a, "type"), "ETH-DIX");
        assert_string_equal(args_get(&a, "auto"), "");
        assert_string_equal(args_next(&a, "layer", &at), "x");
        assert_string_equal(args_next(&a, "layer", &at), "y");
        assert_null(args_next(&a, "layer", &at));
        assert_int_equal(a.n_rest, 0);
        args_fini(&a);
}

static void the_rest_is_left_alone(void **state)
{
        struct args a = {0};

        (void)state;
        assert_int_equal(PARSE(&a, &full, "prog", "name", "n", "auto", "--", "-l", "--", "name"), 0);
        assert_int_equal(a.n_rest, 3);
        assert_string_equal(a.rest[0], "-l");
        assert_string_equal(a.rest[1], "--");
        assert_string_equal(a.rest[2], "name");
        args_fini(&a);
}

static void two_dashes_let_an_operand_begin_with_one(void **state)
{
        struct args a = {0};

        (void)state;
        assert_int_equal(PARSE(&a, &any, "--", "-x", "layer", "--y"), 0);
        assert_string_equal(a.operand, "-x");
        assert_string_equal(args_get(&a, "layer"), "--y");
        args_fini(&a);
}

static void what_is_missing_is_named(void **state)
{
        struct args a = {0};

        (void)state;
        assert_int_equal(args_parse(&a, &full, NULL, 0), -EINVAL);
        assert_string_equal(a.fault, "PROGRAM is missing: a program");
        args_fini(&a);
        ASSERT_FAULT(&full, "'name N' is missing", "prog");
        ASSERT_FAULT(&full, "'name' needs a value: N", "prog", "name");
        ASSERT_FAULT(&any, "'ipcp I' or 'layer L' is needed", "x");
        ASSERT_FAULT(&full, "needs the keyword 'auto'", "prog", "name", "n", "--", "x");
}

static void what_is_wrong_is_named(void **state)
{
        (void)state;
        ASSERT_FAULT(&full, "there is no keyword 'foo': known are name, type, layer, auto", "prog", "foo",
                     "x");
        ASSERT_FAULT(&full, "did you mean 'layer'?", "prog", "lyaer", "x");
        ASSERT_FAULT(&full, "there is no option '-z'", "prog", "-z");
        ASSERT_FAULT(&full, "'name' is given twice", "prog", "name", "a", "name", "b");
        ASSERT_FAULT(&full, "'auto' is given twice", "prog", "auto", "auto");
        ASSERT_FAULT(&full, "'type' must be one of local|eth-dix, not", "prog", "type", "loc");
        ASSERT_FAULT(&full, "'type' must be one of local|eth-dix, not", "prog", "type", "local|eth-dix");
        ASSERT_FAULT(&full, "'PROGRAM' is empty", "");
        ASSERT_FAULT(&full, "'layer' is empty", "prog", "layer", "");
        ASSERT_FAULT(&pid, "nothing more is taken", "1", "x");
}

static void process_ids_are_positive_numbers(void **state)
{
        struct args a = {0};

        (void)state;
        assert_int_equal(PARSE(&a, &pid, "4711"), 0);
        assert_int_equal(args_pid(a.operand), 4711);
        args_fini(&a);
        ASSERT_FAULT(&pid, "is no process id", "0");
        ASSERT_FAULT(&pid, "is no process id", "12x");
        ASSERT_FAULT(&pid, "is no process id", "2147483648");
        ASSERT_FAULT(&pid, "is no process id", "+1");
}

/* -- any words at all ------------------------------------------------------ */

/* All lists of words from a small vocabulary up to a length: each has an outcome, and faults are told. */
static void every_list_of_words_has_an_outcome(void **state)
{
        static const char *const words[] = {"",  "-",    "--",    "-x",   "prog", "name",
                                            "n", "auto", "layer", "type", "local"};
        size_t                   lists   = 1;

        (void)state;
        for (size_t len = 1; len <= 4; len++) {
                lists *= N_OF(words);
                for (size_t i = 0; i < lists; i++) {
                        char       *list[4];
                        struct args a    = {0};
                        size_t      rest = i;
                        int         ret;

                        for (size_t w = 0; w < len; w++, rest /= N_OF(words))
                                list[w] = (char *)words[rest % N_OF(words)];
                        ret = args_parse(&a, &full, list, len);
                        assert_true(ret == 0 || (ret == -EINVAL && a.fault != NULL));
                        assert_true(ret != 0 || (a.operand != NULL && args_get(&a, "name") != NULL));
                        args_fini(&a);
                }
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_beginning_will_do_while_it_is_unambiguous),
                cmocka_unit_test(the_whole_word_wins_over_longer_ones),
                cmocka_unit_test(what_is_nearly_a_word_is_proposed),
                cmocka_unit_test(edits_are_counted),
                cmocka_unit_test(all_kinds_of_arguments_are_sorted),
                cmocka_unit_test(the_rest_is_left_alone),
                cmocka_unit_test(two_dashes_let_an_operand_begin_with_one),
                cmocka_unit_test(what_is_missing_is_named),
                cmocka_unit_test(what_is_wrong_is_named),
                cmocka_unit_test(process_ids_are_positive_numbers),
                cmocka_unit_test(every_list_of_words_has_an_outcome),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
