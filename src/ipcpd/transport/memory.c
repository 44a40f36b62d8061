#include "ipcpd/transport/memory.h"

#include <stdlib.h>

struct memory_id {
        struct transport_key key;
        enum memory_of       what;
        int64_t              until_ns;
        UT_hash_handle       hh;
};

static void drop(struct memory *m, struct memory_id *i)
{
        HASH_DEL(m->table, i);
        free(i);
}

void memory_fini(struct memory *m)
{
        while (m->table != NULL)
                drop(m, m->table);
}

static struct memory_id *find(const struct memory *m, const struct table_secret *s,
                              const struct transport_key *k)
{
        struct memory_id *i;

        TABLE_FIND(s, m->table, k, TRANSPORT_KEY_LEN, i);
        return i;
}

void memory_put(struct memory *m, const struct table_secret *s, int64_t now_ns, const struct transport_key *k,
                enum memory_of what)
{
        struct memory_id *i = find(m, s, k);

        if (i != NULL)
                drop(m, i);
        else if (memory_count(m) >= MEMORY_IDS_MAX)
                drop(m, m->table);
        i = calloc(1, sizeof(*i));
        if (i == NULL)
                return;
        i->key      = *k;
        i->what     = what;
        i->until_ns = clock_after(now_ns, MEMORY_NS);
        TABLE_ADD(s, m->table, key, TRANSPORT_KEY_LEN, i);
        if (i->hh.tbl == NULL)
                free(i);
}

enum memory_of memory_of(const struct memory *m, const struct table_secret *s, const struct transport_key *k)
{
        const struct memory_id *i = find(m, s, k);

        return i != NULL ? i->what : MEMORY_NONE;
}

int64_t memory_age(struct memory *m, int64_t now_ns)
{
        while (m->table != NULL && m->table->until_ns <= now_ns)
                drop(m, m->table);
        return m->table != NULL ? m->table->until_ns : CLOCK_NEVER;
}

size_t memory_count(const struct memory *m)
{
        return HASH_COUNT(m->table);
}
