/*
 * eth_iface.h - one network interface, by its name: whether it is there and works, and what changes about it
 * (rtnetlink(7)). It may go and come back as another one of the same name.
 */
#ifndef O7S_IPCPD_ETH_ETH_IFACE_H
#define O7S_IPCPD_ETH_ETH_IFACE_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "wire/eth.h"

/* All zeros: there is no such interface. */
struct eth_iface_facts {
        int      index;
        uint32_t mtu;
        uint8_t  mac[ETH_MAC];
        bool     ethernet;
        bool     works; /* up, with a cable */
};

/* Something is different; on the loop, never from within the functions below. May close. */
typedef void eth_iface_fn(void *ctx, const struct eth_iface_facts *now);

struct eth_iface {
        uv_poll_t              poll;
        int                    fd; /* netlink */
        char                   name[IF_NAMESIZE];
        struct eth_iface_facts last;
        eth_iface_fn          *changed;
        void                  *ctx;
};

/* Begins to watch; i->last says how it is now, if it is there. 0 or -errno; after both it may be closed. */
int eth_iface_open(struct eth_iface *i, uv_loop_t *loop, const char *name, eth_iface_fn *changed, void *ctx);

/*
 * No call comes after this; it may come from within one. Returns how many handles are being closed: for
 * each, @closed is called with @owner in its data, then the memory may go. Takes one that is all zeros.
 */
unsigned eth_iface_close(struct eth_iface *i, void *owner, uv_close_cb closed);

#endif
