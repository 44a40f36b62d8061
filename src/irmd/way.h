/* way.h - how a flow travels, as the layer that carries it says. */
#ifndef O7S_IRMD_WAY_H
#define O7S_IRMD_WAY_H

#include <stdint.h>

#include "source.h"

struct way {
        uint32_t packet_max;      /* bytes of the largest packet; 0: local, the processes share the port */
        uint32_t mpl_ms;          /* longest life of a packet                                            */
        char     address[64];     /* of the peer's host, for people */
        struct source_tag source; /* of that host, when handshakes are counted */
};

#endif
