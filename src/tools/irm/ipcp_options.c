#include "irm/ipcp_options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ouroboros/errno.h>

#include "base/str.h"
#include "irm/client.h"
#include "pb/convert.h"

#define ADDR_TEXT 64u

/* -- which options a type has ---------------------------------------------- */

#define OF(type) (1u << (type))
#define OF_ETH   (OF(IPCP_ETH_DIX) | OF(IPCP_ETH_LLC))
#define OF_UDP   (OF(IPCP_UDP4) | OF(IPCP_UDP6))

static const struct {
        const char  *name;
        unsigned int types;
} options[] = {
        {"dev", OF_ETH},      {"ethertype", OF(IPCP_ETH_DIX)},
        {"ip", OF_UDP},       {"port", OF_UDP},
        {"peer", OF_UDP},     {"dns", OF_UDP},
        {"dns-zone", OF_UDP}, {"dns-key", OF_UDP},
};

static int check_fit(const struct args *a, enum ipcp_type type)
{
        for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
                if (args_get(a, options[i].name) != NULL && !(options[i].types & OF(type)))
                        return irm_refuse(-EINVAL, "an IPCP of type %s has no '%s'", pb_ipcp_type_name(type),
                                          options[i].name);
        }
        return 0;
}

/* -- values ---------------------------------------------------------------- */

/* A number as people write it, "0xA000" too. */
static int get_number(const char *key, const char *s, unsigned long max, uint16_t *out)
{
        char         *end;
        unsigned long v;

        errno = 0;
        v     = strtoul(s, &end, 0);
        if (s[0] < '0' || s[0] > '9' || *end != '\0' || errno != 0 || v == 0 || v > max)
                return irm_refuse(-EINVAL, "'%s %s' is not a number from 1 to %lu", key, s, max);
        *out = (uint16_t)v;
        return 0;
}

static int get_addr(const char *key, const char *s, int family, void *addr)
{
        if (inet_pton(family, s, addr) == 1)
                return 0;
        return irm_refuse(-EINVAL, "'%s %s' is not an address of IPv%d", key, s, family == AF_INET ? 4 : 6);
}

/* Cuts "ADDR", "ADDR:PORT", "[ADDR6]" or "[ADDR6]:PORT" in two; *@port is NULL where there is none. False: it is neither. */
static bool cut_port(char *s, int family, char **addr, char **port)
{
        char *end = family == AF_INET6 && s[0] == '[' ? strchr(s, ']') : NULL;

        *addr = s;
        *port = NULL;
        if (end != NULL) {
                *addr = s + 1;
                *end  = '\0';
                if (end[1] != '\0' && end[1] != ':')
                        return false;
                *port = end[1] == ':' ? end + 2 : NULL;
        } else if (family == AF_INET && (end = strchr(s, ':')) != NULL) {
                *end  = '\0';
                *port = end + 1;
        }
        return true;
}

static int get_peer(const char *s, int family, void *addr, uint16_t *port)
{
        char  text[ADDR_TEXT];
        char *host, *number;
        int   ret;

        *port = 0;
        if (!str_copy(text, sizeof(text), s) || !cut_port(text, family, &host, &number))
                return irm_refuse(-EINVAL, "'peer %s' is not an address with or without a port", s);
        ret = get_addr("peer", host, family, addr);
        if (ret == 0 && number != NULL)
                ret = get_number("peer … port", number, UINT16_MAX, port);
        return ret;
}

static int need(const struct args *a, const char *key, enum ipcp_type type)
{
        if (args_get(a, key) != NULL)
                return 0;
        return irm_refuse(-EINVAL, "an IPCP of type %s needs '%s'", pb_ipcp_type_name(type), key);
}

/* -- by type --------------------------------------------------------------- */

static int get_eth(const struct args *a, enum ipcp_type type, struct eth_config *eth)
{
        const char *ethertype = args_get(a, "ethertype");
        int         ret       = need(a, "dev", type);

        if (ret < 0)
                return ret;
        eth->ethertype = type == IPCP_ETH_DIX ? ETH_DEFAULT_TYPE : 0;
        if (!str_copy(eth->dev, sizeof(eth->dev), args_get(a, "dev")))
                return irm_refuse(-EINVAL, "'dev %s' is longer than the name of an interface may be",
                                  args_get(a, "dev"));
        if (ethertype == NULL)
                return 0;
        ret = get_number("ethertype", ethertype, 0xFFFE, &eth->ethertype);
        if (ret == 0 && eth->ethertype < 0x0600)
                ret = irm_refuse(-EINVAL, "'ethertype %s' is below 0x0600: that would be a length",
                                 ethertype);
        return ret;
}

static int get_dns(const struct args *a, int family, void *addr, struct udp_dns *dns)
{
        const char *server = args_get(a, "dns"), *zone = args_get(a, "dns-zone"),
                   *key = args_get(a, "dns-key");

        if (server == NULL && (zone != NULL || key != NULL))
                return irm_refuse(-EINVAL, "'dns-zone' and 'dns-key' belong to a 'dns'");
        if (server == NULL)
                return 0;
        if (!str_copy(dns->zone, sizeof(dns->zone), zone != NULL ? zone : UDP_DEFAULT_ZONE) ||
            !str_copy(dns->key, sizeof(dns->key), key != NULL ? key : ""))
                return irm_refuse(-EINVAL, "'dns-zone' or 'dns-key' is too long");
        return get_addr("dns", server, family, addr);
}

/* What both families have but for the peers. */
static int get_udp(const struct args *a, enum ipcp_type type, int family, void *ip, uint16_t *port)
{
        const char *number = args_get(a, "port");
        int         ret    = need(a, "ip", type);

        *port = UDP_DEFAULT_PORT;
        if (ret == 0)
                ret = get_addr("ip", args_get(a, "ip"), family, ip);
        if (ret == 0 && number != NULL)
                ret = get_number("port", number, UINT16_MAX, port);
        return ret;
}

static int too_many_peers(void)
{
        return irm_refuse(-EINVAL, "there may be %d peers at most", UDP_PEERS_MAX);
}

static int get_udp4(const struct args *a, struct udp4_config *u)
{
        int         ret = get_udp(a, IPCP_UDP4, AF_INET, &u->ip_addr, &u->port);
        size_t      at  = 0;
        const char *peer;

        if (ret == 0)
                ret = get_dns(a, AF_INET, &u->dns_addr, &u->dns);
        while (ret == 0 && (peer = args_next(a, "peer", &at)) != NULL) {
                if (u->n_peers == UDP_PEERS_MAX)
                        return too_many_peers();
                ret = get_peer(peer, AF_INET, &u->peers[u->n_peers].addr, &u->peers[u->n_peers].port);
                u->n_peers++;
        }
        return ret;
}

static int get_udp6(const struct args *a, struct udp6_config *u)
{
        int         ret = get_udp(a, IPCP_UDP6, AF_INET6, &u->ip_addr, &u->port);
        size_t      at  = 0;
        const char *peer;

        if (ret == 0)
                ret = get_dns(a, AF_INET6, &u->dns_addr, &u->dns);
        while (ret == 0 && (peer = args_next(a, "peer", &at)) != NULL) {
                if (u->n_peers == UDP_PEERS_MAX)
                        return too_many_peers();
                ret = get_peer(peer, AF_INET6, &u->peers[u->n_peers].addr, &u->peers[u->n_peers].port);
                u->n_peers++;
        }
        return ret;
}

int ipcp_options(const struct args *a, enum ipcp_type type, struct ipcp_config *conf)
{
        const char *layer = args_get(a, "layer"), *hash = args_get(a, "hash");
        int         ret = irm_check_name("layer", layer);

        if (ret == 0)
                ret = check_fit(a, type);
        if (ret < 0)
                return ret;
        *conf      = local_default_conf;
        conf->type = type;
        str_copy(conf->layer_info.name, sizeof(conf->layer_info.name), layer);
        if (hash != NULL)
                pb_hash_parse(hash, &conf->layer_info.dir_hash_algo);
        switch (type) {
        case IPCP_ETH_DIX:
        case IPCP_ETH_LLC: return get_eth(a, type, &conf->eth);
        case IPCP_UDP4: return get_udp4(a, &conf->udp4);
        case IPCP_UDP6: return get_udp6(a, &conf->udp6);
        default: return 0;
        }
}
