/*
 * frct_link.h - one direction of a network in virtual time: a queue before a line of some rate, then a way
 * of some length, and all that can befall a packet on it. What happens follows from the seed and from when
 * packets are sent, from nothing else; integers only.
 *
 *     sent, blackout? lost? -> queue, full? marked? -> line -> delay, jitter, late? altered? twice? -> taken
 */
#ifndef SIM_FRCT_LINK_H
#define SIM_FRCT_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINK_CUTS 8u

/*
 * Parts in a million are drawn for each packet by itself. Bursts (Gilbert, Elliott): a second state,
 * entered and left with a packet, left at the latest after a time, in which more is lost.
 */
struct link_conf {
        uint64_t rate;     /* bytes per second; 0: no limit                        */
        uint64_t queue;    /* bytes that may wait for the line; 0: no limit        */
        uint64_t mark;     /* waiting bytes from which packets are marked; 0: never */
        uint32_t overhead; /* bytes that the line carries with each packet         */
        int64_t  delay_ns;
        int64_t  jitter_ns; /* more, evenly spread; the order is kept               */
        uint32_t late_ppm;  /* packets that others overtake                         */
        int64_t  late_ns;   /* by so much at most                                   */
        uint32_t loss_ppm, dup_ppm, alter_ppm;
        uint32_t burst_ppm, burst_end_ppm, burst_loss_ppm;
        int64_t  burst_ns;
};

struct link_packet {
        int64_t        at_ns; /* when it arrives                        */
        unsigned       flow;  /* whose it is, as the sender said        */
        bool           marked;
        bool           altered;
        size_t         n;
        const uint8_t *bytes;
};

struct link_stats {
        uint64_t sent, bytes, arrived, lost, dropped, cut, doubled, altered, marked;
};

struct link;

/* @packet: bytes of the largest that will be sent. Never NULL: without memory the program ends. */
struct link *link_create(const struct link_conf *conf, size_t packet, uint64_t seed);
void         link_destroy(struct link *l);

/* From now on; what is under way is not concerned. */
void link_change(struct link *l, const struct link_conf *conf);

/* Nothing that is sent at @from_ns or later and before @to_ns arrives. At most LINK_CUTS of them. */
void link_cut(struct link *l, int64_t from_ns, int64_t to_ns);

/* Copies the packet. */
void link_send(struct link *l, unsigned flow, const void *packet, size_t n, int64_t now_ns);

/* When the next packet arrives; CLOCK_NEVER. */
int64_t link_due_ns(const struct link *l);

/* The next packet that has arrived by @now_ns, or NULL. Borrowed until the next is taken. */
const struct link_packet *link_take(struct link *l, int64_t now_ns);

/* Longest life of a packet, whatever befalls it; with a rate, the queue must have a limit. */
int64_t link_life_ns(const struct link_conf *conf, size_t packet);

/* Alters a packet of *@n bytes, with room for @cap: bits, a field, the length, or everything. */
void link_alter(uint64_t *random, uint8_t *bytes, size_t *n, size_t cap);

struct link_stats link_stats(const struct link *l);

#endif
