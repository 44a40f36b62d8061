#include "pair.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "dev/arrive.h"
#include "dev/process.h"
#include "shm/bell.h"

int pair_put(int memfd, unsigned side, int own, int peer_bell)
{
        struct flow *f = calloc(1, sizeof(*f));
        struct slot *s;
        int          r;

        if (f == NULL)
                return -ENOMEM;
        f->qos       = qos_raw;
        f->ipcp_type = IPCP_LOCAL;
        snprintf(f->layer, sizeof(f->layer), "test");
        snprintf(f->peer, sizeof(f->peer), "uid:%u", (unsigned)getuid());
        process_prepare();
        r = arrive_slot(own, &s);
        if (r < 0)
                return r;
        r = slot_open(s, f, NULL, memfd, side, own, peer_bell);
        slot_unlock(s);
        return r < 0 ? r : own;
}

int pair_create(int fd[2], int *memfd)
{
        struct bell bell[2] = {BELL_NONE, BELL_NONE};
        int         port    = port_create();
        int         r       = port;

        for (int i = 0; r >= 0 && i < 2; i++) {
                r = bell_create(&bell[i]);
                close(bell[i].keeper);
        }
        for (unsigned i = 0; r >= 0 && i < 2; i++)
                r = fd[i] = pair_put(port, i, bell[i].own, bell[!i].other);
        if (memfd != NULL)
                *memfd = port;
        else
                close(port);
        return r < 0 ? r : 0;
}
