/*
 * receiver.h - the receiving half of an end: runs, what has arrived, when to acknowledge and with what.
 * Packets as bytes are not its business.
 */
#ifndef O7S_FRCT_RECEIVER_H
#define O7S_FRCT_RECEIVER_H

#include "frct/ack.h"
#include "frct/frct.h"
#include "frct/recvq.h"
#include "frct/seen.h"

struct receiver {
        struct recvq *q;
        struct ack    ack;
        struct seen   seen; /* unreliable */
        bool          reliable;
        bool          active;  /* there is a run              */
        bool          begun;   /* there was ever one          */
        bool          fin;     /* it has ended                */
        int64_t       data_ns; /* when DATA came last         */
        uint64_t      told;    /* edge that the peer has been told */
        uint64_t      packets, bytes, duplicates, outside, marks;
};

/* 0 or -ENOMEM. */
int  receiver_init(struct receiver *r, const struct frct_conf *conf);
void receiver_fini(struct receiver *r);

/* A packet with DATA. @idle_ns: silence after which the run before is over. */
void receiver_data(struct receiver *r, const struct frct_hdr *h, const void *payload, size_t n, bool marked,
                   int64_t idle_ns, int64_t now_ns);

/* A packet without, that asks for an answer; with RUN it is as good as DATA for the run. */
void receiver_probed(struct receiver *r, const struct frct_hdr *h, int64_t idle_ns, int64_t now_ns);

/* Something was read: the peer may have to be told of the room. */
void receiver_read(struct receiver *r, int64_t now_ns);

/* When an acknowledgement must leave; CLOCK_NEVER. */
static inline int64_t receiver_due_ns(const struct receiver *r)
{
        return r->ack.due_ns;
}

/* Whether there is anything to acknowledge that was not yet, due or not. */
bool receiver_owes(const struct receiver *r);

/* Whether an acknowledgement needs ranges. */
bool receiver_has_ranges(const struct receiver *r);

/* Fills in the acknowledgement, with at most @ranges of them, which is taken as made. */
void receiver_acknowledge(struct receiver *r, struct frct_hdr *h, size_t ranges, int64_t now_ns);

#endif
