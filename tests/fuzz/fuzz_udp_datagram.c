/*
 * fuzz_udp_datagram.c - what the UDP link hands up of any datagram, from any address, cut into pieces of any
 * length: every byte once, in order, but those of pieces that are too short; and addresses are written back
 * as the same bytes.
 *
 * Input: family 1, address 16, port 2, scope 1, segment 2, then the datagram.
 */
#include <string.h>

#include "ipcpd/udp/udp_addr.h"
#include "ipcpd/udp/udp_recv.h"
#include "ipcpd/udp/udp_send.h"

#include "input.h"

/* What is expected next. */
struct walk {
        const uint8_t *p, *end;
        size_t         segment;
};

static size_t next(const struct walk *w)
{
        size_t left = (size_t)(w->end - w->p);

        return w->segment != 0 && w->segment < left ? w->segment : left;
}

static void check(struct walk *w, bool control, const uint8_t *p, size_t len)
{
        static const uint8_t zeros[UDP_HDR];

        while (next(w) < UDP_HDR && w->p < w->end)
                w->p += next(w);
        MUST(p == w->p + UDP_HDR && len == next(w) - UDP_HDR);
        MUST(control == (memcmp(w->p, zeros, UDP_HDR) == 0));
        w->p += next(w);
}

static void on_control(void *ctx, const struct link_addr *from, const uint8_t *p, size_t len)
{
        (void)from;
        check(ctx, true, p, len);
}

static void on_data(void *ctx, const struct link_addr *from, uint32_t eid, const uint8_t *p, size_t len)
{
        (void)from;
        MUST(eid != 0);
        check(ctx, false, p, len);
}

static void get_address(struct input *in, union udp_sockaddr *sa)
{
        static const sa_family_t families[] = {AF_INET, AF_INET6, AF_UNSPEC, AF_UNIX};

        memset(sa, 0, sizeof(*sa));
        sa->sa.sa_family = families[input_byte(in) % 4];
        for (size_t i = 0; i < 16; i++)
                sa->in6.sin6_addr.s6_addr[i] = input_byte(in);
        sa->in6.sin6_scope_id = input_byte(in) % 3;
        sa->in6.sin6_port     = (in_port_t)input_le(in, 2);
        if (sa->sa.sa_family == AF_INET) {
                memcpy(&sa->in4.sin_addr, &sa->in6.sin6_addr, 4);
                memset(sa->in4.sin_zero, 0, sizeof(sa->in4.sin_zero));
        }
}

/* True: packets may come from there. */
static bool check_address(const union udp_sockaddr *sa)
{
        union udp_sockaddr back;
        struct link_addr   a;
        char               text[UDP_ADDR_TEXT];

        if (!udp_addr_get(&a, sa, 1))
                return false;
        udp_addr_text(&a, text);
        MUST(a.len == a.host_len + 2);
        udp_addr_put(&back, &a, 1);
        MUST(back.in4.sin_port == sa->in4.sin_port && back.sa.sa_family == sa->sa.sa_family);
        if (sa->sa.sa_family == AF_INET)
                MUST(back.in4.sin_addr.s_addr == sa->in4.sin_addr.s_addr);
        else
                MUST(IN6_ARE_ADDR_EQUAL(&back.in6.sin6_addr, &sa->in6.sin6_addr));
        return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const struct udp_socket none = {-1, false, false};
        static struct udp_recv        *u; /* large: made once */
        static struct walk             w;
        static struct link_up          up = {.ctx = &w, .control = on_control, .data = on_data};
        struct input                   in = {data, data + size};
        union udp_sockaddr             from;
        bool                           ok;

        if (u == NULL && (u = udp_recv_create(&none, 1, &up)) == NULL)
                return 0;
        get_address(&in, &from);
        ok        = check_address(&from);
        w.segment = (size_t)input_le(&in, 2);
        w.p       = in.p;
        w.end     = in.end;
        udp_recv_pieces(u, &from, in.p, (size_t)(in.end - in.p), w.segment);
        MUST(ok || w.p == in.p);
        while (ok && w.p < w.end) { /* what was not handed up was too short */
                MUST(next(&w) < UDP_HDR);
                w.p += next(&w);
        }
        return 0;
}
