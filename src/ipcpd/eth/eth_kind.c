#include "ipcpd/eth/eth_kind.h"

#include <linux/if_ether.h>

/* -- dix ------------------------------------------------------------------- */

static uint16_t dix_protocol(uint16_t ethertype)
{
        return ethertype;
}

const struct eth_kind eth_kind_dix = {
        .overhead    = ETH_DIX,
        .payload_max = ETH_DIX + ETH_DIX_PACKET_MAX,
        .get         = eth_dix_get,
        .put         = eth_dix_put,
        .filter      = eth_filter_dix,
        .protocol    = dix_protocol,
};

uint32_t eth_dix_draw(uint64_t r)
{
        return (uint32_t)(r % UINT16_MAX) + 1;
}

bool eth_dix_ok(uint32_t eid)
{
        return eid != 0 && eid <= UINT16_MAX;
}

/* -- llc ------------------------------------------------------------------- */

static uint16_t llc_protocol(uint16_t ethertype)
{
        (void)ethertype;
        return ETH_P_802_2;
}

static void llc_filter(struct eth_filter *f, uint16_t ethertype)
{
        (void)ethertype;
        eth_filter_llc(f);
}

const struct eth_kind eth_kind_llc = {
        .overhead    = ETH_LLC,
        .payload_max = ETH_LLC_LENGTH_MAX,
        .get         = eth_llc_get,
        .put         = eth_llc_put,
        .filter      = llc_filter,
        .protocol    = llc_protocol,
};

uint32_t eth_llc_draw(uint64_t r)
{
        uint32_t saps[0x80], n = 0;

        for (uint32_t sap = 0; sap < 0x100; sap++)
                if (eth_llc_is_flow(sap))
                        saps[n++] = sap;
        return saps[r % n];
}

bool eth_llc_ok(uint32_t eid)
{
        return eth_llc_is_flow(eid);
}

uint32_t eth_kind_packet_max(const struct eth_kind *k, uint32_t mtu)
{
        uint32_t payload = mtu < k->payload_max ? mtu : k->payload_max;

        return payload > k->overhead ? payload - k->overhead : 0;
}
