#include "source.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <uthash.h>

#include "base/clock.h"

#define KNOWN_NS (3600 * NS_PER_S)

struct source {
        struct source_tag tag;
        TAILQ_ENTRY(source) by_age;
        size_t         under_way;
        bool           verified;
        int64_t        verified_ns;
        UT_hash_handle hh;
};

struct sources {
        size_t         max, share;
        struct source *table;
        TAILQ_HEAD(ages, source) ages; /* least recently seen first */
};

struct sources *sources_create(size_t max, size_t share)
{
        struct sources *s = calloc(1, sizeof(*s));

        if (s == NULL)
                return NULL;
        s->max   = max;
        s->share = share;
        TAILQ_INIT(&s->ages);
        return s;
}

static void drop(struct sources *s, struct source *o)
{
        TAILQ_REMOVE(&s->ages, o, by_age);
        HASH_DEL(s->table, o);
        free(o);
}

void sources_destroy(struct sources *s)
{
        if (s == NULL)
                return;
        while (!TAILQ_EMPTY(&s->ages))
                drop(s, TAILQ_FIRST(&s->ages));
        free(s);
}

static struct source *find(const struct sources *s, const struct source_tag *t)
{
        struct source *o;

        HASH_FIND(hh, s->table, t, sizeof(*t), o);
        return o;
}

/* Strangers give way before who is known, and nobody does who has something under way. */
static bool make_room(struct sources *s)
{
        struct source *o, *victim = NULL;

        if (HASH_COUNT(s->table) < s->max)
                return true;
        TAILQ_FOREACH (o, &s->ages, by_age) {
                if (o->under_way > 0)
                        continue;
                if (victim == NULL)
                        victim = o;
                if (!o->verified) {
                        victim = o;
                        break;
                }
        }
        if (victim == NULL)
                return false;
        drop(s, victim);
        return true;
}

static struct source *find_or_add(struct sources *s, const struct source_tag *t)
{
        struct source *o = find(s, t);

        if (o != NULL) {
                TAILQ_REMOVE(&s->ages, o, by_age);
        } else {
                o = make_room(s) ? calloc(1, sizeof(*o)) : NULL;
                if (o == NULL)
                        return NULL;
                o->tag = *t;
                HASH_ADD(hh, s->table, tag, sizeof(o->tag), o);
        }
        TAILQ_INSERT_TAIL(&s->ages, o, by_age);
        return o;
}

bool source_enter(struct sources *s, const struct source_tag *t)
{
        struct source *o = find_or_add(s, t);

        if (o == NULL || o->under_way >= s->share)
                return false;
        o->under_way++;
        return true;
}

void source_leave(struct sources *s, const struct source_tag *t)
{
        struct source *o = find(s, t);

        if (o != NULL && o->under_way > 0)
                o->under_way--;
}

void source_verified(struct sources *s, const struct source_tag *t, int64_t now_ns)
{
        struct source *o = find(s, t);

        if (o == NULL)
                return;
        o->verified    = true;
        o->verified_ns = now_ns;
}

bool source_known(struct sources *s, const struct source_tag *t, int64_t now_ns)
{
        struct source *o = find(s, t);

        if (o == NULL || !o->verified)
                return false;
        o->verified = now_ns - o->verified_ns < KNOWN_NS;
        return o->verified;
}
