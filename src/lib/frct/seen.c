#include "frct/seen.h"

#include <string.h>

void seen_begin(struct seen *s, uint64_t first)
{
        s->next = first;
        s->n    = 0;
}

static void remove_at(struct seen *s, size_t i)
{
        s->n--;
        memmove(&s->range[i], &s->range[i + 1], (s->n - i) * sizeof(s->range[0]));
}

/* The first range, when next has come to it, is no longer behind next. */
static void merge_first(struct seen *s)
{
        while (s->n > 0 && s->range[0].from <= s->next) {
                if (s->range[0].to > s->next)
                        s->next = s->range[0].to;
                remove_at(s, 0);
        }
}

/* Makes room for one more: the oldest hole is taken for given up. */
static void forget_oldest(struct seen *s)
{
        s->next = s->range[0].from;
        merge_first(s);
}

static void insert_at(struct seen *s, size_t i, uint64_t seq)
{
        memmove(&s->range[i + 1], &s->range[i], (s->n - i) * sizeof(s->range[0]));
        s->range[i] = (struct range){seq, seq + 1};
        s->n++;
}

/*
 * @seq is behind next. The place of the first range that ends at it or later; looked for from the end, where
 * it is as a rule.
 */
static size_t place_of(const struct seen *s, uint64_t seq)
{
        size_t i = s->n;

        while (i > 0 && s->range[i - 1].to >= seq)
                i--;
        return i;
}

static bool put_behind(struct seen *s, uint64_t seq)
{
        size_t i = place_of(s, seq);

        if (i < s->n && seq >= s->range[i].from && seq < s->range[i].to)
                return false;
        if (i < s->n && s->range[i].to == seq) {
                s->range[i].to++;
                if (i + 1 < s->n && s->range[i + 1].from == seq + 1) {
                        s->range[i].to = s->range[i + 1].to;
                        remove_at(s, i + 1);
                }
        } else if (i < s->n && s->range[i].from == seq + 1) {
                s->range[i].from = seq;
        } else if (s->n < SEEN_MAX) {
                insert_at(s, i, seq);
        } else {
                forget_oldest(s);
                return seen_put(s, seq);
        }
        return true;
}

bool seen_put(struct seen *s, uint64_t seq)
{
        if (seq < s->next)
                return false;
        if (seq > s->next)
                return put_behind(s, seq);
        s->next++;
        merge_first(s);
        return true;
}

void seen_floor(struct seen *s, uint64_t first)
{
        if (first <= s->next)
                return;
        s->next = first;
        merge_first(s);
}

size_t seen_ranges(const struct seen *s, uint64_t newest, struct range *out, size_t max)
{
        size_t n     = 0;
        size_t first = s->n;

        for (size_t i = s->n; i > 0 && first == s->n; i--) {
                if (newest >= s->range[i - 1].from && newest < s->range[i - 1].to)
                        first = i - 1;
        }
        if (first < s->n && n < max)
                out[n++] = s->range[first];
        for (size_t i = s->n; i > 0 && n < max; i--) {
                if (i - 1 != first)
                        out[n++] = s->range[i - 1];
        }
        return n;
}
