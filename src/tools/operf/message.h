/*
 * message.h - what client and server of operf say to each other. Every message begins with
 *
 *     | magic "oprf" 32 | version 8 | kind 8 | test 8 | zero 8 |    all numbers are big-endian
 *
 * and goes on as its kind has it:
 *
 *     HELLO   client   | size 32 | rate 64 | duration 64 |             the first message of each flow
 *     READY   server   nothing more
 *     DATA    both     | number 64, from 0 | sender's time 64, ns | padding up to the size |
 *     DONE    client   nothing more                                    it has sent all its DATA
 *     COUNT   server   | sent 64 | messages 64 | out of order 64 | duplicates 64 | span 64, ns |
 *
 * A first message that is no HELLO ends the flow. Later messages that are none of these are as good as lost:
 * a raw flow may damage them.
 *
 * uni     HELLO, READY; the client sends DATA for the duration, then DONE; the server answers with a COUNT
 *         of what it received, which took so long from the first to the last.
 * bi      The same, and with the first DATA that it gets the server begins to send its own, by the rate and
 *         for the duration in the HELLO or until DONE comes. The COUNT tells also how many it sent, 0 in
 *         uni.
 * rr      HELLO, READY; then the server sends back each DATA as it is.
 * crr     A HELLO that is padded to the size, which the server sends back as it is.
 *
 * Where messages can be lost the client says HELLO and DONE again until it has the answer, and the server
 * answers each of them.
 */
#ifndef O7S_TOOLS_OPERF_MESSAGE_H
#define O7S_TOOLS_OPERF_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_MIN  28u        /* sizes that a test can have: a HELLO fits */
#define MESSAGE_MAX  (1u << 20) /* no flow takes longer messages            */
#define MESSAGE_ROOM 48u        /* holds every message but DATA             */

enum test { TEST_UNI = 1, TEST_BI, TEST_RR, TEST_CRR };

enum message_kind { MESSAGE_NONE, MESSAGE_HELLO, MESSAGE_READY, MESSAGE_DATA, MESSAGE_DONE, MESSAGE_COUNT };

struct hello {
        enum test test;
        uint32_t  size;
        uint64_t  rate; /* as in operf/rate.h */
        int64_t   duration_ns;
};

struct data {
        uint64_t number;
        int64_t  time_ns;
};

/* What one side received, and how much it sent itself. */
struct tally {
        uint64_t sent, messages, out_of_order, duplicates;
        int64_t  span_ns;
};

/* MESSAGE_NONE: @len bytes at @buf are no message of @test, or not one of this version. */
enum message_kind message_kind(const uint8_t *buf, size_t len, enum test test);

/* These write a message, DATA without its padding, and return its length; @buf has MESSAGE_ROOM bytes. */
size_t message_put_hello(uint8_t *buf, const struct hello *h);
size_t message_put_data(uint8_t *buf, enum test test, const struct data *d);
size_t message_put_count(uint8_t *buf, enum test test, const struct tally *t);

/* READY or DONE. */
size_t message_put_bare(uint8_t *buf, enum test test, enum message_kind kind);

/* False: it is no such message, or says what cannot be. Longer ones are padded. */
bool message_get_hello(const uint8_t *buf, size_t len, struct hello *h);
bool message_get_data(const uint8_t *buf, size_t len, enum test test, struct data *d);
bool message_get_count(const uint8_t *buf, size_t len, enum test test, struct tally *t);

#endif
