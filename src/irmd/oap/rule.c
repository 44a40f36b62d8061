/*
 * enc.cfg as text: lines of `key = value`, comments from a '#' that begins a line or follows a blank. What is not
 * understood to the letter is refused with file and line, for a policy that is half read is weaker than none: an unknown
 * key may have been meant to deny, and a pattern that can match nothing denies nobody.
 */
#include "oap/rule.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "oap/pattern.h"

#define TEXT_MAX   (1024u * 1024u)
#define LINE_MAX_  (64u * 1024u)
#define SKEW_MAX_S 3600u

/* Where a key has a meaning. */
enum { ANYWHERE, ROOT_ONLY, NOT_CLIENT };

struct parser {
        struct rule       *rule;
        struct rule_fault *fault;
        const char        *file;
        bool               root, client;
        unsigned           line; /* being read; 0: the file as a whole */
        unsigned           seen; /* keys, by their bits                */
};

/* Records the fault, with file and line in front. A long path keeps its end. */
__attribute__((format(printf, 2, 3))) static int refuse(struct parser *p, const char *fmt, ...)
{
        size_t  len = strlen(p->file), tail = len > 120 ? len - 120 : 0;
        char   *at  = p->fault->text;
        size_t  cap = sizeof(p->fault->text);
        int     n;
        va_list ap;

        p->fault->line = p->line;
        n              = p->line > 0 ? snprintf(at, cap, "%s:%u: ", p->file + tail, p->line)
                                     : snprintf(at, cap, "%s: ", p->file + tail);
        va_start(ap, fmt);
        vsnprintf(at + n, cap - (size_t)n, fmt, ap);
        va_end(ap);
        return -EINVAL;
}

/* The start of a word from the file, fit to be shown. */
struct shown {
        char s[48];
};

static struct shown show(const char *word)
{
        struct shown out = {""};

        for (size_t i = 0; word[i] != '\0' && i < sizeof(out.s) - 1; i++)
                out.s[i] = (char)(word[i] > ' ' && word[i] < 0x7f ? word[i] : '?');
        return out;
}

/* The next word of a list, cut out of *@list, or NULL: words are parted by commas and blanks. */
static char *word_next(char **list)
{
        char *word;

        do
                word = strsep(list, ", \t");
        while (word != NULL && *word == '\0');
        return word;
}

/* -- values ------------------------------------------------------------------------------------------------ */

static int set_disabled(struct parser *p, char *value)
{
        (void)value;
        p->rule->disabled = true;
        p->rule->encrypt  = false;
        return 0;
}

/* Which of the NULL-terminated @words @value is, or -EINVAL. */
static int choose(struct parser *p, const char *key, const char *value, const char *const *words)
{
        for (int i = 0; words[i] != NULL; i++)
                if (strcmp(value, words[i]) == 0)
                        return i;
        return refuse(p, "%s cannot be '%s'", key, show(value).s);
}

static int set_encryption(struct parser *p, char *value)
{
        static const char *const words[] = {"disabled", "required", NULL};
        int                      i       = choose(p, "encryption", value, words);

        p->rule->encrypt = i == 1;
        return i < 0 ? i : 0;
}

static int set_authentication(struct parser *p, char *value)
{
        static const char *const    words[]  = {"mutual", "server", "optional", NULL};
        static const enum rule_auth values[] = {AUTH_MUTUAL, AUTH_SERVER, AUTH_OPTIONAL};
        int                         i        = choose(p, "authentication", value, words);

        if (i < 0)
                return i;
        p->rule->auth = values[i];
        return 0;
}

static int set_first_data(struct parser *p, char *value)
{
        static const char *const words[] = {"now", "confirmed", NULL};
        int                      i       = choose(p, "first-data", value, words);

        p->rule->hold = i == 1;
        return i < 0 ? i : 0;
}

static int set_local(struct parser *p, char *value)
{
        static const char *const words[] = {"kernel", "as-remote", NULL};
        int                      i       = choose(p, "local", value, words);

        p->rule->local_as_remote = i == 1;
        return i < 0 ? i : 0;
}

static int set_clock_skew(struct parser *p, char *value)
{
        unsigned long long n;

        if (!str_number(value, SKEW_MAX_S, &n) || n == 0)
                return refuse(p, "clock-skew is 1 to %u seconds, not '%s'", SKEW_MAX_S, show(value).s);
        p->rule->clock_skew_s = (unsigned)n;
        return 0;
}

static int add_suite(struct parser *p, const char *word)
{
        struct rule *r = p->rule;
        enum suite   s;

        if (!suite_parse(word, &s))
                return refuse(p, "there is no suite '%s'", show(word).s);
        if (!suite_available(s))
                return refuse(p, "suite '%s' needs a newer OpenSSL than is installed", show(word).s);
        if (r->suites & SUITE_BIT(s))
                return refuse(p, "suite '%s' is named twice", show(word).s);
        if (r->suites == 0)
                r->first = s;
        else if (p->client)
                return refuse(p, "a client names one suite");
        r->suites |= SUITE_BIT(s);
        return 0;
}

static int set_suite(struct parser *p, char *value)
{
        char *word;
        int   r = 0;

        p->rule->suites = 0;
        while (r == 0 && (word = word_next(&value)) != NULL)
                r = add_suite(p, word);
        if (r == 0 && p->rule->suites == 0)
                return refuse(p, "suite is empty");
        return r;
}

static int add_pattern(struct parser *p, struct patterns *ps, const char *word)
{
        const char *fault = pattern_fault(word);

        return fault == NULL ? patterns_add(ps, word) : refuse(p, "pattern '%s' %s", show(word).s, fault);
}

static int set_patterns(struct parser *p, struct patterns *ps, char *value)
{
        char *word;
        int   r = 0;

        ps->present = true;
        while (r == 0 && (word = word_next(&value)) != NULL)
                r = add_pattern(p, ps, word);
        return r;
}

static int set_allow(struct parser *p, char *value)
{
        return set_patterns(p, &p->rule->allow, value);
}

static int set_deny(struct parser *p, char *value)
{
        return set_patterns(p, &p->rule->deny, value);
}

/* -- lines ------------------------------------------------------------------------------------------------- */

enum key { DISABLED, ENCRYPTION, AUTHENTICATION, SUITE, ALLOW, DENY, FIRST_DATA, LOCAL, CLOCK_SKEW, N_KEYS };

static const struct {
        const char *name;
        int         where;
        bool        alone; /* without a value */
        int (*set)(struct parser *p, char *value);
} keys[N_KEYS] = {
        [DISABLED]       = {"disabled", ANYWHERE, true, set_disabled},
        [ENCRYPTION]     = {"encryption", ANYWHERE, false, set_encryption},
        [AUTHENTICATION] = {"authentication", ANYWHERE, false, set_authentication},
        [SUITE]          = {"suite", ANYWHERE, false, set_suite},
        [ALLOW]          = {"allow", NOT_CLIENT, false, set_allow},
        [DENY]           = {"deny", NOT_CLIENT, false, set_deny},
        [FIRST_DATA]     = {"first-data", NOT_CLIENT, false, set_first_data},
        [LOCAL]          = {"local", ROOT_ONLY, false, set_local},
        [CLOCK_SKEW]     = {"clock-skew", ROOT_ONLY, false, set_clock_skew},
};

static bool seen(const struct parser *p, enum key k)
{
        return (p->seen & 1u << k) != 0;
}

/* @value is NULL where there is no '='. */
static int take(struct parser *p, const char *name, char *value)
{
        int k = 0;

        while (k < N_KEYS && strcmp(name, keys[k].name) != 0)
                k++;
        if (k == N_KEYS)
                return refuse(p, "unknown key '%s'", show(name).s);
        if (seen(p, (enum key)k))
                return refuse(p, "%s is repeated", name);
        if (keys[k].alone != (value == NULL))
                return refuse(p, "%s %s", name, keys[k].alone ? "stands alone" : "needs a value");
        if (keys[k].where == ROOT_ONLY && !p->root)
                return refuse(p, "%s belongs in the system-wide enc.cfg", name);
        if (keys[k].where == NOT_CLIENT && p->client)
                return refuse(p, "%s has no meaning for a client", name);
        p->seen |= 1u << k;
        return keys[k].set(p, value);
}

/* Cuts blanks off both ends of @s. */
static char *trim(char *s)
{
        char *end;

        s += strspn(s, " \t\r");
        end = s + strlen(s);
        while (end > s && strchr(" \t\r", end[-1]) != NULL)
                end--;
        *end = '\0';
        return s;
}

static void cut_comment(char *line)
{
        for (char *c = line; *c != '\0'; c++)
                if (*c == '#' && (c == line || c[-1] == ' ' || c[-1] == '\t')) {
                        *c = '\0';
                        return;
                }
}

/* One line, without its newline, terminated. */
static int read_line(struct parser *p, char *line, size_t len)
{
        char *value;

        if (len > LINE_MAX_)
                return refuse(p, "the line is longer than %u bytes", LINE_MAX_);
        if (memchr(line, '\0', len) != NULL)
                return refuse(p, "the line holds a NUL byte");
        cut_comment(line);
        value = line;
        line  = strsep(&value, "=");
        line  = trim(line);
        if (value != NULL)
                value = trim(value);
        return *line == '\0' && value == NULL ? 0 : take(p, line, value);
}

static int read_lines(struct parser *p, char *text, char *end)
{
        int r = 0;

        while (r == 0 && text < end) {
                char *nl = memchr(text, '\n', (size_t)(end - text));

                if (nl == NULL)
                        nl = end;
                *nl = '\0'; /* the copy has room for one after its end */
                p->line++;
                r    = read_line(p, text, (size_t)(nl - text));
                text = nl + 1;
        }
        return r;
}

/* What single lines cannot show: keys that contradict each other. */
static int check_whole(struct parser *p)
{
        p->line = 0;
        if (!p->rule->disabled)
                return 0;
        if (seen(p, ENCRYPTION) || seen(p, SUITE))
                return refuse(p, "disabled contradicts encryption and suite");
        if (p->rule->hold)
                return refuse(p, "disabled contradicts first-data = confirmed: no record will come");
        return 0;
}

static int parse(struct parser *p, const char *text, size_t len)
{
        static const char bom[] = "\xef\xbb\xbf";
        char             *copy;
        int               r;

        if (len > TEXT_MAX)
                return refuse(p, "larger than %u bytes", TEXT_MAX);
        copy = malloc(len + 1);
        if (copy == NULL)
                return -ENOMEM;
        memcpy(copy, text, len);
        copy[len] = '\0';
        r         = read_lines(p, len >= 3 && memcmp(copy, bom, 3) == 0 ? copy + 3 : copy, copy + len);
        free(copy);
        return r == 0 ? check_whole(p) : r;
}

static struct rule *rule_new(const char *file)
{
        struct rule *r = calloc(1, sizeof(*r));

        if (r == NULL)
                return NULL;
        r->encrypt      = true;
        r->first        = SUITE_P384;
        r->suites       = SUITE_BIT(SUITE_P384);
        r->clock_skew_s = RULE_SKEW_DEFAULT_S;
        r->file         = strdup(file);
        if (r->file == NULL) {
                rule_free(r);
                return NULL;
        }
        return r;
}

int rule_parse(struct rule **out, const char *text, size_t len, const char *file, bool root, bool client,
               struct rule_fault *fault)
{
        struct rule  *rule = rule_new(file);
        struct parser p    = {rule, fault, file, root, client, 0, 0};
        int           r;

        *out = NULL;
        memset(fault, 0, sizeof(*fault));
        if (rule == NULL)
                return -ENOMEM;
        r = parse(&p, text, len);
        if (r < 0)
                rule_free(rule);
        else
                *out = rule;
        return r;
}

void rule_free(struct rule *r)
{
        if (r == NULL)
                return;
        patterns_clear(&r->allow);
        patterns_clear(&r->deny);
        free(r->file);
        free(r);
}
