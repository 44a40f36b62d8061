/*
 * record_rig.h - a sender and its receiver, and what tests say of their records: each has the content
 * "content", is at @now_ns or at 0, and is accepted or refused. A refusal is checked to leave no trace.
 */
#ifndef UNIT_RECORD_RIG_H
#define UNIT_RECORD_RIG_H

#include <stddef.h>
#include <stdint.h>

#include "crypt/record.h"

#define REC_MAX 2048u

struct rec {
        uint8_t bytes[REC_MAX];
        size_t  len;
};

struct rig {
        struct record_tx *tx;
        struct record_rx *rx;
        uint8_t           out[REC_MAX];
        enum record_type  type;
};

extern const uint8_t rig_secret[RECORD_SECRET];
extern const uint8_t rig_zeros[REC_MAX];

/* For cmocka: *@state is a rig. */
int rig_set_up(void **state);
int rig_tear_down(void **state);

#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, rig_set_up, rig_tear_down)

struct rec rig_seal(struct rig *g);
struct rec rig_seal_at(struct rig *g, int64_t now_ns);

/* The first record of the sender's next epoch; of @epoch, which is later than the sender's. */
struct rec rig_seal_next(struct rig *g);
struct rec rig_seal_in(struct rig *g, uint32_t epoch);

/* What record_open() returns. */
ptrdiff_t rig_open(struct rig *g, const struct rec *r, int64_t now_ns);

void rig_accept(struct rig *g, const struct rec *r);
void rig_accept_at(struct rig *g, const struct rec *r, int64_t now_ns);

/* With @error; no byte of the content gets out. */
void rig_refuse(struct rig *g, const struct rec *r, int error);
void rig_refuse_at(struct rig *g, const struct rec *r, int64_t now_ns, int error);

/* @r with one bit changed. */
struct rec rec_altered(const struct rec *r, size_t bit);

/* A claim to be of @epoch, with a tag that cannot be right. */
struct rec rec_forged(uint32_t epoch, uint32_t counter);

#endif
