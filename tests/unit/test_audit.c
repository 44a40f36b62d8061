/*
 * test_audit.c - the audit log: real files, a real datagram socket in place of the journal, and jansson as the reader
 * that says what a line means.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "audit.h"
#include "audit_line.h"
#include "base/clock.h"
#include "random.h"

static char    dir[] = "/tmp/o7s-audit-XXXXXX";
static char    path[64], moved[64], journal[64];
static uint8_t oap_id[OAP_ID] = {0x00, 0x01, 0x7f, 0x80, 0xff, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xab};

static int make_dir(void **state)
{
        (void)state;
        if (mkdtemp(dir) == NULL)
                return -1;
        snprintf(path, sizeof(path), "%s/audit.jsonl", dir);
        snprintf(moved, sizeof(moved), "%s/audit.jsonl.1", dir);
        snprintf(journal, sizeof(journal), "%s/journal", dir);
        signal(SIGXFSZ, SIG_IGN);
        return 0;
}

static int remove_dir(void **state)
{
        (void)state;
        return rmdir(dir);
}

static int remove_files(void **state)
{
        (void)state;
        unlink(path);
        unlink(moved);
        unlink(journal);
        return 0;
}

/* -- reading --------------------------------------------------------------- */

struct file {
        char  *text;
        size_t len;
};

static struct file read_file(const char *name)
{
        struct file f = {NULL, 0};
        struct stat st;
        int         fd = open(name, O_RDONLY | O_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(fstat(fd, &st), 0);
        f.text = calloc(1, (size_t)st.st_size + 1);
        assert_non_null(f.text);
        f.len = (size_t)st.st_size;
        assert_int_equal(read(fd, f.text, f.len), st.st_size);
        close(fd);
        return f;
}

static size_t count_lines(const char *s)
{
        size_t n = 0;

        while ((s = strchr(s, '\n')) != NULL) {
                n++;
                s++;
        }
        return n;
}

/* Line @i of @text, which must be an object. NULL when it is no JSON at all. */
static json_t *parse_line(const char *text, size_t i)
{
        const char *nl;

        while (i-- > 0) {
                text = strchr(text, '\n');
                assert_non_null(text);
                text++;
        }
        nl = strchr(text, '\n');
        assert_non_null(nl);
        return json_loadb(text, (size_t)(nl - text), JSON_REJECT_DUPLICATES, NULL);
}

static json_t *line_of(const char *name, size_t i)
{
        struct file f    = read_file(name);
        json_t     *line = parse_line(f.text, i);

        free(f.text);
        assert_non_null(line);
        return line;
}

static size_t lines_in(const char *name)
{
        struct file f = read_file(name);
        size_t      n = count_lines(f.text);

        assert_int_equal(strlen(f.text), f.len); /* no NUL */
        free(f.text);
        return n;
}

static const char *text_of(const json_t *line, const char *key)
{
        const char *s = json_string_value(json_object_get(line, key));

        assert_non_null(s);
        return s;
}

static void assert_text(const json_t *line, const char *key, const char *want)
{
        assert_string_equal(text_of(line, key), want);
}

static void assert_number(const json_t *line, const char *key, json_int_t want)
{
        assert_true(json_is_integer(json_object_get(line, key)));
        assert_int_equal(json_integer_value(json_object_get(line, key)), want);
}

/* Takes the escapes of a value back; returns the bytes. */
static size_t bytes_of(const char *value, char *out)
{
        size_t   n = 0;
        unsigned c;

        while (*value != '\0') {
                if (*value != '\\') {
                        out[n++] = *value++;
                } else if (value[1] == '\\') {
                        out[n++] = '\\';
                        value += 2;
                } else {
                        assert_int_equal(sscanf(value, "\\x%2x", &c), 1);
                        out[n++] = (char)c;
                        value += 4;
                }
        }
        return n;
}

/* -- the journal ----------------------------------------------------------- */

static int journal_bind(void)
{
        struct sockaddr_un un = {.sun_family = AF_UNIX};
        int                fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        snprintf(un.sun_path, sizeof(un.sun_path), "%s", journal);
        assert_true(fd >= 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
        return fd;
}

static const char *datagram(int fd)
{
        static char buf[1 << 20];
        ssize_t     n = recv(fd, buf, sizeof(buf) - 1, 0);

        if (n < 0)
                return NULL;
        buf[n] = '\0';
        assert_int_equal(strlen(buf), n);
        return buf;
}

/* The value of a field of a datagram in which every field is KEY=VALUE in a line. */
static void assert_field(const char *d, const char *key, const char *want)
{
        size_t      k = strlen(key);
        const char *end;

        for (; *d != '\0'; d = end + 1) {
                end = strchr(d, '\n');
                assert_non_null(end);
                if (strncmp(d, key, k) != 0 || d[k] != '=')
                        continue;
                assert_int_equal(end - d - (ptrdiff_t)k - 1, strlen(want));
                assert_memory_equal(d + k + 1, want, strlen(want));
                return;
        }
        fail_msg("no field %s", key);
}

/* -- writing --------------------------------------------------------------- */

static struct audit *open_log(const char *to_journal)
{
        struct audit *a = NULL;

        assert_int_equal(audit_open(&a, path, to_journal), 0);
        assert_false(audit_pending(a));
        return a;
}

static const struct audit_flow flow = {.flow_id  = 7,
                                       .oap_id   = oap_id,
                                       .server   = true,
                                       .pid      = 4242,
                                       .uid      = 0,
                                       .has_proc = true,
                                       .program  = "/usr/bin/oping",
                                       .name     = "ping.example",
                                       .layer    = "home"};

/* The time of line @i lies between two moments. */
static void assert_time(const json_t *line, int64_t from_ns, int64_t to_ns)
{
        const char *s = text_of(line, "ts");
        struct tm   tm;
        long        us;
        char       *rest;
        int64_t     ns;

        assert_int_equal(strlen(s), strlen("2026-11-24T09:52:47.123456Z"));
        rest = strptime(s, "%Y-%m-%dT%H:%M:%S.", &tm);
        assert_non_null(rest);
        us = strtol(rest, &rest, 10);
        assert_string_equal(rest, "Z");
        ns = timegm(&tm) * NS_PER_S + us * NS_PER_US;
        assert_true(ns >= from_ns - NS_PER_US && ns <= to_ns);
}

static void assert_flow(const json_t *line, const char *event)
{
        assert_text(line, "event", event);
        assert_number(line, "flow", 7);
        assert_text(line, "oap_id", "00017f80ff05060708090a0b0c0d0eab");
        assert_text(line, "end", "server");
        assert_number(line, "pid", 4242);
        assert_number(line, "uid", 0);
        assert_text(line, "program", "/usr/bin/oping");
        assert_text(line, "name", "ping.example");
        assert_text(line, "layer", "home");
}

static void every_event_has_its_fields(void **state)
{
        const struct audit_established e    = {"dns:a.example", true, "p384", "alice"};
        int64_t                        from = clock_wall_ns();
        struct audit                  *a    = open_log(NULL);
        json_t                        *l[8];
        struct stat                    st;

        (void)state;
        audit_start(a, "0.1.0");
        audit_asked(a, &flow);
        audit_authenticated(a, &flow, "dns:a.example", "CN=a.example", "0A0B");
        audit_established(a, &flow, &e);
        audit_closed(a, &flow, "died", INT64_C(1234567890), UINT64_MAX >> 1, 0);
        audit_refused(a, &flow, "wrong-name", "the leaf is for b.example", -1003);
        audit_credentials(a, "changed", "server/ping.example", "CN=a.example, serial 0A0B");
        audit_stop(a);
        assert_true(audit_pending(a));
        audit_flush(a);
        assert_false(audit_pending(a));
        assert_int_equal(lines_in(path), 8);
        for (size_t i = 0; i < 8; i++) {
                l[i] = line_of(path, i);
                assert_time(l[i], from, clock_wall_ns());
        }
        assert_text(l[0], "event", "start");
        assert_text(l[0], "version", "0.1.0");
        assert_number(l[0], "pid", getpid());
        assert_flow(l[1], "asked");
        assert_flow(l[2], "authenticated");
        assert_text(l[2], "peer", "dns:a.example");
        assert_text(l[2], "subject", "CN=a.example");
        assert_text(l[2], "serial", "0A0B");
        assert_flow(l[3], "established");
        assert_text(l[3], "peer", "dns:a.example");
        assert_true(json_is_true(json_object_get(l[3], "authenticated")));
        assert_text(l[3], "suite", "p384");
        assert_text(l[3], "principal", "alice");
        assert_flow(l[4], "closed");
        assert_text(l[4], "reason", "died");
        assert_true(json_real_value(json_object_get(l[4], "duration_ms")) == 1234.567);
        assert_number(l[4], "tx_bytes", INT64_MAX);
        assert_number(l[4], "rx_bytes", 0);
        assert_flow(l[5], "refused");
        assert_text(l[5], "reason", "wrong-name");
        assert_text(l[5], "detail", "the leaf is for b.example");
        assert_number(l[5], "code", -1003);
        assert_text(l[6], "event", "credentials");
        assert_text(l[6], "note", "changed");
        assert_text(l[6], "what", "server/ping.example");
        assert_text(l[6], "text", "CN=a.example, serial 0A0B");
        assert_text(l[7], "event", "stop");
        for (size_t i = 0; i < 8; i++)
                json_decref(l[i]);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        audit_close(a);
}

static void what_is_not_known_is_left_out(void **state)
{
        const struct audit_established e = {.peer = "", .suite = "plain"};
        struct audit_flow              f = {.name = "x"};
        struct audit                  *a = open_log(NULL);
        json_t                        *l;

        (void)state;
        audit_established(a, &f, &e);
        audit_flush(a);
        l = line_of(path, 0);
        assert_int_equal(json_object_size(l), 6);
        assert_text(l, "end", "client");
        assert_text(l, "name", "x");
        assert_text(l, "suite", "plain");
        assert_true(json_is_false(json_object_get(l, "authenticated")));
        json_decref(l);
        audit_close(a);
}

/* -- escapes --------------------------------------------------------------- */

/* @name comes out as the value @want. */
static void assert_escaped(const char *name, const char *want)
{
        struct audit_flow f = {.name = name};
        struct audit     *a = open_log(NULL);
        json_t           *l;

        audit_asked(a, &f);
        audit_close(a);
        assert_int_equal(lines_in(path), 1);
        l = line_of(path, 0);
        assert_text(l, "name", want);
        assert_int_equal(json_object_size(l), 4);
        json_decref(l);
        unlink(path);
}

static void text_of_others_is_escaped(void **state)
{
        (void)state;
        assert_escaped("plain", "plain");
        assert_escaped("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80", "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80");
        assert_escaped("a\"b", "a\"b");
        assert_escaped("a\\b\\x41", "a\\\\b\\\\x41");
        assert_escaped("a\nb\r\t\x7f\x01", "a\\x0ab\\x0d\\x09\\x7f\\x01");
        assert_escaped("\",\"event\":\"closed", "\",\"event\":\"closed");
        assert_escaped("x\"}\n{\"event\":\"start\"}", "x\"}\\x0a{\"event\":\"start\"}");
        assert_escaped("\x1b[2J", "\\x1b[2J");
        assert_escaped("\xc2\x85\xc2\x9b", "\\xc2\\x85\\xc2\\x9b");          /* C1 */
        assert_escaped("\xff\xc3", "\\xff\\xc3");                            /* no UTF-8 */
        assert_escaped("\xc0\x8a\xed\xa0\x80", "\\xc0\\x8a\\xed\\xa0\\x80"); /* overlong, surrogate */
        assert_escaped("\xe2\x80\xa8\xe2\x80\xa9", "\\xe2\\x80\\xa8\\xe2\\x80\\xa9"); /* separators */
        assert_escaped("\xe2\x80\xae\xe2\x81\xa6", "\\xe2\\x80\\xae\\xe2\\x81\\xa6"); /* directions */
        assert_escaped("\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xaa", "\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xaa");
}

static void fill_random(uint64_t *r, char *s, size_t max)
{
        static const char *const traps[] = {"\"",       "\\",    "\n",       "\xe2\x80\xa8",
                                            "\xc3\xa4", "\\x0a", "\"}\n{\"", "="};
        size_t                   n = 1 + random_below(r, max - 8), at = 0;

        while (at < n) {
                const char *trap = traps[random_below(r, sizeof(traps) / sizeof(traps[0]))];

                if (random_below(r, 3) > 0) {
                        s[at++] = (char)(1 + random_below(r, 255));
                        continue;
                }
                memcpy(s + at, trap, strlen(trap));
                at += strlen(trap);
        }
        s[at] = '\0';
}

static void assert_same(const json_t *line, const char *key, const char *want)
{
        static char bytes[LINE_VALUE_MAX + 1];
        size_t      n = bytes_of(text_of(line, key), bytes);

        assert_int_equal(n, strlen(want));
        assert_memory_equal(bytes, want, n);
}

/* Whatever the bytes are: one line, with these fields and no other, of which the bytes can be had back. */
static void any_bytes_are_one_line_and_can_be_had_back(void **state)
{
        static char   s[6][300];
        uint64_t      r  = 42;
        int           fd = journal_bind();
        struct audit *a  = open_log(journal);
        struct file   f;
        json_t       *l;

        (void)state;
        for (int round = 0; round < 2000; round++) {
                struct audit_flow        w = flow;
                struct audit_established e = {s[3], true, s[4], s[5]};
                const char              *d;

                for (size_t i = 0; i < 6; i++)
                        fill_random(&r, s[i], sizeof(s[i]));
                w.program = s[0];
                w.name    = s[1];
                w.layer   = s[2];
                audit_established(a, &w, &e);
                audit_flush(a);
                f = read_file(path);
                assert_int_equal(count_lines(f.text), 1);
                l = parse_line(f.text, 0);
                assert_non_null(l);
                assert_int_equal(json_object_size(l), 14);
                assert_same(l, "program", s[0]);
                assert_same(l, "name", s[1]);
                assert_same(l, "layer", s[2]);
                assert_same(l, "peer", s[3]);
                assert_same(l, "suite", s[4]);
                assert_same(l, "principal", s[5]);
                d = datagram(fd);
                assert_non_null(d);
                assert_int_equal(count_lines(d), 16);
                assert_field(d, "O7S_NAME", text_of(l, "name"));
                f.text[f.len - 1] = '\0';
                assert_field(d, "MESSAGE", f.text);
                free(f.text);
                json_decref(l);
                assert_int_equal(truncate(path, 0), 0);
        }
        audit_close(a);
        close(fd);
}

static void long_values_are_cut(void **state)
{
        static char       name[2 * LINE_VALUE_MAX];
        struct audit_flow f = {.name = name, .program = name, .layer = name, .has_proc = true};
        struct audit     *a = open_log(NULL);
        json_t           *l;

        (void)state;
        memset(name, 0xff, sizeof(name) - 1);
        audit_refused(a, &f, name, name, 0);
        audit_flush(a);
        l = line_of(path, 0);
        assert_int_equal(strlen(text_of(l, "name")), 4 * LINE_VALUE_MAX + 3);
        assert_string_equal(text_of(l, "name") + 4 * LINE_VALUE_MAX, "...");
        json_decref(l);
        audit_close(a);
}

/* -- the journal's fields -------------------------------------------------- */

static void the_journal_gets_fields(void **state)
{
        int           fd = journal_bind();
        struct audit *a  = open_log(journal);
        const char   *d;
        json_t       *message;

        (void)state;
        audit_refused(a, &flow, "wrong-name", "line\nbreak", -7);
        d = datagram(fd);
        assert_non_null(d);
        assert_field(d, "SYSLOG_IDENTIFIER", "irmd");
        assert_field(d, "PRIORITY", "5");
        assert_field(d, "O7S_EVENT", "refused");
        assert_field(d, "O7S_FLOW", "7");
        assert_field(d, "O7S_END", "server");
        assert_field(d, "O7S_OAP_ID", "00017f80ff05060708090a0b0c0d0eab");
        assert_field(d, "O7S_PID", "4242");
        assert_field(d, "O7S_REASON", "wrong-name");
        assert_field(d, "O7S_DETAIL", "line\\x0abreak");
        assert_field(d, "O7S_CODE", "-7");
        message = parse_line(strstr(d, "MESSAGE=") + strlen("MESSAGE="), 0);
        assert_flow(message, "refused");
        json_decref(message);
        audit_credentials(a, "fault", "x", "y");
        assert_field(datagram(fd), "PRIORITY", "4");
        assert_null(datagram(fd));
        audit_close(a);
        close(fd);
}

/* A journal that is not read costs lines of the journal, counted; one that is not there costs nothing. */
static void the_journal_never_blocks(void **state)
{
        struct audit *a = open_log(journal);
        int           fd;
        unsigned      sent = 0;
        json_t       *l;

        (void)state;
        audit_asked(a, &flow);
        audit_asked(a, &flow);
        fd = journal_bind();
        assert_int_equal(audit_reopen(a), 0); /* or some seconds later */
        for (int i = 0; i < 10000; i++)
                audit_asked(a, &flow);
        while (datagram(fd) != NULL)
                sent++;
        assert_true(sent > 0 && sent < 10000);
        audit_asked(a, &flow);
        l = parse_line(strstr(datagram(fd), "MESSAGE=") + strlen("MESSAGE="), 0);
        assert_number(l, "journal_lost", 10000 - sent);
        json_decref(l);
        audit_asked(a, &flow);
        assert_null(strstr(datagram(fd), "LOST"));
        audit_close(a);
        close(fd);
        assert_int_equal(lines_in(path), 10004);
}

/* -- a file that cannot be written ----------------------------------------- */

static void limit_file(rlim_t bytes)
{
        struct rlimit r;

        assert_int_equal(getrlimit(RLIMIT_FSIZE, &r), 0);
        r.rlim_cur = bytes;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &r), 0);
}

/* The file is full in the middle of a line: afterwards nothing is missing and nothing is there twice. */
static void a_full_file_keeps_lines_whole(void **state)
{
        struct audit     *a = open_log(NULL);
        struct audit_flow f = flow;
        json_t           *l;

        (void)state;
        limit_file(1000);
        for (uint64_t i = 0; i < 100; i++) {
                f.flow_id = i + 1;
                audit_asked(a, &f);
                audit_flush(a);
        }
        assert_true(audit_pending(a));
        limit_file(1500);
        audit_flush(a);
        assert_true(audit_pending(a));
        limit_file(RLIM_INFINITY);
        audit_flush(a);
        assert_false(audit_pending(a));
        assert_int_equal(lines_in(path), 100);
        for (size_t i = 0; i < 100; i++) {
                l = line_of(path, i);
                assert_number(l, "flow", (json_int_t)i + 1);
                assert_null(json_object_get(l, "lost"));
                json_decref(l);
        }
        audit_close(a);
}

/* Lines are kept up to a bound; what there was no room for is told by the next that there is. */
static void lost_lines_are_counted(void **state)
{
        struct audit     *a = open_log(NULL);
        struct audit_flow f = flow;
        uint64_t          n = 60000; /* of more than 150 bytes: 9 MB */
        struct file       file;
        json_t           *l;
        size_t            kept;

        (void)state;
        limit_file(0);
        for (f.flow_id = 1; f.flow_id <= n; f.flow_id++) {
                audit_asked(a, &f);
                if (f.flow_id % 1000 == 0)
                        audit_flush(a);
        }
        limit_file(RLIM_INFINITY);
        audit_flush(a);
        assert_false(audit_pending(a));
        audit_asked(a, &f);
        audit_asked(a, &f);
        audit_flush(a);
        file = read_file(path);
        kept = count_lines(file.text) - 2;
        assert_true(file.len > 4000000 && file.len <= (4 << 20) + 1000);
        l = parse_line(file.text, kept - 1);
        assert_number(l, "flow", (json_int_t)kept); /* the first ones are those that are kept */
        json_decref(l);
        l = parse_line(file.text, kept);
        assert_number(l, "lost", (json_int_t)(n - kept));
        json_decref(l);
        l = parse_line(file.text, kept + 1);
        assert_null(json_object_get(l, "lost"));
        json_decref(l);
        free(file.text);
        audit_close(a);
}

static void a_pipe_that_nobody_reads_does_not_block(void **state)
{
        static char   buf[1 << 20];
        struct audit *a;
        size_t        got = 0;
        ssize_t       n;
        int           fd;

        (void)state;
        assert_int_equal(mkfifo(path, 0600), 0);
        a = open_log(NULL);
        for (int i = 0; i < 2000; i++) {
                audit_asked(a, &flow);
                audit_flush(a);
        }
        assert_true(audit_pending(a));
        fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        assert_true(fd >= 0);
        while ((n = read(fd, buf + got, sizeof(buf) - got - 1)) > 0) {
                got += (size_t)n;
                audit_flush(a);
        }
        buf[got] = '\0';
        assert_false(audit_pending(a));
        assert_int_equal(count_lines(buf), 2000);
        for (size_t i = 0; i < 2000; i += 97)
                json_decref(parse_line(buf, i));
        close(fd);
        audit_close(a);
}

/* -- rotation -------------------------------------------------------------- */

static void a_renamed_file_is_left_behind(void **state)
{
        struct audit *a = open_log(NULL);
        json_t       *l;

        (void)state;
        audit_asked(a, &flow);
        audit_flush(a);
        assert_int_equal(rename(path, moved), 0);
        audit_authenticated(a, &flow, "dns:x", NULL, NULL);
        assert_int_equal(audit_reopen(a), 0); /* what was there before goes to the old file */
        audit_stop(a);
        audit_flush(a);
        assert_int_equal(lines_in(moved), 2);
        assert_int_equal(lines_in(path), 1);
        l = line_of(path, 0);
        assert_text(l, "event", "stop");
        json_decref(l);
        audit_close(a);
}

/* The old file is full in the middle of a line: the new one has that line from its beginning. */
static void a_line_is_not_torn_by_rotation(void **state)
{
        struct audit     *a = open_log(NULL);
        struct audit_flow f = flow;
        struct file       old, now;
        json_t           *l;
        size_t            n;

        (void)state;
        limit_file(1000);
        for (f.flow_id = 1; f.flow_id <= 10; f.flow_id++)
                audit_asked(a, &f);
        audit_flush(a);
        assert_int_equal(rename(path, moved), 0);
        assert_int_equal(audit_reopen(a), 0);
        limit_file(RLIM_INFINITY);
        audit_flush(a);
        old = read_file(moved);
        now = read_file(path);
        n   = count_lines(old.text);
        assert_int_equal(old.len, 1000);
        assert_true(n > 0 && old.text[999] != '\n');
        assert_int_equal(n + count_lines(now.text), 10);
        l = parse_line(now.text, 0);
        assert_number(l, "flow", (json_int_t)n + 1);
        json_decref(l);
        free(old.text);
        free(now.text);
        audit_close(a);
}

static void a_file_that_cannot_be_opened_again_is_kept(void **state)
{
        struct audit *a = open_log(NULL);

        (void)state;
        assert_int_equal(rename(path, moved), 0);
        assert_int_equal(mkdir(path, 0700), 0);
        assert_int_equal(audit_reopen(a), -EISDIR);
        audit_stop(a);
        audit_close(a);
        assert_int_equal(lines_in(moved), 1);
        assert_int_equal(rmdir(path), 0);
}

static void a_fragment_of_an_earlier_life_is_ended(void **state)
{
        struct audit *a;
        struct file   f;
        json_t       *l;
        int           fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);

        (void)state;
        assert_int_equal(write(fd, "{\"event\":\"clo", 13), 13);
        close(fd);
        a = open_log(NULL);
        audit_start(a, "1");
        audit_stop(a);
        audit_close(a);
        f = read_file(path);
        assert_int_equal(count_lines(f.text), 3);
        assert_null(parse_line(f.text, 0));
        l = parse_line(f.text, 1);
        assert_text(l, "event", "start");
        json_decref(l);
        free(f.text);
        a = open_log(NULL); /* and a whole line is followed at once */
        audit_start(a, "1");
        audit_close(a);
        assert_int_equal(lines_in(path), 4);
}

static void what_cannot_be_opened_is_an_error(void **state)
{
        char          nowhere[80], longest[200];
        struct audit *a;

        (void)state;
        snprintf(nowhere, sizeof(nowhere), "%s/none/audit", dir);
        memset(longest, 'x', sizeof(longest) - 1);
        longest[sizeof(longest) - 1] = '\0';
        assert_int_equal(audit_open(&a, nowhere, NULL), -ENOENT);
        assert_int_equal(audit_open(&a, path, longest), -ENAMETOOLONG);
        audit_close(NULL);
}

/* -- what it costs --------------------------------------------------------- */

/* For the record, no assertion: the machine may be busy. */
static void cost_of_a_line(void **state)
{
        const struct audit_established e = {"dns:a.example", true, "p384", "alice"};
        struct audit                  *a = open_log(NULL);
        const int                      n = 200, rounds = 200;
        int64_t                        best = INT64_MAX;

        (void)state;
        for (int r = 0; r < rounds; r++) {
                int64_t t = clock_now_ns();

                for (int i = 0; i < n; i++)
                        audit_established(a, &flow, &e);
                t    = (clock_now_ns() - t) / n;
                best = t < best ? t : best;
                audit_flush(a);
        }
        print_message("a line: %" PRId64 " ns\n", best);
        audit_close(a);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, remove_files, remove_files)
        const struct CMUnitTest tests[] = {
                TEST(every_event_has_its_fields),
                TEST(what_is_not_known_is_left_out),
                TEST(text_of_others_is_escaped),
                TEST(any_bytes_are_one_line_and_can_be_had_back),
                TEST(long_values_are_cut),
                TEST(the_journal_gets_fields),
                TEST(the_journal_never_blocks),
                TEST(a_full_file_keeps_lines_whole),
                TEST(lost_lines_are_counted),
                TEST(a_pipe_that_nobody_reads_does_not_block),
                TEST(a_renamed_file_is_left_behind),
                TEST(a_line_is_not_torn_by_rotation),
                TEST(a_file_that_cannot_be_opened_again_is_kept),
                TEST(a_fragment_of_an_earlier_life_is_ended),
                TEST(what_cannot_be_opened_is_an_error),
                TEST(cost_of_a_line),
        };

        return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
