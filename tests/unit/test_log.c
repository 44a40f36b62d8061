/* test_log.c - what a line looks like, and that nobody can forge one. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"

static char  out[8192];
static int   real_stderr;
static FILE *file;

static int capture(void **state)
{
        (void)state;
        fflush(stderr);
        file        = tmpfile();
        real_stderr = dup(STDERR_FILENO);
        return file == NULL || real_stderr < 0 || dup2(fileno(file), STDERR_FILENO) < 0;
}

static int release(void **state)
{
        (void)state;
        dup2(real_stderr, STDERR_FILENO);
        close(real_stderr);
        fclose(file);
        unsetenv("JOURNAL_STREAM");
        log_init("test", LOG_INFO);
        return 0;
}

/* All that was written since the last time. */
static const char *written(void)
{
        ssize_t n = pread(fileno(file), out, sizeof(out) - 1, 0);

        assert_true(n >= 0);
        out[n] = '\0';
        assert_int_equal(ftruncate(fileno(file), 0), 0);
        assert_int_equal(lseek(STDERR_FILENO, 0, SEEK_SET), 0);
        return out;
}

static size_t count(const char *s, char c)
{
        size_t n = 0;

        for (; *s != '\0'; s++)
                n += *s == c;
        return n;
}

static void test_format(void **state)
{
        unsigned year, month, day, hour, min, sec, ms;
        int      pid, n = 0;
        char     ident[16], level[16];

        (void)state;
        log_init("irmd", LOG_INFO);
        log_info("flow %d: %s", 7, "open");
        assert_int_equal(sscanf(written(), "%4u-%2u-%2uT%2u:%2u:%2u.%3uZ %15[a-z][%d] %15[a-z]: %n", &year,
                                &month, &day, &hour, &min, &sec, &ms, ident, &pid, level, &n),
                         10);
        assert_string_equal(ident, "irmd");
        assert_string_equal(level, "info");
        assert_int_equal(pid, getpid());
        assert_string_equal(out + n, "flow 7: open\n");
}

static void test_levels(void **state)
{
        static const char *const names[] = {"error", "warning", "info", "debug"};
        enum log_level           level;

        (void)state;
        for (int i = 0; i < LOG_N_LEVELS; i++) {
                assert_true(log_level_parse(names[i], &level));
                assert_int_equal(level, i);
                assert_string_equal(log_level_name(level), names[i]);
                log_init("test", level);
                for (int k = 0; k < LOG_N_LEVELS; k++) {
                        assert_int_equal(log_on((enum log_level)k), k <= i);
                        log_line((enum log_level)k, "x");
                        assert_int_equal(count(written(), '\n'), k <= i);
                }
        }
        assert_false(log_level_parse("", &level));
        assert_false(log_level_parse("Error", &level));
        assert_false(log_level_parse("debug ", &level));
}

static void test_macros(void **state)
{
        (void)state;
        log_init("test", LOG_DEBUG);
        log_err("a");
        log_warn("b");
        log_info("c");
        log_dbg("d");
        assert_int_equal(count(written(), '\n'), 4);
        log_init("test", LOG_ERROR);
        log_dbg("d");
        log_err("e");
        assert_int_equal(count(written(), '\n'), 1);
}

static void test_every_byte_is_harmless(void **state)
{
        (void)state;
        log_init("test", LOG_INFO);
        for (int c = 1; c < 256; c++) {
                char text[4] = {'<', (char)c, '>', '\0'};
                char expect[16];

                log_info("%s", text);
                if (c >= 0x20 && c < 0x7f)
                        snprintf(expect, sizeof(expect), ": <%c>\n", c);
                else
                        snprintf(expect, sizeof(expect), ": <\\x%02x>\n", (unsigned)c);
                assert_non_null(strstr(written(), expect));
        }
}

static void test_forged_line(void **state)
{
        (void)state;
        log_init("test", LOG_INFO);
        log_info("name %s refused", "x\n2026-01-01T00:00:00.000Z irmd[1] info: all is well\r\x1b[2K\xc2\x9b"
                                    "1m");
        assert_int_equal(count(written(), '\n'), 1);
        assert_non_null(strstr(out, "x\\x0a2026"));
        assert_non_null(strstr(out, "well\\x0d\\x1b[2K\\xc2\\x9b1m refused\n"));
}

static void test_text_stays_readable(void **state)
{
        (void)state;
        log_init("test", LOG_INFO);
        log_info("%s", "\xc3\xa9t\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
        assert_non_null(strstr(written(), ": \xc3\xa9t\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\n"));
}

static void test_ident_is_not_trusted(void **state)
{
        char ident[600];

        (void)state;
        memset(ident, 'i', sizeof(ident));
        ident[1]   = '\n';
        ident[599] = '\0';
        log_init(ident, LOG_INFO);
        log_info("text");
        assert_int_equal(count(written(), '\n'), 1);
        assert_int_equal(strlen(out), strcspn(out, "\n") + 1);
        assert_non_null(strstr(out, "i\\x0aiii"));
        assert_non_null(strstr(out, "text\n"));
}

static void test_long_text_is_cut(void **state)
{
        char text[5000];

        (void)state;
        log_init("test", LOG_INFO);
        for (int c = 'a'; c >= 1; c -= 'a' - 1) { /* harmless, then all to be escaped */
                memset(text, c, sizeof(text));
                text[sizeof(text) - 1] = '\0';
                log_info("%s", text);
                assert_true(strlen(written()) > 1000 && strlen(out) <= 2048);
                assert_int_equal(count(out, '\n'), 1);
                assert_int_equal(out[strlen(out) - 1], '\n');
        }
}

static void test_errno_is_kept(void **state)
{
        (void)state;
        log_init("test", LOG_INFO);
        errno = ENOENT;
        log_info("%m");
        assert_int_equal(errno, ENOENT);
        assert_non_null(strstr(written(), ": No such file or directory\n"));
        close(STDERR_FILENO);
        log_info("lost");
        assert_int_equal(errno, ENOENT);
        dup2(fileno(file), STDERR_FILENO);
}

static void test_journal(void **state)
{
        struct stat st;
        char        stream[64];

        (void)state;
        assert_int_equal(fstat(STDERR_FILENO, &st), 0);
        snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
                 (unsigned long long)st.st_ino);
        setenv("JOURNAL_STREAM", stream, 1);
        log_init("test", LOG_DEBUG);
        log_err("a");
        log_warn("b");
        log_info("c");
        log_dbg("d\n<3>e");
        assert_string_equal(written(), "<3>a\n<4>b\n<6>c\n<7>d\\x0a<3>e\n");
        setenv("JOURNAL_STREAM", "1:2", 1); /* somebody else's */
        log_init("test", LOG_DEBUG);
        log_err("a");
        assert_non_null(strstr(written(), " test["));
        setenv("JOURNAL_STREAM", "nonsense", 1);
        log_init("test", LOG_DEBUG);
        log_err("a");
        assert_non_null(strstr(written(), " test["));
}

/* A pipe that nobody reads: lines are lost, not the daemon, and the next one that can be read says so. */
static void test_log_that_is_not_read(void **state)
{
        int     p[2];
        ssize_t n;
        size_t  total = 0;

        (void)state;
        assert_int_equal(pipe(p), 0);
        assert_true(dup2(p[1], STDERR_FILENO) >= 0);
        for (int i = 0; i < 10000; i++)
                log_err("a line that is long enough to fill a pipe at some time");
        while (total < 60000 && (n = read(p[0], out, sizeof(out))) > 0)
                total += (size_t)n;
        log_err("the last");
        log_err("end");
        do {
                n = read(p[0], out, sizeof(out) - 1);
                assert_true(n > 0);
                out[n] = '\0';
        } while (strstr(out, "end\n") == NULL);
        assert_non_null(strstr(out, "lines could not be written\n"));
        close(p[0]);
        close(p[1]);
        assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, capture, release)
        const struct CMUnitTest tests[] = {
                TEST(test_format),
                TEST(test_levels),
                TEST(test_macros),
                TEST(test_every_byte_is_harmless),
                TEST(test_forged_line),
                TEST(test_text_stays_readable),
                TEST(test_ident_is_not_trusted),
                TEST(test_long_text_is_cut),
                TEST(test_errno_is_kept),
                TEST(test_journal),
                TEST(test_log_that_is_not_read),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
