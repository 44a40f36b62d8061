#include "dev/shelf.h"

#include "shm/port.h"

void shelf_put(struct shelf *s, uint64_t port_id, struct port_ctl *mapping)
{
        struct port_ctl *fallen = NULL;
        size_t           i;

        if (mapping == NULL)
                return;
        pthread_mutex_lock(&s->lock);
        if (s->n < SHELF_MAX) {
                i = s->n++;
        } else {
                i      = s->next++ % SHELF_MAX;
                fallen = s->place[i].mapping;
        }
        s->place[i].port_id = port_id;
        s->place[i].mapping = mapping;
        pthread_mutex_unlock(&s->lock);
        port_unmap(fallen);
}

struct port_ctl *shelf_take(struct shelf *s, uint64_t port_id)
{
        struct port_ctl *mapping = NULL;

        pthread_mutex_lock(&s->lock);
        for (size_t i = 0; i < s->n && mapping == NULL; i++) {
                if (s->place[i].port_id != port_id)
                        continue;
                mapping     = s->place[i].mapping;
                s->place[i] = s->place[--s->n];
        }
        pthread_mutex_unlock(&s->lock);
        return mapping;
}

void shelf_forget(struct shelf *s)
{
        pthread_mutex_init(&s->lock, NULL);
        s->n = 0;
}
