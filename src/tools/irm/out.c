#include "irm/out.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ouroboros/errno.h>
#include <ouroboros/irm.h>

#include "base/str.h"
#include "irm/cmd.h"

/* -- text ------------------------------------------------------------------ */

/* A copy of @s with bytes that are not printable ASCII as \xNN. */
static char *escape(const char *s)
{
        char *out = malloc(4 * strlen(s) + 1);
        char *p   = out;

        if (out == NULL)
                return NULL;
        for (; *s != '\0'; s++) {
                if (*s >= 0x20 && *s < 0x7f)
                        *p++ = *s;
                else
                        p += sprintf(p, "\\x%02x", (unsigned char)*s);
        }
        *p = '\0';
        return out;
}

json_t *out_text(const char *s)
{
        char   *clean;
        json_t *text;

        if (str_text_ok(s))
                return json_string(s);
        clean = escape(s);
        text  = clean != NULL ? json_string(clean) : NULL;
        free(clean);
        return text;
}

json_t *out_texts(char *const *s, size_t n)
{
        json_t *list = json_array();

        for (size_t i = 0; i < n; i++) {
                if (json_array_append_new(list, out_text(s[i])) < 0) {
                        json_decref(list);
                        return NULL;
                }
        }
        return list;
}

json_t *out_hex(const uint8_t *bytes, size_t n)
{
        char   *hex = malloc(2 * n + 1);
        json_t *text;

        if (hex == NULL)
                return NULL;
        hex[0] = '\0';
        for (size_t i = 0; i < n; i++)
                sprintf(hex + 2 * i, "%02x", bytes[i]);
        text = json_string(hex);
        free(hex);
        return text;
}

/* -- cells ----------------------------------------------------------------- */

/* The members of a list with ", " between them. */
char *out_list(const json_t *list)
{
        char  *out = NULL;
        size_t size, n = json_array_size(list);
        FILE  *f = open_memstream(&out, &size);

        if (f == NULL)
                return NULL;
        for (size_t i = 0; i < n; i++) {
                const json_t *v = json_array_get(list, i);

                fputs(i > 0 ? ", " : "", f);
                if (json_is_string(v))
                        fputs(json_string_value(v), f);
                else
                        fprintf(f, "%lld", (long long)json_integer_value(v));
        }
        fclose(f);
        return out;
}

static char *show_value(const json_t *v)
{
        char *out = NULL;

        if (json_is_array(v) && json_array_size(v) > 0)
                return out_list(v);
        if (json_is_string(v) && json_string_length(v) > 0)
                return strdup(json_string_value(v));
        if (json_is_integer(v) && asprintf(&out, "%lld", (long long)json_integer_value(v)) >= 0)
                return out;
        return strdup("-");
}

char *out_count(const json_t *list)
{
        char *out = NULL;

        return asprintf(&out, "%zu", json_array_size(list)) >= 0 ? out : NULL;
}

char *out_duration(const json_t *ms)
{
        unsigned long long t   = (unsigned long long)json_integer_value(ms);
        char              *out = NULL;
        int                n;

        if (t < 60000)
                n = asprintf(&out, "%llu.%03llus", t / 1000, t % 1000);
        else if (t < 3600000)
                n = asprintf(&out, "%llum%02llus", t / 60000, t / 1000 % 60);
        else if (t < 86400000)
                n = asprintf(&out, "%lluh%02llum", t / 3600000, t / 60000 % 60);
        else
                n = asprintf(&out, "%llud%02lluh", t / 86400000, t / 3600000 % 24);
        return n >= 0 ? out : NULL;
}

char *out_yes(const json_t *flag)
{
        return strdup(json_is_true(flag) ? "yes" : "no");
}

char *out_date(const json_t *s)
{
        time_t    t = (time_t)json_integer_value(s);
        char      text[64];
        struct tm tm;

        if (t == 0 || gmtime_r(&t, &tm) == NULL || strftime(text, sizeof(text), "%Y-%m-%d %H:%MZ", &tm) == 0)
                return strdup("-");
        return strdup(text);
}

static char *show(const struct column *c, const json_t *row)
{
        const json_t *v = json_object_get(row, c->key);

        return c->show != NULL ? c->show(v) : show_value(v);
}

/* Columns that UTF-8 text takes: its characters. */
static int width(const char *s)
{
        int n = 0;

        for (; *s != '\0'; s++)
                n += (*s & 0xc0) != 0x80;
        return n;
}

/* @s and as many blanks as @columns want, in front of numbers, behind other things. */
static void print_cell(const char *s, int columns, bool number)
{
        int pad = columns > width(s) ? columns - width(s) : 0;

        printf("%*s%s%*s", number ? pad : 0, "", s, number ? 0 : pad, "");
}

/* -- tables ---------------------------------------------------------------- */

static size_t n_columns(const struct column *cols)
{
        size_t n = 0;

        while (cols[n].head != NULL)
                n++;
        return n;
}

/* One line; @cells are @n strings. The last column is not padded, so that no line ends in blanks. */
static void print_line(char *const *cells, const int *widths, const bool *numbers, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                bool last = i == n - 1;

                print_cell(cells[i], last && !numbers[i] ? 0 : widths[i], numbers[i]);
                fputs(last ? "\n" : "  ", stdout);
        }
}

static void print_cells(char **cells, size_t n_lines, size_t n, bool *numbers, int *widths)
{
        for (size_t i = 0; i < n_lines * n; i++)
                if (width(cells[i]) > widths[i % n])
                        widths[i % n] = width(cells[i]);
        for (size_t line = 0; line < n_lines; line++)
                print_line(cells + line * n, widths, numbers, n);
}

/* Fills @cells: the heads, then a line for each row. 0 or -ENOMEM. */
static int fill_cells(char **cells, bool *numbers, const json_t *rows, const struct column *cols, size_t n)
{
        size_t n_rows = json_array_size(rows);

        for (size_t i = 0; i < (n_rows + 1) * n; i++) {
                const struct column *c   = &cols[i % n];
                const json_t        *row = i < n ? NULL : json_array_get(rows, i / n - 1);

                cells[i] = row == NULL ? strdup(c->head) : show(c, row);
                if (cells[i] == NULL)
                        return -ENOMEM;
                if (json_is_integer(json_object_get(row, c->key)))
                        numbers[i % n] = true;
        }
        return 0;
}

static int print_table(const json_t *rows, const struct column *cols)
{
        size_t n       = n_columns(cols);
        size_t n_lines = json_array_size(rows) + 1;
        char **cells   = calloc(n_lines * n, sizeof(*cells));
        bool  *numbers = calloc(n, sizeof(*numbers));
        int   *widths  = calloc(n, sizeof(*widths));
        int    ret     = -ENOMEM;

        if (cells != NULL && numbers != NULL && widths != NULL)
                ret = fill_cells(cells, numbers, rows, cols, n);
        if (ret == 0)
                print_cells(cells, n_lines, n, numbers, widths);
        for (size_t i = 0; cells != NULL && i < n_lines * n; i++)
                free(cells[i]);
        free(cells);
        free(numbers);
        free(widths);
        return ret;
}

/* A line for each value. */
static int print_object(const json_t *object, const struct column *cols)
{
        int columns = 0;

        for (const struct column *c = cols; c->head != NULL; c++)
                if (width(c->head) > columns)
                        columns = width(c->head);
        for (const struct column *c = cols; c->head != NULL; c++) {
                char *cell = show(c, object);

                if (cell == NULL)
                        return -ENOMEM;
                print_cell(c->head, columns, false);
                printf("  %s\n", cell);
                free(cell);
        }
        return 0;
}

/* -- results --------------------------------------------------------------- */

static int print_json(const json_t *value)
{
        return json_dumpf(value, stdout, JSON_ENCODE_ANY) == 0 && putchar('\n') != EOF ? 0 : -EIO;
}

/* The common end of the three: @ret is how printing went. */
static int done(json_t *value, int ret)
{
        json_decref(value);
        return ret == 0 ? EXIT_DONE : out_refused(ret, "print the result");
}

int out_rows(const struct args *a, json_t *rows, const struct column *cols)
{
        if (rows == NULL)
                return done(NULL, -ENOMEM);
        return done(rows, a->json ? print_json(rows) : print_table(rows, cols));
}

int out_object(const struct args *a, json_t *object, const struct column *cols)
{
        if (object == NULL)
                return done(NULL, -ENOMEM);
        return done(object, a->json ? print_json(object) : print_object(object, cols));
}

int out_done(const struct args *a, json_t *what)
{
        if (what == NULL)
                return done(NULL, -ENOMEM);
        return done(what, a->json ? print_json(what) : 0);
}

/* What a user typed may hold anything; a file's name even what somebody else chose. */
static void complain(const char *what, const char *reason)
{
        char *clean = str_text_ok(what) ? NULL : escape(what);

        fprintf(stderr, "irm: cannot %s: %s\n", clean != NULL ? clean : what, reason);
        free(clean);
}

int out_refused(int code, const char *what, ...)
{
        const char *reason = irm_reason();
        char       *text;
        va_list     ap;

        if (code == -EIRMD) {
                fputs("irm: cannot reach the IRM daemon: is irmd running, and OUROBOROS_RUNTIME_DIR as it "
                      "has "
                      "it?\n",
                      stderr);
                return EXIT_NO_DAEMON;
        }
        va_start(ap, what);
        if (vasprintf(&text, what, ap) < 0)
                text = NULL;
        va_end(ap);
        complain(text != NULL ? text : "do it", reason[0] != '\0' ? reason : o7s_strerror(code));
        free(text);
        return EXIT_REFUSED;
}
