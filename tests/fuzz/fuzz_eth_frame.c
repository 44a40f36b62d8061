/*
 * fuzz_eth_frame.c - frames of both Ethernet shims: what is accepted is written back as the same bytes,
 * its packet lies within what came, and no prefix that cuts the packet is accepted.
 */
#include <string.h>

#include "wire/eth.h"

#include "input.h"

typedef bool get_fn(struct rd *r, struct eth_frame *h);
typedef void put_fn(struct wr *w, const struct eth_frame *h);

static bool get(get_fn *fn, const uint8_t *data, size_t size, struct eth_frame *h, size_t *used)
{
        struct rd r  = {data, data + size, false};
        bool      ok = fn(&r, h);

        *used = (size_t)(r.p - data);
        MUST(*used <= size);
        MUST(!ok || !r.bad);
        return ok;
}

static void check(const uint8_t *data, size_t size, get_fn *get_it, put_fn *put_it, size_t hdr)
{
        uint8_t          again[ETH_HDR_MAX];
        struct wr        w = {again, again + hdr, false};
        struct eth_frame h, part;
        size_t           used;

        if (!get(get_it, data, size, &h, &used))
                return;
        MUST(used == hdr && h.len <= size - hdr);
        MUST(!eth_mac_is_group(h.src));
        put_it(&w, &h);
        MUST(!w.bad && w.p == w.end);
        MUST(memcmp(again, data, hdr) == 0);
        for (size_t len = 0; len <= hdr; len++)
                MUST(get(get_it, data, len, &part, &used) == (len >= hdr + h.len));
        MUST(get(get_it, data, hdr + h.len, &part, &used));
        MUST(h.len == 0 || !get(get_it, data, hdr + h.len - 1, &part, &used));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct eth_frame h;
        size_t           used;

        check(data, size, eth_dix_get, eth_dix_put, ETH_HDR + ETH_DIX);
        check(data, size, eth_llc_get, eth_llc_put, ETH_HDR + ETH_LLC);
        if (get(eth_llc_get, data, size, &h, &used))
                MUST(h.len <= ETH_LLC_LENGTH_MAX - ETH_LLC && (h.eid == 0 || eth_llc_is_flow(h.eid)));
        return 0;
}
