/*
 * pump.h - the packets of flows: between the ports that this host's applications have and a link.
 *
 * Out: a port's bell wakes us; packets are sent in batches straight from the ring, flow after flow in turns,
 * until all rings are empty or the link takes no more. In: each packet is copied into the ring of its flow;
 * readers are woken once a batch. No allocation per packet. An application is hostile: what a ring says is
 * checked by shm/port.h, and a flow whose ring is broken is reported and carried no longer.
 */
#ifndef O7S_IPCPD_SHIM_PUMP_H
#define O7S_IPCPD_SHIM_PUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "ipcpd/shim/link.h"
#include "ipcpd/common/ops.h"

struct pump;
struct pump_flow;

/* Each is the last thing that happens to the flow: it may be removed from within, and so may all others. */
struct pump_ops {
        /* The application broke its ring (-EPROTO). Once, from the loop or from within pump_in(). */
        void (*broken)(void *ctx, void *flow_ctx);

        /*
         * After pump_end(), once, from the loop or from within pump_end(): what was written has been sent, or
         * there is nowhere to send it, or the ring is broken. The owner has to call pump_remove(), later or
         * from within.
         */
        void (*drained)(void *ctx, void *flow_ctx);
};

/* @link is what @link_ops->open() gave. Borrowed for life. NULL: out of memory. */
struct pump *pump_open(uv_loop_t *loop, const struct link_ops *link_ops, void *link,
                       const struct pump_ops *ops, void *ctx);

/*
 * With all flows, whose owners are not told; the link is not used any more. The loop must turn once more.
 * Takes NULL.
 */
void pump_close(struct pump *p);

/*
 * A flow with its port, whose descriptors are taken over also on failure. It takes packets in at once; out
 * only once it has a path. 0 and *@out; or -EPROTO, -ENOMEM, …
 */
int pump_add(struct pump *p, struct pump_flow **out, struct ipcp_port port, void *flow_ctx);

/*
 * Where packets go, each at most @packet_max bytes; larger ones are thrown away and counted. @path is copied.
 */
void pump_set_path(struct pump_flow *f, const struct link_path *path, uint32_t packet_max);

/* A packet for the application; thrown away and counted when its ring is full. May call broken(). */
void pump_in(struct pump_flow *f, const uint8_t *packet, size_t len);

/* From link_up.batch() and link_up.writable(). */
void pump_batch(struct pump *p);
void pump_writable(struct pump *p);

/*
 * The application ends the flow: drained() when its ring is empty. Nothing comes in any more. May call
 * drained().
 */
void pump_end(struct pump_flow *f);

/* Ends our side of the port (the application reads what is in it, then the end), and frees. */
void pump_remove(struct pump_flow *f);

struct pump_facts {
        uint64_t packets_out, bytes_out, packets_in, bytes_in;
        uint64_t full;      /* thrown away: the application's ring was full            */
        uint64_t too_large; /* thrown away: the application wrote more than packet_max */
        uint64_t unfit;     /* thrown away: came in empty, or longer than a port takes */
};

void pump_flow_facts(const struct pump_flow *f, struct pump_facts *out);

#endif
