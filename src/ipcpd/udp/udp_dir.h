/*
 * udp_dir.h - the directory of a layer over UDP: DNS, if one is configured. Without one nobody is found, and
 * there is nothing to publish: then names are asked for at the configured peers only.
 */
#ifndef O7S_IPCPD_UDP_UDP_DIR_H
#define O7S_IPCPD_UDP_UDP_DIR_H

#include "ipcpd/shim/link.h"
#include "ipcpd/udp/udp_conf.h"

struct udp_dir;

/*
 * Answers by @up->found() and @up->published(). @conf and @up are borrowed for life. 0, or a negative code
 * that is logged.
 */
int udp_dir_open(struct udp_dir **out, uv_loop_t *loop, const struct udp_conf *conf,
                 const struct link_up *up);

/* No answer comes any more; @conf and @up are given back; the loop must turn once more. Takes NULL. */
void udp_dir_close(struct udp_dir *d);

/* As link_ops.find() and link_ops.publish(). */
void udp_dir_find(struct udp_dir *d, uint32_t ask, const uint8_t *hash, size_t len);
int  udp_dir_publish(struct udp_dir *d, uint32_t ask, const uint8_t *hash, size_t len, bool there);

#endif
