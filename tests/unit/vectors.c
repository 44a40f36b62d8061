#include "vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define PATH_LEN 4096

static json_t *load(const char *dir, const char *name)
{
        char         path[PATH_LEN];
        json_error_t error;
        json_t      *root;

        snprintf(path, sizeof(path), "%s/%s", dir, name);
        root = json_load_file(path, 0, &error);
        if (root == NULL)
                print_error("%s: %s\n", path, error.text);
        assert_non_null(root);
        return root;
}

json_t *vectors_own(const char *name)
{
        return load(O7S_SOURCE_DIR "/tests/vectors", name);
}

json_t *vectors_wycheproof(const char *name)
{
        const char *dir = getenv("O7S_WYCHEPROOF");

        if (dir == NULL)
                dir = O7S_SOURCE_DIR "/../shared/vectors/wycheproof";
        if (access(dir, R_OK) < 0) {
                print_message("no Wycheproof vectors in %s: skipped\n", dir);
                skip();
        }
        return load(dir, name);
}

const char *vectors_text(const json_t *object, const char *key)
{
        const char *s = json_string_value(json_object_get(object, key));

        assert_non_null(s);
        return s;
}

static uint8_t digit(char c)
{
        if (c >= '0' && c <= '9')
                return (uint8_t)(c - '0');
        assert_in_range(c, 'a', 'f');
        return (uint8_t)(c - 'a' + 10);
}

size_t vectors_bytes(const json_t *object, const char *key, uint8_t *out, size_t max)
{
        const char *s = vectors_text(object, key);
        size_t      n = strlen(s) / 2;

        assert_true(strlen(s) % 2 == 0 && n <= max);
        for (size_t i = 0; i < n; i++)
                out[i] = (uint8_t)(digit(s[2 * i]) << 4 | digit(s[2 * i + 1]));
        return n;
}

int64_t vectors_number(const json_t *object, const char *key)
{
        const json_t *v = json_object_get(object, key);

        assert_true(json_is_integer(v));
        return json_integer_value(v);
}
