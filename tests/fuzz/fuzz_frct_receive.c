/*
 * fuzz_frct_receive.c - one end of a flow, and a peer who sends it anything: packets that a peer in its
 * senses would send, such with one field out of place, junk; acknowledgements of what was sent and of what
 * was not; while the application writes and reads, and time passes.
 *
 * The peer knows what it has been sent, so that its lies are near the truth. Whatever it does: the engine
 * keeps to its bounds of memory, all that it sends is a packet, it has something to send for a bounded time
 * only, and when it has not, then not before some later time.
 */
#include <errno.h>
#include <string.h>

#include <sanitizer/allocator_interface.h>

#include <ouroboros/errno.h>

#include "base/clock.h"
#include "frct/frct.h"

#include "input.h"

#define PACKET_MAX 2048u
#define QUEUE      (64u << 10) /* bytes: raised by the engine to what a message may take */
#define MEMORY     (8u << 20)  /* both queues, their rings, and as much again            */
#define WORK       4000u       /* packets and messages of one input                      */
#define DRAIN      100000u     /* packets that may leave at one instant                  */

struct rig {
        struct frct     *f;
        struct frct_conf conf;
        int64_t          now_ns;
        size_t           before; /* bytes allocated without it */
        unsigned         work;
        bool             fin;

        /* the peer */
        uint32_t first, seq; /* of its run: its first number, its next  */
        uint32_t base, next; /* of what it was sent                     */
        uint32_t stamp, edge;
        uint32_t last_stamp; /* of what it was sent                     */
        uint32_t told_ack, told_edge;
};

static struct rig rig;

static void begin(struct rig *g, struct input *in)
{
        uint8_t  how     = input_byte(in);
        uint64_t timeout = input_byte(in);

        memset(g, 0, sizeof(*g));
        g->conf = (struct frct_conf){
                .packet     = FRCT_PACKET_MIN + input_le(in, 2) % (PACKET_MAX - FRCT_PACKET_MIN + 1),
                .overhead   = 40,
                .mpl_ns     = NS_PER_S * (how >> 4),
                .timeout_ns = NS_PER_S * (int64_t)timeout,
                .reliable   = how & 1,
                .cc         = (enum cc_kind)((how >> 1 & 3) % CC_N),
                .tx_bytes   = QUEUE,
                .rx_bytes   = QUEUE,
                .seed       = input_byte(in),
        };
        g->now_ns = NS_PER_S;
        g->first = g->seq = (uint32_t)input_le(in, 4);
        g->before         = __sanitizer_get_current_allocated_bytes();
        g->f              = frct_create(&g->conf, g->now_ns);
        MUST(g->f != NULL);
}

static void end(struct rig *g)
{
        frct_destroy(g->f);
        MUST(__sanitizer_get_current_allocated_bytes() == g->before);
}

/* -- what the engine sends ------------------------------------------------------- */

static void learn(struct rig *g, const struct frct_hdr *h)
{
        g->last_stamp = h->stamp;
        if (h->flags & FRCT_RUN)
                g->base = h->first;
        if (h->flags & FRCT_DATA && (int32_t)(h->seq + 1 - g->next) > 0)
                g->next = h->seq + 1;
        if (h->flags & FRCT_RUN && (int32_t)(h->seq - g->next) < -65536) /* another run */
                g->next = h->seq + 1;
        if (h->flags & FRCT_ACK) {
                g->told_ack  = h->ack;
                g->told_edge = h->edge;
        }
}

static void check_sent(struct rig *g, const uint8_t *packet, size_t n)
{
        struct rd       r = {packet, packet + n, false};
        struct frct_hdr h;

        MUST(n <= g->conf.packet);
        MUST(frct_hdr_get(&r, &h));
        MUST(!(h.flags & FRCT_FIN) || g->fin);
        learn(g, &h);
}

static void drain(struct rig *g)
{
        uint8_t *packet = malloc(g->conf.packet); /* exactly, so that one byte more is seen */
        unsigned sent   = 0;
        size_t   n;

        MUST(packet != NULL);
        while ((n = frct_tx(g->f, packet, g->now_ns)) > 0) {
                MUST(sent++ < DRAIN);
                check_sent(g, packet, n);
        }
        MUST(frct_due_ns(g->f) > g->now_ns);
        free(packet);
}

/* -- what it gets ------------------------------------------------------------------ */

static void give(struct rig *g, const uint8_t *bytes, size_t n, bool marked)
{
        uint8_t *packet = malloc(n > 0 ? n : 1); /* exactly */

        MUST(packet != NULL);
        if (n > 0)
                memcpy(packet, bytes, n);
        (void)frct_rx(g->f, packet, n, marked, g->now_ns);
        free(packet);
}

static void give_header(struct rig *g, const struct frct_hdr *h, size_t payload, bool marked)
{
        static uint8_t bytes[FRCT_HDR_MAX + PACKET_MAX];
        struct wr      w = {bytes, bytes + sizeof(bytes), false};

        frct_hdr_put(&w, h);
        MUST(!w.bad);
        memset(w.p, (int)h->seq, payload);
        give(g, bytes, (size_t)(w.p - bytes) + payload, marked);
}

static void give_junk(struct rig *g, struct input *in)
{
        uint8_t bytes[256];
        size_t  n = input_byte(in);

        for (size_t i = 0; i < n; i++)
                bytes[i] = input_byte(in);
        give(g, bytes, n, false);
}

/* The peer's clock goes like the engine's. */
static uint32_t stamp_of(const struct rig *g)
{
        return (uint32_t)(g->now_ns / NS_PER_US);
}

static void acknowledge(struct rig *g, struct frct_hdr *h)
{
        h->flags |= FRCT_ACK;
        h->ack   = g->next;
        h->edge  = g->next + 256;
        h->echo  = g->last_stamp;
        h->delay = 0;
}

/*
 * Messages as a peer in its senses sends them: @n packets of @payload bytes, @flags those of the first and
 * the last of them.
 */
static void give_stream(struct rig *g, unsigned n, size_t payload, bool ack)
{
        for (unsigned i = 0; i < n && g->work++ < WORK; i++) {
                struct frct_hdr h = {.flags = FRCT_DATA | FRCT_RUN, .stamp = stamp_of(g), .seq = g->seq};

                h.first = g->first;
                h.flags |= (i == 0 ? FRCT_FIRST : 0) | (i + 1 == n ? FRCT_LAST : 0);
                if (ack)
                        acknowledge(g, &h);
                give_header(g, &h, payload, false);
                g->seq++;
        }
}

/* Any flags; numbers near the true ones. */
static void give_data(struct rig *g, struct input *in)
{
        uint8_t         how = input_byte(in);
        struct frct_hdr h   = {.flags = (uint8_t)(input_byte(in) | FRCT_DATA), .stamp = stamp_of(g)};
        size_t          n   = h.flags & FRCT_FIN ? 0 : 1 + input_byte(in) * (how & 1 ? 8u : 1u);

        h.seq   = g->seq + (uint32_t)(how & 2 ? (int8_t)input_byte(in) : (int16_t)input_le(in, 2));
        h.first = how & 4 ? g->first : h.seq - input_byte(in);
        if (how & 8)
                h.stamp -= (uint32_t)input_le(in, 3);
        if (h.flags & FRCT_ACK)
                acknowledge(g, &h);
        if (how & 16)
                g->seq = h.seq + 1;
        if (how & 32)
                g->first = h.first;
        give_header(g, &h, n, how & 64);
}

static void give_ack(struct rig *g, struct input *in)
{
        uint8_t         how = input_byte(in);
        struct frct_hdr h   = {.flags = how & 1 ? FRCT_PROBE : 0, .stamp = stamp_of(g)};

        if ((how & 3) == 3) {
                h.flags |= FRCT_RUN;
                h.first = g->seq + (uint32_t)(int8_t)input_byte(in);
        }
        acknowledge(g, &h);
        h.ack += (uint32_t)(how & 2 ? (int8_t)input_byte(in) : 0);
        h.edge += (uint32_t)(how & 4 ? (int16_t)input_le(in, 2) : 0);
        h.echo -= (uint32_t)(how & 8 ? input_le(in, 3) : 0);
        h.delay    = (uint32_t)(how & 16 ? input_le(in, 3) : 0);
        h.marks    = (uint16_t)(how & 32 ? input_le(in, 2) : 0);
        h.n_ranges = (uint8_t)(how & 64 ? input_byte(in) % (FRCT_RANGES_MAX + 1) : 0);
        for (size_t i = 0; i < h.n_ranges; i++) {
                h.ranges[i].from = h.ack + (uint32_t)(int8_t)input_byte(in);
                h.ranges[i].to   = h.ranges[i].from + input_byte(in) % 32;
        }
        give_header(g, &h, 0, how & 128);
}

/* -- the application ------------------------------------------------------------------ */

static void write_some(struct rig *g, size_t n)
{
        static const uint8_t zeros[65536];
        int                  r;

        g->work += (unsigned)(n / 256);
        r = frct_write(g->f, zeros, n, g->now_ns);
        MUST(r == 0 || r == -EAGAIN || r == -EMSGSIZE || r == -EPIPE || r == -EFLOWPEER || r == -EFLOWDOWN);
        MUST((r == -EMSGSIZE) == (n == 0 && !g->fin && r != -EFLOWPEER && r != -EFLOWDOWN));
}

static void read_some(struct rig *g, size_t n)
{
        ptrdiff_t look = frct_look(g->f);
        uint8_t  *buf;

        MUST(look >= 0 || look == -ENODATA || look == -EFLOWPEER || look == -EFLOWDOWN);
        MUST(look <= (ptrdiff_t)FRCT_MESSAGE_MAX);
        if (look <= 0)
                return;
        buf = malloc(n > 0 ? n : 1);
        MUST(buf != NULL);
        MUST(frct_read(g->f, buf, n, g->now_ns) == (n < (size_t)look ? n : (size_t)look));
        free(buf);
}

static void check_stats(struct rig *g)
{
        struct frct_stats s;

        frct_stats(g->f, &s);
        MUST(s.tx_queued <= FRCT_MESSAGE_MAX && s.rx_queued <= FRCT_MESSAGE_MAX + g->conf.packet);
        MUST(__sanitizer_get_current_allocated_bytes() - g->before <= MEMORY);
        (void)frct_has_room(g->f, QUEUE);
        (void)frct_is_quiet(g->f);
}

static void pass(struct rig *g, struct input *in)
{
        uint8_t n = input_byte(in);

        switch (n & 3) {
        case 0: g->now_ns += (n >> 2) * NS_PER_US; break;
        case 1: g->now_ns += (n >> 2) * NS_PER_MS; break;
        case 2: g->now_ns += (n >> 2) * NS_PER_S; break;
        default: /* as a loop that waits */
                if (frct_due_ns(g->f) != CLOCK_NEVER && frct_due_ns(g->f) > g->now_ns)
                        g->now_ns = frct_due_ns(g->f) + (n >> 2) * NS_PER_US;
        }
}

/* Round trips without a lie: what takes long to build up. */
static void talk(struct rig *g, struct input *in)
{
        uint8_t  how    = input_byte(in);
        unsigned rounds = how & 31;

        for (; rounds > 0 && g->work < WORK; rounds--) {
                struct frct_hdr h = {.stamp = stamp_of(g)};

                write_some(g, 8192);
                drain(g);
                g->now_ns += NS_PER_MS + (how >> 5) * 10 * NS_PER_MS;
                acknowledge(g, &h);
                give_header(g, &h, 0, false);
        }
}

static void step(struct rig *g, struct input *in)
{
        uint8_t op = input_byte(in);

        switch (op & 15) {
        case 0: pass(g, in); break;
        case 1: talk(g, in); break;
        case 2: give_junk(g, in); break;
        case 3: give_stream(g, 1 + (op >> 5), 1u + input_byte(in), op & 16); break;
        case 4: give_stream(g, input_byte(in), 64, op & 16); break;
        case 5:
        case 6:
        case 7: give_data(g, in); break;
        case 8:
        case 9:
        case 10: give_ack(g, in); break;
        case 11: write_some(g, input_byte(in)); break;
        case 12: write_some(g, input_le(in, 2)); break;
        case 13: read_some(g, input_le(in, 2)); break;
        case 14: read_some(g, FRCT_MESSAGE_MAX); break;
        default:
                if (op == 0xff) {
                        frct_down(g->f);
                } else if (op >> 4 == 14) {
                        g->fin = true;
                        MUST(frct_fin(g->f, g->now_ns) == 0);
                } else {
                        g->seq += op >> 4;
                }
        }
        if (!(op & 128))
                drain(g);
        check_stats(g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct input in = {data, data + size};

        begin(&rig, &in);
        while (input_left(&in) && rig.work++ < WORK)
                step(&rig, &in);
        drain(&rig);
        end(&rig);
        return 0;
}
