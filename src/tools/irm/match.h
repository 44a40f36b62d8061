/*
 * match.h - which word of a list somebody means who typed it, its beginning, or nearly it.
 *
 *     match_init(&m, typed);
 *     for (size_t i = 0; i < n; i++)
 *             match_offer(&m, words[i], i);
 *     if (match_found(&m))
 *             use(words[m.index]);
 */
#ifndef O7S_TOOLS_IRM_MATCH_H
#define O7S_TOOLS_IRM_MATCH_H

#include <stdbool.h>
#include <stddef.h>

struct match {
        const char  *typed;
        const char  *word, *other; /* begin with it: the first, and another; an exact one has no other */
        size_t       index;        /* of @word */
        bool         exact;
        const char  *near; /* most like it, or NULL when none is */
        unsigned int near_edits;
};

void match_init(struct match *m, const char *typed);

/* Keeps @word, which must outlive @m. */
void match_offer(struct match *m, const char *word, size_t index);

/* Whether exactly one word was meant. If not: ambiguous when there is an other, else unknown. */
bool match_found(const struct match *m);

/* Letters to insert, remove, replace or swap with the next to make @b of @a; UINT_MAX for words over 31
 * bytes. */
unsigned int match_edits(const char *a, const char *b);

#endif
