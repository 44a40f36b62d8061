/* pump_parts.h - between pump.c, pump_out.c and pump_in.c, which are one module. */
#ifndef O7S_IPCPD_SHIM_PUMP_PARTS_H
#define O7S_IPCPD_SHIM_PUMP_PARTS_H

#include <sys/queue.h>

#include "ipcpd/shim/pump.h"
#include "shm/port.h"

TAILQ_HEAD(pump_flows, pump_flow);

struct pump {
        const struct link_ops *link_ops;
        void                  *link;
        const struct pump_ops *ops;
        void                  *ctx;
        struct pump_flows      all;
        struct pump_flows      ready;     /* to be sent from, in turns                     */
        struct pump_flows      lingering; /* empty just now, bells not armed yet           */
        struct pump_flows      fed;       /* to be shown to readers at the end of the batch */
        uv_check_t             check;     /* runs after what the loop has polled           */
        uv_idle_t              idle;      /* keeps the loop from sleeping                  */
        bool                   running;   /* both do                                       */
        bool                   yielded;   /* to readers, in this batch                     */
        bool                   halted;    /* the link takes no more                        */
        unsigned               n_handles; /* of this and of its flows, that are not closed */
};

/* Where a flow stands with its ring; the port is entered (shm/port.h) in the last two. */
enum pump_out {
        PUMP_DEAF,    /* has no path yet, or is over: its bell is not watched */
        PUMP_RESTING, /* its bell is armed and watched                        */
        PUMP_READY,
        PUMP_LINGERING,
};

struct pump_flow {
        struct port       port;
        struct pump      *pump;
        void             *ctx;
        uv_poll_t         bell;
        struct link_path  path;
        uint32_t          packet_max;
        enum pump_out     out;
        bool              has_path;
        bool              over;     /* nothing more can be read                                */
        bool              broken;   /* nor written                                             */
        bool              ended;    /* by pump_end()                                           */
        bool              fed;      /* is in that list                                         */
        unsigned          used;     /* packets of its turn that are sent                       */
        uint64_t          unseen;   /* bytes that the reader has not been shown                */
        int64_t           left;     /* after the end: bytes of records that may still be sent  */
        int64_t           empty_ns; /* when the ring was found empty                           */
        uint16_t          skip;     /* short pauses to pass over before lingering is tried     */
        uint16_t          gap;      /* that many after the next failure, about half            */
        struct pump_facts facts;
        TAILQ_ENTRY(pump_flow) in_all;
        TAILQ_ENTRY(pump_flow) in_out; /* ready or lingering */
        TAILQ_ENTRY(pump_flow) in_fed;
};

/* -- pump_out.c -- */

void pump_out_init(struct pump *p, uv_loop_t *loop);

/* Begins to watch the bell. */
void pump_out_start(struct pump_flow *f);

/* Reads no more. No callback comes. */
void pump_out_stop(struct pump_flow *f);

/* The application has ended the flow. @f may be gone. */
void pump_out_end(struct pump_flow *f);

/* The ring is broken: tells the owner. @f may be gone. */
void pump_out_break(struct pump_flow *f);

/* -- pump_in.c -- */

/* Shows the reader what has come in, now. */
void pump_in_flush(struct pump_flow *f);

#endif
