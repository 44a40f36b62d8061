/*
 * transport_rig.h - an engine of the handshake transport whose owner writes down what it hears, and peers
 * made by hand.
 */
#ifndef UNIT_TRANSPORT_RIG_H
#define UNIT_TRANSPORT_RIG_H

#include "base/clock.h"
#include "ipcpd/transport/transport.h"
#include "wire/shim.h"

#define RIG_PACKETS  512u
#define RIG_DATAGRAM 1472u
#define RIG_HASH     32u

struct rig_packet {
        bool             everybody;
        struct link_addr to;
        size_t           len;
        uint8_t          bytes[RIG_DATAGRAM];
        struct shim_head head;
        const uint8_t   *body;
};

struct rig {
        struct transport *t;
        int64_t           now_ns;
        uint64_t          random;
        struct rig_packet sent[RIG_PACKETS];
        size_t            n_sent;

        /* the last of each, and how many */
        unsigned             requests, replies, founds, deallocs;
        struct transport_key key; /* of any of them */
        uint32_t             eid;
        qosspec_t            qs;
        uint8_t              hash[SHIM_HASH_MAX];
        size_t               hash_len;
        uint8_t              oap[SHIM_MESSAGE_MAX];
        size_t               oap_len;
        int                  result;
        uint64_t             cookie;
        bool                 found;
        struct link_addr     at;

        bool has;      /* the name that is asked for */
        bool answers;  /* requests are answered at once with … */
        int  answer;   /* … this and no OAP */
        bool farewell; /* what comes is ended at once */
};

void rig_open(struct rig *g, const struct transport_config *conf);
void rig_close(struct rig *g);

/* Like UDP, and like Ethernet. */
struct transport_config rig_udp(void);
struct transport_config rig_eth(void);

/* Host @host, its socket @port. */
struct link_addr rig_addr(uint8_t host, uint16_t port);

/* Goes on to @ms from now, with all that is due on the way. */
void rig_pass(struct rig *g, int64_t ms);

/* How many packets of the type were sent since rig_clear(). */
size_t rig_count(const struct rig *g, enum shim_type type);

/* The last of the type that was sent; there must be one. */
const struct rig_packet *rig_last(const struct rig *g, enum shim_type type);
void                     rig_clear(struct rig *g);

/* The engine gets a packet of this header, with @h->len bytes, padded with zeros to @pad_to. */
void rig_give(struct rig *g, const struct link_addr *from, const struct shim_head *h, const void *body,
              size_t pad_to);

/* … one that has nothing but its type; a GOT; bytes as they are. */
void rig_say(struct rig *g, const struct link_addr *from, uint64_t id, enum shim_type type);
void rig_give_got(struct rig *g, const struct link_addr *from, uint64_t id, uint8_t what, bool complete,
                  uint64_t pieces);
void rig_give_bytes(struct rig *g, const struct link_addr *from, const uint8_t *p, size_t len);

/* A message of @len bytes that depends on @seed. */
void rig_text(uint8_t *out, size_t len, uint64_t seed);

/* The whole of a REQUEST with an OAP of @oap_len bytes, in *@len bytes, to be freed; and of a REPLY. */
uint8_t *rig_request(uint32_t eid, size_t oap_len, size_t *len);
uint8_t *rig_reply(uint8_t code, uint32_t eid, const uint8_t *token, size_t oap_len, size_t *len);

/* Gives piece @i of a message cut into pieces of @size bytes. */
void rig_give_piece(struct rig *g, const struct link_addr *from, uint64_t id, enum shim_type type,
                    const uint8_t *message, size_t len, size_t size, unsigned i);

struct transport_facts rig_facts(const struct rig *g);

/* The engine asks @to, with an OAP of @oap_len bytes. */
struct transport_key rig_ask(struct rig *g, const struct link_addr *to, size_t oap_len);

/* A request of one piece reaches it, padded as clients do. */
void rig_give_request(struct rig *g, const struct link_addr *from, uint64_t id);

#endif
