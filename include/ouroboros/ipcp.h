/* ipcp.h - IPC processes: what carries packets, one per layer and technology. */
#ifndef OUROBOROS_IPCP_H
#define OUROBOROS_IPCP_H

#include <netinet/in.h>
#include <stddef.h>
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

#define ETH_DEV_SIZE  15 /* bytes of the longest name of an interface */
#define UDP_PEERS_MAX 16
#define UDP_ZONE_SIZE 255
#define UDP_KEY_SIZE  255

/* Ethernet: which interface; with DIX frames, which ethertype (0x0600 to 0xFFFE). */
struct eth_config {
        char     dev[ETH_DEV_SIZE + 1];
        uint16_t ethertype;
};

/* The directory of a UDP layer, where dns_addr is set: the zone, and the file with the key that signs updates ("": none). */
struct udp_dns {
        char zone[UDP_ZONE_SIZE + 1];
        char key[UDP_KEY_SIZE + 1];
};

/* Other members that are asked for names. Ports here are in host order; 0: the layer's own. */
struct udp4_peer {
        struct in_addr addr;
        uint16_t       port;
};

struct udp6_peer {
        struct in6_addr addr;
        uint16_t        port;
};

/* UDP: the own address and port; dns_addr is all zeros where there is no directory. */
struct udp4_config {
        struct in_addr   ip_addr;
        struct in_addr   dns_addr;
        uint16_t         port;
        struct udp_dns   dns;
        size_t           n_peers;
        struct udp4_peer peers[UDP_PEERS_MAX];
};

struct udp6_config {
        struct in6_addr  ip_addr;
        struct in6_addr  dns_addr;
        uint16_t         port;
        struct udp_dns   dns;
        size_t           n_peers;
        struct udp6_peer peers[UDP_PEERS_MAX];
};

/* What irm_bootstrap_ipcp() gives an IPCP. A local layer needs no more than its name. */
struct ipcp_config {
        struct layer_info layer_info;
        enum ipcp_type    type;
        union { /* by the type */
                struct eth_config  eth;
                struct udp4_config udp4;
                struct udp6_config udp6;
        };
};

#define ETH_DEFAULT_TYPE 0xA000
#define UDP_DEFAULT_PORT 3435
#define UDP_DEFAULT_ZONE "ouroboros.internal"

/* To be completed: names of the layer and of the interface, addresses. */
static const struct ipcp_config local_default_conf   = {{"", DIR_HASH_SHA3_256}, IPCP_LOCAL, {{"", 0}}};
static const struct ipcp_config eth_dix_default_conf = {
        {"", DIR_HASH_SHA3_256}, IPCP_ETH_DIX, {{"", ETH_DEFAULT_TYPE}}};
static const struct ipcp_config eth_llc_default_conf = {{"", DIR_HASH_SHA3_256}, IPCP_ETH_LLC, {{"", 0}}};

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
