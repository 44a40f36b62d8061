/* eth_out.c - packets that go: in batches, and what to do about those that do not. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "ipcpd/eth/eth_parts.h"

/* Fills the batch from the first of @n packets. */
static void fill(struct eth *e, struct eth_frame *h, const struct iovec *packets, size_t n)
{
        eth_batch_clear(&e->batch);
        for (size_t i = 0; i < n && i < ETH_BATCH; i++) {
                uint8_t  *head = eth_batch_add(&e->batch, &packets[i]);
                struct wr w    = {head, head + ETH_HDR_MAX, false};

                assert(packets[i].iov_len + e->kind->overhead <= e->kind->payload_max);
                h->len = (uint16_t)packets[i].iov_len;
                e->kind->put(&w, h);
        }
}

enum verdict { WAIT, SKIP_ONE, SKIP_ALL };

static void complain(struct eth *e, int code)
{
        if (!e->complained)
                log_warn("%s: cannot send: %s; more of that is not logged", e->iface.name, strerror(-code));
        e->complained = true;
}

/*
 * What to do when a frame could not be sent. -EAGAIN: the socket's buffer is full, and the loop tells when
 * it is not. -ENOBUFS: the interface's queue is, or there is no memory, and nobody tells.
 */
static enum verdict judge(struct eth *e, int code)
{
        switch (code) {
        case -EAGAIN: eth_watch_want_room(&e->watch); return WAIT;
        case -ENOBUFS: eth_retry(e); return WAIT;
        case -ENETDOWN:
        case -ENXIO:
        case -ENODEV: return SKIP_ALL;
        default: complain(e, code); return SKIP_ONE; /* -EMSGSIZE: the MTU is less than it was */
        }
}

/* Returns how many of @n were sent or thrown away. */
static size_t send_frames(struct eth *e, struct eth_frame *h, const struct iovec *packets, size_t n)
{
        size_t       done = 0;
        enum verdict v;
        int          r;

        while (done < n) {
                fill(e, h, packets + done, n - done);
                r = eth_batch_send(&e->batch, e->fd);
                if (r > 0) {
                        e->counts.out += (unsigned)r;
                        done += (unsigned)r;
                        continue;
                }
                v = judge(e, r);
                if (v == WAIT)
                        return done;
                e->counts.lost += v == SKIP_ONE ? 1 : n - done;
                done = v == SKIP_ONE ? done + 1 : n;
        }
        return done;
}

static size_t eth_send(struct eth *e, const uint8_t dst[ETH_MAC], uint32_t eid, uint32_t own_eid,
                       const struct iovec *packets, size_t n)
{
        struct eth_frame h = {.ethertype = e->ethertype, .eid = (uint16_t)eid, .own_eid = (uint16_t)own_eid};

        if (!e->works) {
                e->counts.lost += n;
                return n;
        }
        memcpy(h.dst, dst, ETH_MAC);
        memcpy(h.src, e->at.mac, ETH_MAC);
        return send_frames(e, &h, packets, n);
}

size_t eth_out_data(void *link, const struct link_path *path, const struct iovec *packets, size_t n)
{
        return eth_send(link, path->to.b, path->eid, path->own_eid, packets, n);
}

void eth_out_control(void *link, const struct link_addr *to, const uint8_t *p, size_t len)
{
        struct eth  *e   = link;
        struct iovec one = {(void *)p, len};

        if (eth_send(e, to != NULL ? to->b : eth_broadcast, 0, 0, &one, 1) == 0)
                e->counts.lost++;
}
