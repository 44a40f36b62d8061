#include "ipcpd/transport/quota.h"

#include <assert.h>
#include <stdlib.h>

struct source {
        struct link_addr host; /* of host_of() */
        size_t           bytes;
        unsigned         incomplete;
        UT_hash_handle   hh;
};

static void drop(struct sources *ss, struct source *o)
{
        HASH_DEL(ss->table, o);
        free(o);
}

void sources_fini(struct sources *ss)
{
        while (ss->table != NULL)
                drop(ss, ss->table);
}

/* The address without what says which socket of the host it is; its length says which account. */
static struct link_addr host_of(const struct link_addr *a, bool proved)
{
        struct link_addr host = {.host_len = a->host_len, .len = proved};

        memcpy(host.b, a->b, a->host_len);
        return host;
}

static struct source *find_or_add(struct sources *ss, const struct table_secret *s,
                                  const struct link_addr *host)
{
        struct source *o;

        TABLE_FIND(s, ss->table, host, sizeof(*host), o);
        if (o != NULL)
                return o;
        o = calloc(1, sizeof(*o));
        if (o == NULL)
                return NULL;
        o->host = *host;
        TABLE_ADD(s, ss->table, host, sizeof(o->host), o);
        if (o->hh.tbl != NULL)
                return o;
        free(o);
        return NULL;
}

bool source_take(struct sources *ss, struct source *o, size_t bytes)
{
        if (bytes > SOURCE_BYTES_MAX - o->bytes || bytes > SOURCES_BYTES_MAX - ss->bytes)
                return false;
        o->bytes += bytes;
        ss->bytes += bytes;
        return true;
}

struct source *source_enter(struct sources *ss, const struct table_secret *s, const struct link_addr *from,
                            bool proved, size_t bytes)
{
        struct link_addr host = host_of(from, proved);
        struct source   *o    = find_or_add(ss, s, &host);

        if (o == NULL || source_take(ss, o, bytes))
                return o;
        if (o->bytes == 0)
                drop(ss, o);
        return NULL;
}

bool source_begin(struct source *o)
{
        if (o->incomplete >= SOURCE_REQUESTS_MAX)
                return false;
        o->incomplete++;
        return true;
}

void source_complete(struct source *o)
{
        assert(o->incomplete > 0);
        o->incomplete--;
}

void source_give(struct sources *ss, struct source *o, size_t bytes)
{
        assert(bytes <= o->bytes);
        o->bytes -= bytes;
        ss->bytes -= bytes;
        if (o->bytes == 0)
                drop(ss, o);
}
