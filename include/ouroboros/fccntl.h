/*
 * fccntl.h - settings and facts of one flow.
 *
 *     fccntl(fd, FLOWSFLAGS, (uint32_t)(FLOWFDEFAULT | FLOWFRNOBLOCK));
 */
#ifndef OUROBOROS_FCCNTL_H
#define OUROBOROS_FCCNTL_H

#include <stdint.h>
#include <sys/types.h>
#include <time.h>
#include <ouroboros/cdefs.h>
#include <ouroboros/qos.h>

/* Flags of a flow (FLOWSFLAGS, FLOWGFLAGS). */
#define FLOWFRDONLY   00000000
#define FLOWFWRONLY   00000001
#define FLOWFRDWR     00000002
#define FLOWFACCMODE  00000003
#define FLOWFDOWN     00000004 /* read only: the flow has ended    */
#define FLOWFRNOBLOCK 00001000
#define FLOWFWNOBLOCK 00002000
#define FLOWFNONBLOCK (FLOWFRNOBLOCK | FLOWFWNOBLOCK)
#define FLOWFRNOPART  00010000 /* a message is read whole or kept  */
#define FLOWFWNOPART  00020000 /* a message is written whole       */
#define FLOWFDEFAULT  (FLOWFRDWR | FLOWFWNOPART)

/*
 * Flags of a flow in order over a layer (FRCTSFLAGS, FRCTGFLAGS). Between processes of one host there is
 * nothing to set: what is written is there.
 */
#define FRCTFRTX 00000001 /* what is lost is sent again; cannot be set, the QoS says it                     */
#define FRCTFRESCNTL \
        00000002 /* the receiver's window and congestion are heeded; cannot be set                 */
#define FRCTFLINGER \
        00000004 /* flow_dealloc() waits until all that was written has arrived: set by default    */

/* Commands; the comment is the type of the third argument. */
#define FLOWSRCVTIMEO 00000001 /* const struct timespec *, NULL: none            */
#define FLOWGRCVTIMEO 00000002 /* struct timespec *; none: -EPERM                */
#define FLOWSSNDTIMEO 00000003 /* const struct timespec *, NULL: none            */
#define FLOWGSNDTIMEO 00000004 /* struct timespec *; none: -EPERM                */
#define FLOWGQOSSPEC  00000005 /* qosspec_t *                                    */
#define FLOWSFLAGS    00000006 /* uint32_t                                       */
#define FLOWGFLAGS    00000007 /* uint32_t *                                     */
#define FLOWGRXQLEN   00000010 /* size_t *: room taken by what waits to be read  */
#define FLOWGTXQLEN   00000011 /* size_t *: the same of what the peer has to read */
#define FRCTSFLAGS    00001000 /* uint32_t; other than in order over a layer: -EPERM */
#define FRCTGFLAGS    00002000 /* uint32_t *; likewise                           */
#define FLOWGPEER     00000020 /* struct flow_peer *                             */
#define FLOWGINFO     00000021 /* struct flow_info *                             */
#define FLOWGSTATS    00000022 /* struct flow_stats *                            */

#define FLOW_LAYER_SIZE    256
#define FLOW_IDENTITY_SIZE 256

#define FLOW_FINGERPRINT_SIZE 32 /* SHA-256 */

/*
 * Who is at the other end. On a plain flow `authenticated` speaks of the moment of the allocation only: what
 * is sent afterwards bears no proof.
 *
 * A request that a server gets may be an old one, sent again by somebody else. On an encrypted flow its client
 * is proved to be there (`confirmed`) from the first record on, which its library sends of itself; the server
 * learns of it in a flow_read() or fevent(). The client of a flow knows that of its server from the start.
 */
struct flow_peer {
        uint8_t authenticated;                      /* 1: by certificate                              */
        uint8_t encrypted;                          /* 1: messages are encrypted and authenticated    */
        uint8_t suite;                              /* 0 plain, 1 P-384, 2 P-384 with ML-KEM-1024,    */
                                                    /* 3 X25519, 4 X25519 with ML-KEM-768             */
        uint8_t confirmed;                          /* 1: encrypted, and the peer was proved live     */
        char    identity[FLOW_IDENTITY_SIZE];       /* "" or for example "dns:a.example", "uid:1000"  */
        uint8_t fingerprint[FLOW_FINGERPRINT_SIZE]; /* of its certificate, or zeros             */
};

/* What carries the flow. */
struct flow_info {
        char     layer[FLOW_LAYER_SIZE];
        char     ipcp_type[16]; /* "local", …                                     */
        uint32_t max_message;   /* bytes that one flow_write() can take           */
        uint64_t flow_id;       /* the daemon's number for this end of the flow   */
};

/* Since the flow was allocated, as flow_read() and flow_write() count: without what encryption adds. */
struct flow_stats {
        uint64_t tx_messages, tx_bytes;
        uint64_t rx_messages, rx_bytes;
        uint64_t tx_wakes; /* times the peer had to be woken                   */
        uint64_t rx_waits; /* times a read went to sleep                       */

        /* of FRCT: zeros on other flows */
        uint64_t tx_packets, rx_packets;
        uint64_t retransmitted; /* packets that were sent again                     */
        uint64_t spurious;      /* of these: for nothing, the first had arrived     */
        uint64_t losses;        /* events of loss, as congestion control counts them */
        uint64_t timeouts;
        uint64_t duplicates;  /* packets that came twice                         */
        uint64_t rtt_ns;      /* smoothed; 0: not known yet                      */
        uint64_t rtt_min_ns;  /* of the last 10 s                                */
        uint64_t cwnd;        /* bytes that may be out                           */
        uint64_t in_flight;   /* bytes that are                                  */
        uint64_t pacing_rate; /* bytes per second; 0: none                       */
};

O7S_BEGIN_DECLS

/*
 * Returns 0, or -EBADF, -EINVAL (unknown command, NULL, bad value), -EPERM (a timeout that is not set).
 * Thread safe. Does not block.
 */
O7S_API int fccntl(int fd, int cmd, ...);

O7S_END_DECLS

#endif
