#include "pb/ipcp_config.h"

#include <string.h>

#include <ouroboros/errno.h>

#include "base/str.h"

#define ETHERTYPE_MIN 0x0600u /* below, the field is a length */
#define ETHERTYPE_MAX 0xFFFEu

/* -- to a message ---------------------------------------------------------- */

static ProtobufCBinaryData bytes(const void *p, size_t len)
{
        return (ProtobufCBinaryData){.len = len, .data = (uint8_t *)p};
}

static bool is_zero(const void *p, size_t len)
{
        static const uint8_t zeros[sizeof(struct in6_addr)];

        return memcmp(p, zeros, len) == 0;
}

static void put_eth(struct pb_ipcp_config *c, const struct eth_config *eth)
{
        irm__eth_config__init(&c->eth);
        c->eth.dev       = (char *)eth->dev;
        c->eth.ethertype = eth->ethertype;
        c->m.eth         = &c->eth;
}

static void put_dns(Irm__UdpConfig *m, const struct udp_dns *dns, const void *addr, size_t len)
{
        if (is_zero(addr, len))
                return;
        m->dns  = bytes(addr, len);
        m->zone = (char *)dns->zone;
        m->key  = (char *)dns->key;
}

static void put_peer(struct pb_ipcp_config *c, size_t i, const void *addr, size_t len, uint16_t port)
{
        irm__udp_peer__init(&c->peer[i]);
        c->peer[i].addr = bytes(addr, len);
        c->peer[i].port = port;
        c->peers[i]     = &c->peer[i];
}

static void put_udp(struct pb_ipcp_config *c, const void *ip, size_t len, uint16_t port, size_t n_peers)
{
        irm__udp_config__init(&c->udp);
        c->udp.ip     = bytes(ip, len);
        c->udp.port   = port;
        c->udp.peer   = c->peers;
        c->udp.n_peer = n_peers;
        c->m.udp      = &c->udp;
}

static void put_udp4(struct pb_ipcp_config *c, const struct udp4_config *u)
{
        put_udp(c, &u->ip_addr, sizeof(u->ip_addr), u->port, u->n_peers);
        put_dns(&c->udp, &u->dns, &u->dns_addr, sizeof(u->dns_addr));
        for (size_t i = 0; i < u->n_peers; i++)
                put_peer(c, i, &u->peers[i].addr, sizeof(u->peers[i].addr), u->peers[i].port);
}

static void put_udp6(struct pb_ipcp_config *c, const struct udp6_config *u)
{
        put_udp(c, &u->ip_addr, sizeof(u->ip_addr), u->port, u->n_peers);
        put_dns(&c->udp, &u->dns, &u->dns_addr, sizeof(u->dns_addr));
        for (size_t i = 0; i < u->n_peers; i++)
                put_peer(c, i, &u->peers[i].addr, sizeof(u->peers[i].addr), u->peers[i].port);
}

void pb_ipcp_config_put(struct pb_ipcp_config *c, const struct ipcp_config *conf)
{
        irm__ipcp_config__init(&c->m);
        c->m.layer         = (char *)conf->layer_info.name;
        c->m.dir_hash_algo = conf->layer_info.dir_hash_algo;
        c->m.type          = conf->type;
        switch (conf->type) {
        case IPCP_ETH_DIX:
        case IPCP_ETH_LLC: put_eth(c, &conf->eth); break;
        case IPCP_UDP4: put_udp4(c, &conf->udp4); break;
        case IPCP_UDP6: put_udp6(c, &conf->udp6); break;
        default: break;
        }
}

/* -- from a message -------------------------------------------------------- */

static const char *get_eth(const Irm__EthConfig *m, enum ipcp_type type, struct eth_config *eth)
{
        if (m == NULL || m->dev[0] == '\0')
                return "the interface is missing (dev)";
        if (!str_copy(eth->dev, sizeof(eth->dev), m->dev) || str_name_fault(eth->dev) != NULL)
                return "this cannot be the name of an interface (dev)";
        if (type == IPCP_ETH_LLC && m->ethertype != 0)
                return "LLC frames have no ethertype";
        if (type == IPCP_ETH_DIX && (m->ethertype < ETHERTYPE_MIN || m->ethertype > ETHERTYPE_MAX))
                return "the ethertype must be 0x0600 to 0xFFFE";
        eth->ethertype = (uint16_t)m->ethertype;
        return NULL;
}

/* Nobody can be reached there. */
static bool addr_bad(const ProtobufCBinaryData *m, size_t len)
{
        return m->len != len || is_zero(m->data, len);
}

static const char *get_dns(const Irm__UdpConfig *m, struct udp_dns *dns, void *addr, size_t len)
{
        if (m->dns.len == 0)
                return NULL;
        if (addr_bad(&m->dns, len))
                return "the address of the DNS server is none of this kind (dns)";
        if (!str_text_ok(m->zone) || m->zone[0] == '\0' || !str_copy(dns->zone, sizeof(dns->zone), m->zone))
                return "this cannot be a DNS zone (dns-zone)";
        if (!str_text_ok(m->key) || !str_copy(dns->key, sizeof(dns->key), m->key))
                return "this cannot be the file of a key (dns-key)";
        if (m->key[0] != '\0' && m->key[0] != '/')
                return "the file of the key must be an absolute path (dns-key)";
        memcpy(addr, m->dns.data, len);
        return NULL;
}

/* What both families have; peers are checked here and copied by the caller. */
static const char *get_udp(const Irm__UdpConfig *m, void *ip, size_t len, uint16_t *port)
{
        if (m == NULL || m->ip.len == 0)
                return "the own address is missing (ip)";
        if (addr_bad(&m->ip, len))
                return "the own address is none of this kind (ip)";
        if (m->port == 0 || m->port > UINT16_MAX)
                return "the port must be 1 to 65535";
        if (m->n_peer > UDP_PEERS_MAX)
                return "there may be 16 peers at most";
        for (size_t i = 0; i < m->n_peer; i++) {
                if (addr_bad(&m->peer[i]->addr, len) || m->peer[i]->port > UINT16_MAX)
                        return "the address of a peer is none of this kind";
        }
        memcpy(ip, m->ip.data, len);
        *port = (uint16_t)m->port;
        return NULL;
}

static const char *get_udp4(const Irm__UdpConfig *m, struct udp4_config *u)
{
        const char *why = get_udp(m, &u->ip_addr, sizeof(u->ip_addr), &u->port);

        if (why == NULL)
                why = get_dns(m, &u->dns, &u->dns_addr, sizeof(u->dns_addr));
        if (why != NULL)
                return why;
        u->n_peers = m->n_peer;
        for (size_t i = 0; i < m->n_peer; i++) {
                memcpy(&u->peers[i].addr, m->peer[i]->addr.data, sizeof(u->peers[i].addr));
                u->peers[i].port = (uint16_t)m->peer[i]->port;
        }
        return NULL;
}

static const char *get_udp6(const Irm__UdpConfig *m, struct udp6_config *u)
{
        const char *why = get_udp(m, &u->ip_addr, sizeof(u->ip_addr), &u->port);

        if (why == NULL)
                why = get_dns(m, &u->dns, &u->dns_addr, sizeof(u->dns_addr));
        if (why != NULL)
                return why;
        u->n_peers = m->n_peer;
        for (size_t i = 0; i < m->n_peer; i++) {
                memcpy(&u->peers[i].addr, m->peer[i]->addr.data, sizeof(u->peers[i].addr));
                u->peers[i].port = (uint16_t)m->peer[i]->port;
        }
        return NULL;
}

static const char *get_by_type(const Irm__IpcpConfig *m, struct ipcp_config *conf)
{
        switch (conf->type) {
        case IPCP_ETH_DIX:
        case IPCP_ETH_LLC: return get_eth(m->eth, conf->type, &conf->eth);
        case IPCP_UDP4: return get_udp4(m->udp, &conf->udp4);
        case IPCP_UDP6: return get_udp6(m->udp, &conf->udp6);
        default: return NULL;
        }
}

static const char *get(const Irm__IpcpConfig *m, struct ipcp_config *conf)
{
        if (m == NULL || str_name_fault(m->layer) != NULL)
                return "the layer has no good name";
        if (m->dir_hash_algo > DIR_HASH_SHA3_512)
                return "there is no such hash";
        *conf = (struct ipcp_config){.type = (enum ipcp_type)m->type};
        str_copy(conf->layer_info.name, sizeof(conf->layer_info.name), m->layer);
        conf->layer_info.dir_hash_algo = (enum hash_algo)m->dir_hash_algo;
        return get_by_type(m, conf);
}

int pb_ipcp_config_get(const Irm__IpcpConfig *m, struct ipcp_config *conf, const char **why)
{
        const char *fault = NULL;
        int         r     = 0;

        if (m != NULL && m->type >= IPCP_INVALID)
                r = -EIPCPTYPE;
        else
                fault = get(m, conf);
        if (why != NULL)
                *why = r == -EIPCPTYPE ? "there is no such type of IPCP" : fault;
        return fault != NULL ? -EINVAL : r;
}
