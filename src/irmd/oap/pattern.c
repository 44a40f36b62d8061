#include "oap/pattern.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool is_type(const char *pattern, size_t len)
{
        static const char *const types[] = {"dns", "email", "uri", "cn", "uid"};

        for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
                if (strlen(types[i]) == len && strncmp(pattern, types[i], len) == 0)
                        return true;
        return false;
}

/* Digits, and what stands for some. */
static bool is_number(const char *s)
{
        return s[strspn(s, "0123456789*?[]-!")] == '\0';
}

/* Whether its last backslash has nothing to stand in front of; fnmatch() would match it with nothing. */
static bool ends_open(const char *s)
{
        size_t n = strlen(s), slashes = 0;

        while (slashes < n && s[n - 1 - slashes] == '\\')
                slashes++;
        return slashes % 2 == 1;
}

const char *pattern_fault(const char *pattern)
{
        size_t      type = strcspn(pattern, ":");
        const char *name = pattern + type + 1;

        for (const char *c = pattern; *c != '\0'; c++)
                if (*c < 0x21 || *c > 0x7e)
                        return "holds a byte that no identity has";
        if (ends_open(pattern))
                return "ends with a backslash";
        if (strcspn(pattern, "*?[") < type)
                return NULL; /* any type */
        if (pattern[type] == '\0' || !is_type(pattern, type))
                return "does not begin with dns:, email:, uri:, cn: or uid:";
        if (*name == '\0')
                return "has no name after its type";
        if (strncmp(pattern, "uid:", 4) == 0 && !is_number(name))
                return "is not the number of a user";
        return NULL;
}

/* Identities are lower-cased where case has no meaning, so patterns are too: or they would match nothing. */
static void pattern_lower(char *pattern)
{
        char *from = strncmp(pattern, "dns:", 4) == 0 ? pattern : NULL;

        if (strncmp(pattern, "email:", 6) == 0)
                from = strrchr(pattern, '@');
        for (; from != NULL && *from != '\0'; from++)
                if (*from >= 'A' && *from <= 'Z')
                        *from = (char)(*from - 'A' + 'a');
}

int patterns_add(struct patterns *ps, const char *pattern)
{
        char **at = realloc(ps->at, (ps->n + 1) * sizeof(*at));

        if (at == NULL)
                return -ENOMEM;
        ps->at        = at;
        ps->at[ps->n] = strdup(pattern);
        if (ps->at[ps->n] == NULL)
                return -ENOMEM;
        pattern_lower(ps->at[ps->n++]);
        return 0;
}

void patterns_clear(struct patterns *ps)
{
        for (size_t i = 0; i < ps->n; i++)
                free(ps->at[i]);
        free(ps->at);
        *ps = (struct patterns){0};
}
