#include "script.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS_MAX 1e6

struct entry {
        struct entry *next;
        int64_t       ns;
        unsigned      which; /* bit 0: A to B, bit 1: B to A */
        enum knob     knob;
        double        value;
};

static int insert(struct script *s, const struct entry *e)
{
        struct entry **at = &s->first, *n = malloc(sizeof(*n));

        if (n == NULL)
                return -1;
        while (*at != NULL && (*at)->ns <= e->ns)
                at = &(*at)->next;
        *n      = *e;
        n->next = *at;
        *at     = n;
        return 0;
}

void script_destroy(struct script *s)
{
        while (s->first != NULL) {
                struct entry *e = s->first;

                s->first = e->next;
                free(e);
        }
}

/* @from is empty afterwards, and @to has it all. */
static int merge(struct script *to, struct script *from, char why[WHY_MAX])
{
        for (const struct entry *e = from->first; e != NULL; e = e->next) {
                if (insert(to, e) < 0) {
                        snprintf(why, WHY_MAX, "out of memory");
                        return -1;
                }
        }
        return 0;
}

/* -- reading --------------------------------------------------------------- */

static bool seconds(const char *text, int64_t *ns)
{
        double s;

        if (!knob_number(text, &s) || !(s >= 0 && s <= SECONDS_MAX))
                return false;
        *ns = (int64_t)(s * 1e9);
        return true;
}

static int add_blackout(struct script *s, unsigned which, char *range, char why[WHY_MAX])
{
        char        *to   = strstr(range, "..");
        struct entry down = {.which = which, .knob = DOWN, .value = 1}, up = {.which = which, .knob = DOWN};

        if (to != NULL) {
                *to = '\0';
                to += 2;
        }
        if (to == NULL || !seconds(range, &down.ns) || !seconds(to, &up.ns) || up.ns < down.ns) {
                snprintf(why, WHY_MAX, "blackout is FROM..TO, in seconds");
                return -1;
        }
        return insert(s, &down) < 0 || insert(s, &up) < 0 ? -1 : 0;
}

static int add_word(struct script *s, int64_t ns, unsigned which, char *word, char why[WHY_MAX])
{
        char        *equals = strchr(word, '=');
        struct entry e      = {.ns = ns, .which = which};

        if (equals == NULL) {
                snprintf(why, WHY_MAX, "\"%.80s\" is not KEY=VALUE", word);
                return -1;
        }
        if (equals - word == 8 && memcmp(word, "blackout", 8) == 0)
                return add_blackout(s, which, equals + 1, why);
        e.knob = knob_find(word, (size_t)(equals - word));
        if (e.knob == KNOB_N) {
                snprintf(why, WHY_MAX, "there is no \"%.*s\"", (int)(equals - word), word);
                return -1;
        }
        if (!knob_number(equals + 1, &e.value) || !knob_fits(e.knob, e.value)) {
                snprintf(why, WHY_MAX, "%s is a number from 0 to %.15g, not \"%.80s\"", knob_name(e.knob),
                         knob_max(e.knob), equals + 1);
                return -1;
        }
        return insert(s, &e);
}

/* 0: none of the three. */
static unsigned which_of(const char *word)
{
        if (word == NULL)
                return 0;
        if (strcmp(word, "both") == 0)
                return 3;
        return strcmp(word, "ab") == 0 ? 1 : strcmp(word, "ba") == 0 ? 2 : 0;
}

static int add_words(struct script *s, int64_t ns, char *text, char why[WHY_MAX])
{
        char    *save, *word = strtok_r(text, " \t\n", &save);
        unsigned which = which_of(word);
        int      n     = 0;

        if (which == 0) {
                snprintf(why, WHY_MAX, "\"%.80s\" is not ab, ba or both", word == NULL ? "" : word);
                return -1;
        }
        for (; (word = strtok_r(NULL, " \t\n", &save)) != NULL; n++)
                if (add_word(s, ns, which, word, why) < 0)
                        return -1;
        if (n == 0)
                snprintf(why, WHY_MAX, "nothing is set");
        return n > 0 ? 0 : -1;
}

int script_add(struct script *s, int64_t ns, const char *text, char why[WHY_MAX])
{
        struct script fresh = {NULL};
        char         *copy  = strdup(text);
        int           r     = -1;

        snprintf(why, WHY_MAX, "out of memory");
        if (copy != NULL)
                r = add_words(&fresh, ns, copy, why);
        if (r == 0)
                r = merge(s, &fresh, why);
        script_destroy(&fresh);
        free(copy);
        return r;
}

int script_add_line(struct script *s, const char *line, char why[WHY_MAX])
{
        char    first[32];
        int     used = 0;
        int64_t ns;

        if (sscanf(line, "%31s%n", first, &used) != 1 || !seconds(first, &ns)) {
                snprintf(why, WHY_MAX, "\"%.80s\" does not begin with a time in seconds", line);
                return -1;
        }
        return script_add(s, ns, line + used, why);
}

static bool is_blank(const char *line)
{
        while (isspace((unsigned char)*line))
                line++;
        return *line == '\0';
}

int script_add_file(struct script *s, const char *path, char why[WHY_MAX])
{
        FILE  *f    = fopen(path, "re");
        char  *line = NULL, reason[WHY_MAX];
        size_t size = 0;
        int    r    = 0;

        if (f == NULL)
                snprintf(why, WHY_MAX, "%.120s: %s", path, strerror(errno));
        for (int n = 1; f != NULL && r == 0 && getline(&line, &size, f) > 0; n++) {
                line[strcspn(line, "#\n")] = '\0';
                if (is_blank(line))
                        continue;
                r = script_add_line(s, line, reason);
                if (r < 0)
                        snprintf(why, WHY_MAX, "%.60s, line %d: %.160s", path, n, reason);
        }
        free(line);
        if (f != NULL)
                fclose(f);
        return f == NULL ? -1 : r;
}

/* -- running --------------------------------------------------------------- */

void script_run(struct script *s, int64_t ns, struct knobs *const knobs[2])
{
        while (s->first != NULL && s->first->ns <= ns) {
                struct entry *e = s->first;

                for (unsigned i = 0; i < 2; i++)
                        if (e->which >> i & 1)
                                knobs[i]->v[e->knob] = e->value;
                s->first = e->next;
                free(e);
        }
}

int64_t script_next_ns(const struct script *s)
{
        return s->first == NULL ? INT64_MAX : s->first->ns;
}
