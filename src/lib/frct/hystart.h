/*
 * hystart.h - HyStart++ (RFC 9406): when the first slow start should end, by the growth of the round-trip
 * time rather than by loss. Pure; it counts rounds by the sender's numbers and owns no window.
 *
 *     fast     the least RTT of a round exceeds that of the round before -> careful
 *     careful  grows a quarter as fast (CSS); the RTT falls back -> fast; five rounds -> over
 */
#ifndef O7S_FRCT_HYSTART_H
#define O7S_FRCT_HYSTART_H

#include <stdbool.h>
#include <stdint.h>

#define HYSTART_GROWTH_DIVISOR 4u /* CSS_GROWTH_DIVISOR              */
#define HYSTART_LIMIT          8u /* L: packets per acknowledgement  */
#define HYSTART_ROUNDS         5u /* CSS_ROUNDS                      */
#define HYSTART_SAMPLES        8u /* N_RTT_SAMPLE                    */

enum hystart_phase { HYSTART_FAST, HYSTART_CAREFUL, HYSTART_OVER };

struct hystart {
        enum hystart_phase phase;
        bool               begun;       /* the first round                                    */
        unsigned           samples;     /* of this round                                      */
        unsigned           rounds;      /* in this phase, when careful                        */
        uint64_t           round_end;   /* number with which this round ends                  */
        int64_t            min_ns;      /* least RTT of this round; INT64_MAX: no sample      */
        int64_t            last_min_ns; /* of the round before                                */
        int64_t            baseline_ns; /* least RTT of the round that made it careful        */
};

void hystart_init(struct hystart *h);

/*
 * An acknowledgement up to @base came while the sender's next number is @next. @rtt_ns: 0: no sample.
 * Returns the phase.
 */
enum hystart_phase hystart_acked(struct hystart *h, uint64_t base, uint64_t next, int64_t rtt_ns);

#endif
