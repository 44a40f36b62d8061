/* stress_record_epoch.c - one whole epoch: 2^24 records under one key, and the first of the next. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypt/record.h"

#include "stress.h"

static const struct stress none;

static void seal(struct record_tx *tx, uint8_t rec[RECORD_OVERHEAD])
{
        STRESS_CHECK(&none, record_seal(tx, RECORD_KEEPALIVE, NULL, 0, 0, rec) == RECORD_OVERHEAD);
}

static void accept(struct record_rx *rx, const uint8_t rec[RECORD_OVERHEAD])
{
        uint8_t          out[1];
        enum record_type type;

        STRESS_CHECK(&none, record_open(rx, rec, RECORD_OVERHEAD, 0, out, &type) == 0);
}

int main(void)
{
        static const uint8_t secret[RECORD_SECRET] = "epoch";
        static const uint8_t last[RECORD_HDR]      = {RECORD_KEEPALIVE, 0, 0, 0, 0, 0xff, 0xff, 0xff};
        static const uint8_t first[RECORD_HDR]     = {RECORD_KEEPALIVE, 0, 0, 1, 0, 0, 0, 0};
        struct record_tx    *tx                    = record_tx_create(secret, 0);
        struct record_rx    *rx                    = record_rx_create(secret);
        uint8_t              rec[RECORD_OVERHEAD];

        STRESS_CHECK(&none, tx != NULL && rx != NULL);
        alarm(120);
        for (uint32_t i = 0; i < RECORD_EPOCH_RECORDS; i++) {
                seal(tx, rec);
                if (i % 4000 == 0)
                        accept(rx, rec);
        }
        STRESS_CHECK(&none, memcmp(rec, last, sizeof(last)) == 0);
        accept(rx, rec);
        seal(tx, rec);
        STRESS_CHECK(&none, memcmp(rec, first, sizeof(first)) == 0);
        accept(rx, rec);
        STRESS_CHECK(&none, record_rx_epoch(rx) == 1);
        record_tx_destroy(tx);
        record_rx_destroy(rx);
        return EXIT_SUCCESS;
}
