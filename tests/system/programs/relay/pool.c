#include "pool.h"

#include <errno.h>
#include <sys/mman.h>

int pool_create(struct pool *p, size_t n)
{
        size_t size = n * sizeof(*p->all);
        void  *at =
                mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        if (at == MAP_FAILED)
                return -ENOMEM;
        /* One short packet would make a whole huge page real. */
        (void)madvise(at, size, MADV_NOHUGEPAGE);
        *p = (struct pool){.all = at, .n = n};
        return 0;
}

void pool_destroy(struct pool *p)
{
        if (p->all != NULL)
                munmap(p->all, p->n * sizeof(*p->all));
        p->all = NULL;
}

struct pkt *pool_get(struct pool *p)
{
        struct pkt *k = p->free;

        if (k != NULL)
                p->free = k->next;
        else if (p->fresh < p->n)
                k = &p->all[p->fresh++];
        return k;
}

void pool_put(struct pool *p, struct pkt *k)
{
        k->next = p->free;
        p->free = k;
}
