/*
 * shim_world.h - whole shims in one process, on a wire that is memory. Real are the transport, the pump, the
 * ports and the loop's clock; the wire is a struct link_ops, and irmd and the applications are the test.
 */
#ifndef TEST_SHIM_WORLD_H
#define TEST_SHIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

#include "base/clock.h"
#include "ipcpd/shim/link.h"
#include "ipcpd/common/ops.h"
#include "shm/port.h"

#define WORLD_HASH   32u
#define WORLD_HOSTS  3u
#define WORLD_EVENTS 2048u
#define WORLD_OAP    40000u /* of several pieces */
#define WORLD_MAX    1400u  /* packet_max of the wire */

enum { A, B, C };

/* An application's side of a flow. */
struct app {
        struct port port;
        uint64_t    flow_id;
};

/* What a shim told its irmd. */
enum event_kind { EV_REPLY, EV_ARRIVED, EV_GONE, EV_DEALLOC, EV_DONE, EV_N_KINDS };

struct event {
        enum event_kind kind;
        uint32_t        ask;
        uint64_t        flow_id;
        int             result;
        uint8_t         hash[WORLD_HASH];
        qosspec_t       qs;
        size_t          oap_len;
        uint8_t         oap[64]; /* the first of them */
        bool            has_way;
        struct ipcp_way way;
};

struct world;

struct host {
        struct world   *w;
        unsigned        number;
        struct ipcp_ops ops;
        struct ipcp_up  up;
        void           *layer; /* NULL: has stopped */
        struct link_up  link;
        bool            open;
        bool            blocked; /* the wire takes no data of it   */
        bool            silent;  /* nothing comes in or goes out   */
        bool            auto_accept;
        size_t          auto_first; /* which of `apps` is the next to be joined so */
        struct app     *apps;       /* for that */
        const char     *greeting;   /* that the application writes at once */
        struct event    events[WORLD_EVENTS];
        size_t          n[EV_N_KINDS]; /* of each kind */
        size_t          n_events;
        /* the directory */
        uint32_t find_ask; /* that was asked last; 0: none */
        uint32_t publish_ask;
        int      publish_result; /* what publish() says */
        bool     there;          /* what it was told */
};

struct wire_packet;
TAILQ_HEAD(wire, wire_packet);

struct world {
        uv_loop_t   loop;
        uv_idle_t   carrier; /* runs while something is on the wire */
        uv_timer_t  alarm;   /* wakes the loop, so that conditions are looked at */
        struct wire wire;
        struct host hosts[WORLD_HOSTS];
        uint32_t    n_eids;    /* of the wire; 0: many */
        unsigned    types[10]; /* control packets of each type that were carried */
        unsigned    lose;      /* of the next that have this type, ... */
        unsigned    lose_type;
        uint64_t    data; /* packets carried */
        uint32_t    last_ask;
        uint64_t    last_id;
};

/* Shims of one layer. @directory: with find() and publish(). */
struct world *world_create(bool directory);
void          world_destroy(struct world *w);

/* Stops the shim of @h, and lets the loop turn. */
void host_stop(struct host *h);

/* Turns the loop until @cond or for five seconds, which is a failure. */
#define WORLD_UNTIL(w, cond)                                                      \
        do {                                                                      \
                int64_t until_ns = clock_now_ns() + 5 * NS_PER_S;                 \
                while (!(cond)) {                                                 \
                        uv_run(&(w)->loop, UV_RUN_ONCE);                          \
                        if (clock_now_ns() > until_ns)                            \
                                fail_msg("this does not become true: %s", #cond); \
                }                                                                 \
        } while (0)

/* Turns the loop for @ms. */
void world_run(struct world *w, int64_t ms);

/* The @i-th event of a kind, from 0. Fails when there is none. */
const struct event *host_event(const struct host *h, enum event_kind kind, size_t i);

/* A name of which all bytes are @c. */
const uint8_t *name_of(char c);

/* An application with a new port: @other is the shim's side of it. */
void app_open(struct world *w, struct app *a, struct ipcp_port *other);
void app_close(struct app *a);
void app_write(struct app *a, const char *text);

/* The next message, or "" (there is none), or "end". Borrowed until the next call. */
const char *app_read(struct app *a);

/* irmd's side. alloc: @a gets a port; returns the ask. */
uint32_t host_reg(struct host *h, char name, int expected);
uint32_t host_alloc(struct host *h, struct app *a, char name, const void *oap, size_t oap_len);
uint32_t host_query(struct host *h, char name);
void     host_accept(struct host *h, struct app *a, uint32_t ask, const void *oap, size_t oap_len);
void     host_refuse(struct host *h, uint32_t ask, int result);
void     host_dealloc(struct host *h, uint64_t flow_id);

/* Flows in the tables of the shim. */
size_t host_flows(const struct host *h);

struct link_addr host_addr(unsigned number);

/* Between shim_world.c and shim_wire.c. */
extern const struct link_ops wire_plain, wire_directory;

void wire_begin(struct world *w);
void wire_end(struct world *w);

/* What link_up says to the shim of @h. */
void host_link_state(struct host *h, bool works);
void host_unblock(struct host *h);

/* An open flow from @from to @to, which has registered @name. */
void world_flow(struct world *w, unsigned from, unsigned to, char name, struct app *client,
                struct app *server);

#endif
