/* ipcp.h - IPC processes: what carries packets, one per layer and technology. */
#ifndef OUROBOROS_IPCP_H
#define OUROBOROS_IPCP_H

#include <stdint.h>
#include <sys/types.h>
#include <ouroboros/cdefs.h>
#include <ouroboros/name.h>

#define LAYER_NAME_SIZE 255

enum ipcp_type {
        IPCP_LOCAL = 0,
        IPCP_UNICAST,
        IPCP_BROADCAST,
        IPCP_ETH_LLC,
        IPCP_ETH_DIX,
        IPCP_UDP4,
        IPCP_UDP6,
        IPCP_INVALID
};

/* How a layer writes names in its directory. */
enum hash_algo { DIR_HASH_SHA3_224 = 0, DIR_HASH_SHA3_256, DIR_HASH_SHA3_384, DIR_HASH_SHA3_512 };

struct layer_info {
        char           name[LAYER_NAME_SIZE + 1];
        enum hash_algo dir_hash_algo;
};

/* What irm_bootstrap_ipcp() gives an IPCP. A local layer needs no more than its name. */
struct ipcp_config {
        struct layer_info layer_info;
        enum ipcp_type    type;
};

static const struct ipcp_config local_default_conf = {{"", DIR_HASH_SHA3_256}, IPCP_LOCAL};

enum ipcp_state {
        IPCP_STARTING = 0, /* the process is being started    */
        IPCP_READY,        /* it waits for its configuration  */
        IPCP_OPERATIONAL   /* member of a layer               */
};

struct ipcp_list_info {
        pid_t           pid;
        enum ipcp_type  type;
        enum ipcp_state state;
        char            name[NAME_SIZE + 1];
        char            layer[LAYER_NAME_SIZE + 1];
};

#endif
