#include "irm/args.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "irm/match.h"

static int fault(struct args *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int fault(struct args *a, const char *fmt, ...)
{
        va_list ap;
        int     n;

        va_start(ap, fmt);
        n = vasprintf(&a->fault, fmt, ap);
        va_end(ap);
        if (n < 0) {
                a->fault = NULL;
                return -ENOMEM;
        }
        return -EINVAL;
}

static int fault_no_key(struct args *a, const struct form *form, const struct match *m)
{
        char        known[256] = "nothing more is taken";
        const char *sep        = "known are ";
        size_t      at         = 0;

        if (m->other != NULL)
                return fault(a, "'%s' could be '%s' or '%s'", m->typed, m->word, m->other);
        if (m->typed[0] == '-')
                return fault(a, "there is no option '%s'", m->typed);
        if (m->near != NULL)
                return fault(a, "there is no keyword '%s': did you mean '%s'?", m->typed, m->near);
        for (const struct key *k = form->keys; k != NULL && k->name != NULL && at < sizeof(known); k++) {
                at += (size_t)snprintf(known + at, sizeof(known) - at, "%s%s", sep, k->name);
                sep = ", ";
        }
        return fault(a, "there is no keyword '%s': %s", m->typed, known);
}

/* Whether @value is one of the choice "this|that", in any letter case. */
static bool choice_has(const char *choice, const char *value)
{
        size_t len = strlen(value);

        for (;; choice++) {
                size_t n = strcspn(choice, "|");

                if (n == len && strncasecmp(choice, value, n) == 0)
                        return true;
                choice += n;
                if (*choice == '\0')
                        return false;
        }
}

static int check_value(struct args *a, const struct key *key, const char *value)
{
        unsigned long long pid;

        if (value[0] == '\0')
                return fault(a, "'%s' is empty", key->name);
        if ((key->opts & KEY_PID) != 0 && (!str_number(value, INT_MAX, &pid) || pid == 0))
                return fault(a, "'%s' is no process id", value);
        if (key->value != NULL && strchr(key->value, '|') != NULL && !choice_has(key->value, value))
                return fault(a, "'%s' must be one of %s, not '%s'", key->name, key->value, value);
        return 0;
}

/* Takes one keyword and its value from @words. Returns how many words that were, or a negative code. */
static ssize_t take_key(struct args *a, const struct form *form, char **words, size_t n)
{
        const struct key *key;
        struct match      m;
        int               ret;

        match_init(&m, words[0]);
        for (size_t i = 0; form->keys != NULL && form->keys[i].name != NULL; i++)
                match_offer(&m, form->keys[i].name, i);
        if (form->keys == NULL || !match_found(&m))
                return fault_no_key(a, form, &m);
        key = &form->keys[m.index];
        if ((key->opts & KEY_REPEAT) == 0 && args_get(a, key->name) != NULL)
                return fault(a, "'%s' is given twice", key->name);
        if (key->value != NULL && n < 2)
                return fault(a, "'%s' needs a value: %s", key->name, key->value);
        ret = key->value != NULL ? check_value(a, key, words[1]) : 0;
        if (ret < 0)
                return ret;
        a->given[a->n++] = (struct arg){key, key->value != NULL ? words[1] : ""};
        return key->value != NULL ? 2 : 1;
}

/* Of the keywords marked KEY_ANY one must be there. */
static int check_any(struct args *a, const struct form *form)
{
        char   any[128] = "";
        size_t at       = 0;

        for (const struct key *k = form->keys; k != NULL && k->name != NULL; k++) {
                if ((k->opts & KEY_ANY) == 0)
                        continue;
                if (args_get(a, k->name) != NULL)
                        return 0;
                if (at < sizeof(any))
                        at += (size_t)snprintf(any + at, sizeof(any) - at, "%s'%s %s'", at > 0 ? " or " : "",
                                               k->name, k->value);
        }
        return at > 0 ? fault(a, "%s is needed", any) : 0;
}

static int check_missing(struct args *a, const struct form *form)
{
        if ((form->operand.opts & KEY_NEEDED) != 0 && a->operand == NULL)
                return fault(a, "%s is missing: %s", form->operand.name, form->operand.help);
        for (const struct key *k = form->keys; k != NULL && k->name != NULL; k++)
                if ((k->opts & KEY_NEEDED) != 0 && args_get(a, k->name) == NULL)
                        return fault(a, "'%s %s' is missing: %s", k->name, k->value, k->help);
        if (a->n_rest > 0 && form->rest.value != NULL && args_get(a, form->rest.value) == NULL)
                return fault(a, "what comes after -- needs the keyword '%s'", form->rest.value);
        return check_any(a, form);
}

/* Takes what comes next of @words; *@ends: "--" was seen, so that no option follows. As take_key(). */
static ssize_t take(struct args *a, const struct form *form, bool *ends, char **words, size_t n)
{
        int ret;

        if (strcmp(words[0], "--") == 0 && !*ends) {
                *ends = true;
                if (form->rest.name == NULL)
                        return 1;
                a->rest   = words + 1;
                a->n_rest = n - 1;
                return (ssize_t)n;
        }
        if (form->operand.name == NULL || a->operand != NULL || (words[0][0] == '-' && !*ends))
                return take_key(a, form, words, n);
        a->operand = words[0];
        ret        = check_value(a, &form->operand, words[0]);
        return ret < 0 ? ret : 1;
}

int args_parse(struct args *a, const struct form *form, char **words, size_t n)
{
        bool    ends = false;
        ssize_t took;

        a->n     = 0;
        a->given = calloc(n + 1, sizeof(*a->given));
        if (a->given == NULL)
                return -ENOMEM;
        for (size_t i = 0; i < n; i += (size_t)took) {
                took = take(a, form, &ends, words + i, n - i);
                if (took < 0)
                        return (int)took;
        }
        return check_missing(a, form);
}

void args_fini(struct args *a)
{
        free(a->given);
        free(a->fault);
        a->given = NULL;
        a->fault = NULL;
}

const char *args_get(const struct args *a, const char *key)
{
        size_t at = 0;

        return args_next(a, key, &at);
}

const char *args_next(const struct args *a, const char *key, size_t *at)
{
        while (*at < a->n) {
                const struct arg *arg = &a->given[(*at)++];

                if (strcmp(arg->key->name, key) == 0)
                        return arg->value;
        }
        return NULL;
}

pid_t args_pid(const char *value)
{
        unsigned long long pid = 0;

        return str_number(value, INT_MAX, &pid) ? (pid_t)pid : 0;
}
