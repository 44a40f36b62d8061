#include "pb/convert.h"

#include <strings.h>

#include <ouroboros/errno.h>

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))

static const char *const type_names[] = {
        [IPCP_LOCAL] = "local",     [IPCP_UNICAST] = "unicast", [IPCP_BROADCAST] = "broadcast",
        [IPCP_ETH_LLC] = "eth-llc", [IPCP_ETH_DIX] = "eth-dix", [IPCP_UDP4] = "udp4",
        [IPCP_UDP6] = "udp6",
};

static const char *const state_names[] = {
        [IPCP_STARTING]    = "starting",
        [IPCP_READY]       = "ready",
        [IPCP_OPERATIONAL] = "operational",
};

static const char *const hash_names[] = {
        [DIR_HASH_SHA3_224] = "SHA3_224",
        [DIR_HASH_SHA3_256] = "SHA3_256",
        [DIR_HASH_SHA3_384] = "SHA3_384",
        [DIR_HASH_SHA3_512] = "SHA3_512",
};

static const char *const lb_names[] = {
        [LB_RR]    = "round-robin",
        [LB_SPILL] = "spillover",
};

static const char *name_of(const char *const *names, size_t n, unsigned int value)
{
        return value < n ? names[value] : "unknown";
}

/* The place of @s in @names, or @n. */
static size_t value_of(const char *const *names, size_t n, const char *s)
{
        size_t i = 0;

        while (i < n && strcasecmp(names[i], s) != 0)
                i++;
        return i;
}

void pb_qos_put(Irm__Qos *m, const qosspec_t *qs)
{
        irm__qos__init(m);
        m->delay        = qs->delay;
        m->bandwidth    = qs->bandwidth;
        m->availability = qs->availability;
        m->loss         = qs->loss;
        m->ber          = qs->ber;
        m->in_order     = qs->in_order;
        m->max_gap      = qs->max_gap;
        m->timeout      = qs->timeout;
}

int pb_qos_get(const Irm__Qos *m, qosspec_t *qs)
{
        if (m == NULL) {
                *qs = qos_raw;
                return 0;
        }
        if (m->availability > UINT8_MAX || m->in_order > 1)
                return -EINVAL;
        qs->delay        = m->delay;
        qs->bandwidth    = m->bandwidth;
        qs->availability = (uint8_t)m->availability;
        qs->loss         = m->loss;
        qs->ber          = m->ber;
        qs->in_order     = (uint8_t)m->in_order;
        qs->max_gap      = m->max_gap;
        qs->timeout      = m->timeout;
        return 0;
}

size_t pb_pack(const ProtobufCMessage *m, uint8_t *buf, size_t cap)
{
        if (protobuf_c_message_get_packed_size(m) > cap)
                return 0;
        return protobuf_c_message_pack(m, buf);
}

const char *pb_ipcp_type_name(enum ipcp_type type)
{
        return name_of(type_names, N_OF(type_names), type);
}

const char *pb_ipcp_state_name(enum ipcp_state state)
{
        return name_of(state_names, N_OF(state_names), state);
}

const char *pb_hash_name(enum hash_algo algo)
{
        return name_of(hash_names, N_OF(hash_names), algo);
}

const char *pb_lb_name(enum pol_balance lb)
{
        return name_of(lb_names, N_OF(lb_names), lb);
}

bool pb_ipcp_type_parse(const char *s, enum ipcp_type *type)
{
        size_t i = value_of(type_names, N_OF(type_names), s);

        if (i == N_OF(type_names))
                return false;
        *type = (enum ipcp_type)i;
        return true;
}

bool pb_hash_parse(const char *s, enum hash_algo *algo)
{
        size_t i = value_of(hash_names, N_OF(hash_names), s);

        if (i == N_OF(hash_names))
                return false;
        *algo = (enum hash_algo)i;
        return true;
}

bool pb_lb_parse(const char *s, enum pol_balance *lb)
{
        size_t i = value_of(lb_names, N_OF(lb_names), s);

        if (i == N_OF(lb_names))
                return false;
        *lb = (enum pol_balance)i;
        return true;
}
