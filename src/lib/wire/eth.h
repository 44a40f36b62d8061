/*
 * eth.h - frames of the Ethernet shims (doc/protocols/shim.md).
 *
 *     dix   dst 6 | src 6 | ethertype 2 | eid 2 | length 2 | packet | padding
 *     llc   dst 6 | src 6 | length 2 (3 + packet) | DSAP 1 | SSAP 1 | control 1 (0x03) | packet | padding
 *
 * DIX has a length of its own, since only the sender knows by how much a frame is padded. LLC is 802.2
 * type 1, whose service access points are the endpoint ids; there 0x3C is management, which is endpoint 0
 * for everybody above.
 */
#ifndef O7S_WIRE_ETH_H
#define O7S_WIRE_ETH_H

#include <string.h>

#include "wire/cursor.h"

#define ETH_MAC     6u
#define ETH_HDR     14u /* addresses, and the ethertype or length: what the MTU does not count */
#define ETH_DIX     4u  /* of our header behind that                                           */
#define ETH_LLC     3u
#define ETH_HDR_MAX (ETH_HDR + ETH_DIX)

#define ETH_DIX_PACKET_MAX 65535u
#define ETH_LLC_LENGTH_MAX 1500u /* larger ones are ethertypes */
#define ETH_LLC_UI         0x03u /* unnumbered information     */
#define ETH_LLC_MANAGEMENT 0x3Cu

/* What the header says; eid 0 is management. */
struct eth_frame {
        uint8_t  dst[ETH_MAC];
        uint8_t  src[ETH_MAC];
        uint16_t ethertype; /* dix */
        uint16_t eid;       /* whom it is for               */
        uint16_t own_eid;   /* llc: who sent it; else 0     */
        uint16_t len;       /* of the packet                */
};

static inline void eth_get_mac(struct rd *r, uint8_t mac[ETH_MAC])
{
        if (r->bad || (size_t)(r->end - r->p) < ETH_MAC) {
                r->bad = true;
                memset(mac, 0, ETH_MAC);
                return;
        }
        memcpy(mac, r->p, ETH_MAC);
        r->p += ETH_MAC;
}

static inline void eth_put_mac(struct wr *w, const uint8_t mac[ETH_MAC])
{
        if (w->bad || (size_t)(w->end - w->p) < ETH_MAC) {
                w->bad = true;
                return;
        }
        memcpy(w->p, mac, ETH_MAC);
        w->p += ETH_MAC;
}

/* Of many stations; a source never is one. */
static inline bool eth_mac_is_group(const uint8_t mac[ETH_MAC])
{
        return mac[0] & 0x01;
}

static const uint8_t eth_broadcast[ETH_MAC] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static inline bool eth_mac_equal(const uint8_t a[ETH_MAC], const uint8_t b[ETH_MAC])
{
        return memcmp(a, b, ETH_MAC) == 0;
}

/* -- dix ------------------------------------------------------------------- */

/* False: it is none. Else the packet, h->len bytes, begins at @r->p; what is behind it is padding. */
static inline bool eth_dix_get(struct rd *r, struct eth_frame *h)
{
        eth_get_mac(r, h->dst);
        eth_get_mac(r, h->src);
        h->ethertype = (uint16_t)rd_be(r, 2);
        h->eid       = (uint16_t)rd_be(r, 2);
        h->len       = (uint16_t)rd_be(r, 2);
        h->own_eid   = 0;
        return !r->bad && !eth_mac_is_group(h->src) && h->len <= (size_t)(r->end - r->p);
}

static inline void eth_dix_put(struct wr *w, const struct eth_frame *h)
{
        eth_put_mac(w, h->dst);
        eth_put_mac(w, h->src);
        wr_be(w, h->ethertype, 2);
        wr_be(w, h->eid, 2);
        wr_be(w, h->len, 2);
}

/* -- llc ------------------------------------------------------------------- */

/* Those that others use: spanning tree, SNAP, IPX, NetBIOS, OSI. */
static inline bool eth_llc_taken(unsigned sap)
{
        return sap == 0x42 || sap == 0xAA || sap == 0xE0 || sap == 0xF0 || sap == 0xFE;
}

/* Whether a flow may have it. An odd one is a group, or a response. */
static inline bool eth_llc_is_flow(unsigned sap)
{
        return sap >= 0x02 && sap <= 0xFC && sap % 2 == 0 && sap != ETH_LLC_MANAGEMENT && !eth_llc_taken(sap);
}

static inline bool eth_llc_is_ours(unsigned sap)
{
        return sap == ETH_LLC_MANAGEMENT || eth_llc_is_flow(sap);
}

static inline uint16_t eth_llc_eid(unsigned sap)
{
        return (uint16_t)(sap == ETH_LLC_MANAGEMENT ? 0 : sap);
}

static inline unsigned eth_llc_sap(uint16_t eid)
{
        return eid == 0 ? ETH_LLC_MANAGEMENT : eid;
}

/* As eth_dix_get(). */
static inline bool eth_llc_get(struct rd *r, struct eth_frame *h)
{
        unsigned length, dsap, ssap, control;

        eth_get_mac(r, h->dst);
        eth_get_mac(r, h->src);
        length  = (unsigned)rd_be(r, 2);
        dsap    = (unsigned)rd_be(r, 1);
        ssap    = (unsigned)rd_be(r, 1);
        control = (unsigned)rd_be(r, 1);
        if (r->bad || eth_mac_is_group(h->src) || length < ETH_LLC || length > ETH_LLC_LENGTH_MAX)
                return false;
        h->ethertype = 0;
        h->eid       = eth_llc_eid(dsap);
        h->own_eid   = eth_llc_eid(ssap);
        h->len       = (uint16_t)(length - ETH_LLC);
        return eth_llc_is_ours(dsap) && eth_llc_is_ours(ssap) && control == ETH_LLC_UI &&
               h->len <= (size_t)(r->end - r->p);
}

static inline void eth_llc_put(struct wr *w, const struct eth_frame *h)
{
        eth_put_mac(w, h->dst);
        eth_put_mac(w, h->src);
        wr_be(w, h->len + ETH_LLC, 2);
        wr_be(w, eth_llc_sap(h->eid), 1);
        wr_be(w, eth_llc_sap(h->own_eid), 1);
        wr_be(w, ETH_LLC_UI, 1);
}

#endif
