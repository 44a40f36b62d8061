/*
 * fuzz_encfg.c - f06: enc.cfg, as whatever an editor may leave.
 *
 *     | place 8 | text |      place: 0 the root's, 1 a server's, 2 a client's (modulo 3)
 *
 * Invariants: there is a rule or a fault, never both; the fault names file and line; no rule contradicts itself; text that is
 * accepted is accepted with a comment after it, and refused with any of its keys repeated.
 */
#include <errno.h>
#include <string.h>

#include "oap/rule.h"

#include "input.h"

#define PATH "/etc/enc.cfg"

static void check_patterns(const struct patterns *ps)
{
        MUST(ps->n == 0 || ps->present);
        for (size_t i = 0; i < ps->n; i++) {
                const char *p = ps->at[i];

                MUST(strpbrk(p, ":*?[") != NULL && strpbrk(p, ", \t\r\n") == NULL);
                if (strncmp(p, "dns:", 4) == 0)
                        MUST(strpbrk(p, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == NULL);
        }
}

static void check_rule(const struct rule *r, bool root, bool client)
{
        MUST(strcmp(r->file, PATH) == 0);
        MUST(r->suites != 0 && (r->suites & SUITE_BIT(SUITE_PLAIN)) == 0);
        MUST(r->suites & SUITE_BIT(r->first));
        MUST(suite_available(r->first));
        MUST(!r->disabled || (!r->encrypt && !r->hold));
        MUST(r->clock_skew_s >= 1 && r->clock_skew_s <= 3600);
        MUST(root || (!r->local_as_remote && r->clock_skew_s == RULE_SKEW_DEFAULT_S));
        if (client)
                MUST(r->suites == SUITE_BIT(r->first) && !r->allow.present && !r->deny.present && !r->hold);
        check_patterns(&r->allow);
        check_patterns(&r->deny);
}

static void check_fault(const struct rule_fault *f)
{
        MUST(memchr(f->text, '\0', sizeof(f->text)) != NULL);
        MUST(strncmp(f->text, PATH ":", strlen(PATH) + 1) == 0);
        for (const char *c = f->text; *c != '\0'; c++)
                MUST(*c >= ' ' && *c < 0x7f);
}

static int parse(const uint8_t *text, size_t len, uint8_t place)
{
        struct rule      *r;
        struct rule_fault fault;
        int               rc = rule_parse(&r, (const char *)text, len, PATH, place == 0, place == 2, &fault);

        MUST(rc == 0 || rc == -EINVAL);
        MUST((rc == 0) == (r != NULL));
        if (rc == 0)
                check_rule(r, place == 0, place == 2);
        else
                check_fault(&fault);
        rule_free(r);
        return rc;
}

/* @text with @more after it. */
static int parse_more(const uint8_t *text, size_t len, const void *more, size_t more_len, uint8_t place)
{
        uint8_t *whole = malloc(len + more_len + 1);
        int      rc;

        MUST(whole != NULL);
        memcpy(whole, text, len);
        whole[len] = '\n';
        memcpy(whole + len + 1, more, more_len);
        rc = parse(whole, len + 1 + more_len, place);
        free(whole);
        return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        uint8_t place;

        if (size == 0 || size > 4096)
                return 0;
        place = data[0] % 3;
        if (parse(data + 1, size - 1, place) < 0)
                return 0;
        MUST(parse_more(data + 1, size - 1, " # end", 6, place) == 0);
        MUST(parse_more(data + 1, size - 1, "unknown = 1", 11, place) == -EINVAL);
        if (memchr(data + 1, '=', size - 1) != NULL && data[1] > ' ' && data[1] < 0x7f && data[1] != '#')
                MUST(parse_more(data + 1, size - 1, data + 1, size - 1, place) == -EINVAL);
        return 0;
}
