#include "record.h"

#include <time.h>

#define MAGIC_NS      0xa1b23c4du
#define TYPE_ETHERNET 1u
#define TYPE_USER0    147u

FILE *record_open(const char *path, bool frames)
{
        /* Version 2.4; its numbers are in the writer's byte order. */
        const uint32_t head[6]    = {MAGIC_NS, 0, 0, 0, PKT_ROOM, frames ? TYPE_ETHERNET : TYPE_USER0};
        const uint16_t version[2] = {2, 4};
        FILE          *f          = fopen(path, "we");

        if (f == NULL)
                return NULL;
        fwrite(&head[0], sizeof(head[0]), 1, f);
        fwrite(version, sizeof(version), 1, f);
        fwrite(&head[2], sizeof(head[0]), 4, f);
        return f;
}

void record_put(FILE *f, const struct pkt *k)
{
        struct timespec ts;
        uint32_t        head[4];

        if (f == NULL)
                return;
        clock_gettime(CLOCK_REALTIME, &ts);
        head[0] = (uint32_t)ts.tv_sec;
        head[1] = (uint32_t)ts.tv_nsec;
        head[2] = head[3] = (uint32_t)k->len;
        fwrite(head, sizeof(head), 1, f);
        fwrite(k->data, k->len, 1, f);
}
