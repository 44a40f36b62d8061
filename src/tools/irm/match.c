#include "irm/match.h"

#include <limits.h>
#include <string.h>

#define WORD_MAX 31u

void match_init(struct match *m, const char *typed)
{
        *m = (struct match){.typed = typed, .near_edits = UINT_MAX};
}

static unsigned int least(unsigned int a, unsigned int b)
{
        return a < b ? a : b;
}

/* The optimal string alignment distance, a row of the table for each letter of @a. */
unsigned int match_edits(const char *a, const char *b)
{
        unsigned int d[WORD_MAX + 1][WORD_MAX + 1];
        size_t       n = strnlen(a, WORD_MAX + 1), m = strnlen(b, WORD_MAX + 1);

        if (n > WORD_MAX || m > WORD_MAX)
                return UINT_MAX;
        for (size_t i = 0; i <= n; i++) {
                for (size_t j = 0; j <= m; j++) {
                        if (i == 0 || j == 0) {
                                d[i][j] = (unsigned int)(i + j);
                                continue;
                        }
                        d[i][j] = least(d[i - 1][j], d[i][j - 1]) + 1;
                        d[i][j] = least(d[i][j], d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
                        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                                d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
                }
        }
        return d[n][m];
}

static void offer_near(struct match *m, const char *word)
{
        unsigned int edits = match_edits(m->typed, word);

        if (edits < m->near_edits && edits <= (strlen(word) + 2) / 3) {
                m->near       = word;
                m->near_edits = edits;
        }
}

void match_offer(struct match *m, const char *word, size_t index)
{
        size_t len = strlen(m->typed);

        offer_near(m, word);
        if (m->exact || len == 0 || strncmp(word, m->typed, len) != 0)
                return;
        m->exact = word[len] == '\0';
        if (m->word == NULL || m->exact) {
                m->word  = word;
                m->index = index;
                m->other = NULL;
        } else {
                m->other = word;
        }
}

bool match_found(const struct match *m)
{
        return m->word != NULL && m->other == NULL;
}
