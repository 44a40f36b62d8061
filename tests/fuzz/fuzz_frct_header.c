/*
 * fuzz_frct_header.c - FRCT's header: what is accepted is written back as the same bytes, its flags and
 * lengths go together, and nothing of it can be left out.
 */
#include <string.h>

#include "wire/frct.h"

#include "input.h"

static bool get(const uint8_t *data, size_t size, struct frct_hdr *h, size_t *used)
{
        struct rd r  = {data, data + size, false};
        bool      ok = frct_hdr_get(&r, h);

        *used = (size_t)(r.p - data);
        MUST(*used <= size);
        MUST(!ok || !r.bad);
        return ok;
}

static void check_accepted(const uint8_t *data, size_t size, size_t used, const struct frct_hdr *h)
{
        bool piece = h->flags & FRCT_DATA && !(h->flags & FRCT_FIN);

        MUST((h->flags & ~FRCT_FLAGS) == 0);
        MUST(h->flags & (FRCT_DATA | FRCT_ACK | FRCT_PROBE));
        MUST(h->n_ranges <= FRCT_RANGES_MAX);
        MUST(h->flags & FRCT_ACK || (h->n_ranges == 0 && h->marks == 0 && h->ack == 0 && h->edge == 0));
        MUST(h->flags & FRCT_DATA || h->seq == 0);
        MUST(h->flags & FRCT_RUN ? (h->flags & (FRCT_DATA | FRCT_PROBE)) != 0 : h->first == 0);
        MUST(used == frct_hdr_len(h->flags, h->n_ranges) && used <= FRCT_HDR_MAX);
        MUST(piece ? size > used : size == used);
        MUST(data[0] == h->flags);
}

static void check_identity(const uint8_t *data, size_t used, const struct frct_hdr *h)
{
        uint8_t   again[FRCT_HDR_MAX];
        struct wr w = {again, again + used, false};

        frct_hdr_put(&w, h);
        MUST(!w.bad && w.p == w.end);
        MUST(memcmp(again, data, used) == 0);
        w = (struct wr){again, again + used - 1, false};
        frct_hdr_put(&w, h);
        MUST(w.bad);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct frct_hdr h, prefix;
        size_t          used, n;

        if (!get(data, size, &h, &used))
                return 0;
        check_accepted(data, size, used, &h);
        check_identity(data, used, &h);
        for (size_t len = 0; len < used; len++)
                MUST(!get(data, len, &prefix, &n));
        return 0;
}
