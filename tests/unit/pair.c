#include "pair.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypt/suite.h"
#include "dev/arrive.h"
#include "dev/inbox.h"
#include "dev/outbox.h"
#include "dev/process.h"
#include "shm/bell.h"

static const uint8_t client_secret[RECORD_SECRET] = "what the client sends is sealed with this, then";
static const uint8_t server_secret[RECORD_SECRET] = "what the server sends is sealed with this, then";

const struct pair_side pair_sealed[2] = {
        {.send = client_secret, .recv = server_secret, .client = true},
        {.send = server_secret, .recv = client_secret},
};

static struct flow *flow_of(const struct pair_side *how)
{
        struct flow *f     = calloc(1, sizeof(*f));
        size_t       first = how->first != NULL ? strlen(how->first) : 0;

        if (f == NULL)
                return NULL;
        f->qos         = qos_raw;
        f->ipcp_type   = IPCP_LOCAL;
        f->client      = how->client;
        f->suite       = how->send != NULL ? SUITE_P384 : SUITE_PLAIN;
        f->max_message = PORT_MSG_MAX;
        snprintf(f->layer, sizeof(f->layer), "test");
        snprintf(f->peer, sizeof(f->peer), "uid:%u", (unsigned)getuid());
        if (how->send != NULL)
                f->out = outbox_create(how->send);
        if (how->recv != NULL || first > 0)
                f->in = inbox_create(how->recv != NULL ? INBOX_SEALED : INBOX_PLAIN, how->recv, how->first,
                                     first, how->hold);
        return f;
}

int pair_put(int memfd, unsigned side, int own, int peer_bell, const struct pair_side *how)
{
        struct flow *f;
        struct slot *s;
        int          r;

        process_prepare(); /* as in a program, before there is any secret */
        f = flow_of(how);
        if (f == NULL)
                return -ENOMEM;
        r = arrive_slot(own, &s);
        if (r < 0)
                return r;
        r = slot_open(s, f, NULL, memfd, side, own, peer_bell);
        if (r == 0 && how->client && how->send != NULL)
                slot_greet(s, how->wakes);
        slot_unlock(s);
        return r < 0 ? r : own;
}

int pair_create_as(int fd[2], int *memfd, const struct pair_side how[2])
{
        struct bell bell[2] = {BELL_NONE, BELL_NONE};
        int         port    = port_create();
        int         r       = port;

        for (int i = 0; r >= 0 && i < 2; i++) {
                r = bell_create(&bell[i]);
                close(bell[i].keeper);
        }
        for (unsigned i = 0; r >= 0 && i < 2; i++)
                r = fd[i] = pair_put(port, i, bell[i].own, bell[!i].other, &how[i]);
        if (memfd != NULL)
                *memfd = port;
        else
                close(port);
        return r < 0 ? r : 0;
}

int pair_create(int fd[2], int *memfd)
{
        static const struct pair_side plain[2];

        return pair_create_as(fd, memfd, plain);
}
