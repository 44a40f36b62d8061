#include "ipcpd/eth/eth_filter.h"

#include <assert.h>
#include <linux/if_packet.h>
#include <stddef.h>

#include "wire/eth.h"

/* Where things are in a frame. */
enum { AT_SRC = 6, AT_TYPE = 12, AT_DSAP = 14, AT_CONTROL = 16 };

#define LOAD_BYTE (BPF_LD | BPF_B | BPF_ABS)
#define LOAD_HALF (BPF_LD | BPF_H | BPF_ABS)
#define LOAD_WORD (BPF_LD | BPF_W | BPF_ABS)
#define IF_EQUAL  (BPF_JMP | BPF_JEQ | BPF_K)
#define IF_ABOVE  (BPF_JMP | BPF_JGT | BPF_K)
#define IF_BITS   (BPF_JMP | BPF_JSET | BPF_K)

#define WHOLE UINT32_C(0x40000) /* bytes that are let through: all of them */

static void add(struct eth_filter *f, unsigned code, uint32_t k, uint8_t jt, uint8_t jf)
{
        assert(f->n < ETH_FILTER_MAX);
        f->code[f->n++] = (struct sock_filter){(uint16_t)code, jt, jf, k};
}

static void drop(struct eth_filter *f)
{
        add(f, BPF_RET | BPF_K, 0, 0, 0);
}

static void load(struct eth_filter *f, unsigned code, uint32_t at)
{
        add(f, code, at, 0, 0);
}

/* Drops the frame unless the condition holds for what has been loaded. */
static void need(struct eth_filter *f, unsigned cond, uint32_t k)
{
        add(f, cond, k, 1, 0);
        drop(f);
}

static void need_not(struct eth_filter *f, unsigned cond, uint32_t k)
{
        add(f, cond, k, 0, 1);
        drop(f);
}

/*
 * To this host or to all, not sent by us, of no VLAN (those have interfaces of their own, and their tag is
 * no longer in the frame), and from a single station.
 */
static void begin(struct eth_filter *f)
{
        f->n = 0;
        load(f, LOAD_WORD, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE));
        add(f, IF_EQUAL, PACKET_HOST, 2, 0);
        need(f, IF_EQUAL, PACKET_BROADCAST);
        load(f, LOAD_WORD, (uint32_t)(SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT));
        need(f, IF_EQUAL, 0);
        load(f, LOAD_BYTE, AT_SRC);
        need_not(f, IF_BITS, 0x01);
}

static void end(struct eth_filter *f)
{
        add(f, BPF_RET | BPF_K, WHOLE, 0, 0);
}

void eth_filter_dix(struct eth_filter *f, uint16_t ethertype)
{
        begin(f);
        load(f, LOAD_HALF, AT_TYPE);
        need(f, IF_EQUAL, ethertype);
        end(f);
}

void eth_filter_llc(struct eth_filter *f)
{
        begin(f);
        load(f, LOAD_HALF, AT_TYPE);
        need_not(f, IF_ABOVE, ETH_LLC_LENGTH_MAX);
        load(f, LOAD_BYTE, AT_CONTROL);
        need(f, IF_EQUAL, ETH_LLC_UI);
        load(f, LOAD_BYTE, AT_DSAP);
        need_not(f, IF_BITS, 0x01);
        need_not(f, IF_EQUAL, 0);
        for (unsigned sap = 0x02; sap < 0x100; sap += 2)
                if (eth_llc_taken(sap))
                        need_not(f, IF_EQUAL, sap);
        end(f);
}
