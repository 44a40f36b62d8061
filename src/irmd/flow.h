/*
 * flow.h - one end of a flow on this host, from being asked for to the end.
 *
 * A flow between two processes of this host has two ends here, twins, that share one port. A flow to
 * elsewhere has one, which shares its port with the IPCP. The states:
 *
 *     client's end
 *
 *     NEW        ask      -> LOOKING    the layers are asked which of them can reach the name
 *                         -> PREPARING  the request is being signed
 *                         -> ASKED      it needs no work
 *     LOOKING    ready    -> PREPARING or ASKED, or REFUSED: no layer can
 *     PREPARING  ready    -> ASKED
 *     ASKED      answer   -> CHECKING   the response is being verified
 *                         -> OPEN       it needs no work
 *     CHECKING   ready    -> OPEN
 *     PREPARING, ASKED
 *                refuse   -> REFUSED, or on with the next layer that has the name, or LOOKING for one
 *     CHECKING   refuse   -> REFUSED
 *
 *     server's end
 *
 *     NEW        arrive   -> VERIFYING  the request is being verified
 *                         -> ARRIVED    it needs no work
 *     VERIFYING  ready    -> ARRIVED
 *     ARRIVED    accept   -> ANSWERING  somebody waits in flow_accept(); the response is being signed
 *                         -> OPEN       it needs no work
 *                wait     -> WAITING    somebody serves, but is busy
 *                start    -> STARTING   a program is being started
 *     WAITING, STARTING
 *                accept   -> ANSWERING or OPEN
 *     ANSWERING  ready    -> OPEN
 *     all of these
 *                refuse   -> REFUSED
 *
 *     both
 *                timeout  -> TIMED_OUT  all that wait
 *                close    -> CLOSED     all, OPEN too
 *
 * flow_step() in flow.c alone looks the table up, changes the state, logs the change, and frees what has come
 * to an end.
 */
#ifndef O7S_IRMD_FLOW_H
#define O7S_IRMD_FLOW_H

#include <uthash.h>

#include <ouroboros/qos.h>

#include "irmd.h"
#include "keep.h"
#include "oap/chain.h"
#include "oap/message.h"
#include "way.h"

struct accept;
struct handshake;
struct ipcp;
struct lookup;
struct name;
struct proc;

enum flow_state {
        FLOW_NEW,
        FLOW_LOOKING,
        FLOW_PREPARING,
        FLOW_ASKED,
        FLOW_CHECKING,
        FLOW_VERIFYING,
        FLOW_ARRIVED,
        FLOW_WAITING,
        FLOW_STARTING,
        FLOW_ANSWERING,
        FLOW_OPEN,
        FLOW_REFUSED, /* from here on it is over, and freed at once */
        FLOW_TIMED_OUT,
        FLOW_CLOSED,
        FLOW_N_STATES
};

struct flow {
        TAILQ_ENTRY(flow) by_proc, by_ipcp, by_name;
        struct irmd    *irmd;
        uint64_t        id;
        enum flow_state state;
        bool            server;
        char           *dst;     /* the name, even when that has gone */
        struct name    *name;    /* server, while it waits: in whose queue it is */
        struct proc    *proc;    /* whose it is; NULL: a server's end that waits */
        uint32_t        request; /* of @proc, what asked for it          */
        bool            early;   /* client: has the own bell already   */
        struct ipcp    *ipcp;
        uint32_t        question; /* server: what the IPCP wants answered */
        uint32_t        call;     /* client: what the IPCP was asked      */
        qosspec_t       qos;
        struct flow    *twin;
        struct keep    *keep;
        unsigned        side;
        struct bell     bell;   /* client: made early, until the port is; with FRCT, until the flow is up */
        struct lookup  *lookup; /* client: of layers, unless the local one has the name */
        bool            asked_again; /* client: the same layer, after nobody had answered */
        bool            tried;       /* client: a layer has failed, with                  */
        int             tried_result;
        const char     *tried_why;
        struct way      way; /* to elsewhere                                         */
        struct timeout  patience;
        int64_t         born_ns, open_ns;

        struct handshake *handshake; /* until the flow is open */
        struct accept    *accept;    /* server, while it is being answered: whose flow it will be */
        uint8_t          *data;      /* client: first data, for every attempt */
        size_t            data_len;
        char              kernel[24]; /* who the kernel says the peer is; "": not local        */
        char              peer[CHAIN_IDENTITY_MAX]; /* who the peer is, as far as it is known  */
        char             *principal; /* whose credentials this end used                        */
        uint8_t           oap_id[OAP_ID];
        bool              has_oap_id;
        bool              begun; /* in the audit log */
        bool              authenticated;
        enum suite        suite;

        const char    *word; /* why it is over, for the audit log; NULL: the result says it */
        char          *detail;
        int            result;
        UT_hash_handle hh;
};

const char *flow_state_name(enum flow_state s);

/* NULL: none. */
struct flow *flow_find(const struct irmd *d, uint64_t id);

/* The end that request @id of @p opened or asked for, or NULL. */
struct flow *flow_of_request(const struct proc *p, uint32_t id);

/* What a process asks for. */
struct flow_wish {
        const char *dst;
        qosspec_t   qos;
        uint64_t    timeout_ms; /* 0: the default */
        bool        early;
        uint32_t    request;
        struct span data; /* first data */
};

/* Asks for a flow; @p is answered now or later. */
void flow_ask(struct proc *p, const struct flow_wish *wish);

/*
 * The IPCP brings a flow for @n with the client's @request (OAP); @twin is the client's end, or NULL: it comes from
 * elsewhere, by @way. What becomes of it is the answer to the IPCP's question @id, or with 0 to the twin's.
 */
void flow_arrive(struct ipcp *i, uint32_t id, struct name *n, const qosspec_t *qs, struct flow *twin,
                 const struct way *way, struct span request);

/* Somebody has asked for this end, or answered for it, or it is over. Afterwards it may be gone. */
void flow_refuse(struct flow *f, int result);
void flow_close(struct flow *f);

/* As flow_close(), for another reason than that its process said so: a @word for the audit log, a constant. */
void flow_end(struct flow *f, const char *word);

/* What carries it has gone: as flow_close(), and the processes at its ends are told. */
void flow_down(struct flow *f);

/* The other end, elsewhere, has ended it; an application that has it reads that in the port, and ends it itself. */
void flow_left(struct flow *f);

/*
 * The server's end in a name's queue: it goes to @p, which waits in flow_accept(); it waits; it waits for a
 * program that is being started.
 */
void flow_accept_by(struct flow *f, struct proc *p);
void flow_wait(struct flow *f);
void flow_wait_for_start(struct flow *f);

#endif
