#include "base/str.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <ouroboros/name.h>

bool str_copy(char *dst, size_t cap, const char *src)
{
        size_t n = strnlen(src, cap);

        if (n == cap) {
                dst[0] = '\0';
                return false;
        }
        memcpy(dst, src, n + 1);
        return true;
}

/*
 * Bytes of the UTF-8 sequence at @s, or 0 when it is none (overlong forms, surrogates and values above
 * U+10FFFF included).
 */
static size_t utf8_len(const unsigned char *s)
{
        static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
        uint32_t              c;
        size_t                n;

        if (s[0] < 0x80)
                return 1;
        n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
        if (s[0] < 0xc2 || s[0] > 0xf4)
                return 0;
        c = s[0] & (0x7fu >> n);
        for (size_t i = 1; i < n; i++) {
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
                c = c << 6 | (s[i] & 0x3fu);
        }
        if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
                return 0;
        return n;
}

size_t str_char(const char *s)
{
        const unsigned char *p = (const unsigned char *)s;

        if (*p < 0x20 || *p == 0x7f)
                return 0;
        if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0) /* C1 */
                return 0;
        return utf8_len(p);
}

bool str_text_ok(const char *s)
{
        size_t n;

        for (; *s != '\0'; s += n) {
                n = str_char(s);
                if (n == 0)
                        return false;
        }
        return true;
}

const char *str_name_fault(const char *s)
{
        if (s == NULL || s[0] == '\0')
                return "is empty";
        if (strnlen(s, NAME_SIZE + 1) > NAME_SIZE)
                return "is longer than 255 bytes";
        if (s[0] == '.')
                return "begins with a '.'";
        if (strchr(s, '/') != NULL)
                return "holds a '/'";
        if (strstr(s, "..") != NULL)
                return "holds a '..'";
        if (!str_text_ok(s))
                return "holds a control character or is not UTF-8";
        return NULL;
}

bool str_number(const char *s, unsigned long long max, unsigned long long *value)
{
        char              *end;
        unsigned long long v;

        if (s[0] < '0' || s[0] > '9')
                return false;
        errno = 0;
        v     = strtoull(s, &end, 10);
        if (errno != 0 || *end != '\0' || v > max)
                return false;
        *value = v;
        return true;
}
