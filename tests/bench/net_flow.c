/* net_flow.c - what is measured: flows, by public calls only. */
#include "net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ouroboros/dev.h>
#include <ouroboros/errno.h>
#include <ouroboros/irm.h>

static int said(const char *what, int r)
{
        if (r < 0)
                fprintf(stderr, "flow: cannot %s: %s\n", what, o7s_strerror(r));
        return r;
}

static int flow_listen_for(const struct net_conf *c)
{
        struct ipcp_list_info *ipcps = NULL;
        int                    r     = irm_bind_process(getpid(), c->name);
        ssize_t                n     = irm_list_ipcps(&ipcps);

        for (ssize_t i = 0; i < n && r == 0; i++)
                r = irm_reg_name(c->name, ipcps[i].pid);
        free(ipcps);
        return said("listen", r < 0 ? r : (int)n < 0 ? (int)n : 0);
}

static int flow_accept_one(const struct net_conf *c, int listener)
{
        (void)c;
        (void)listener;
        return said("accept", flow_accept(NULL, NULL));
}

static int flow_open(const struct net_conf *c)
{
        qosspec_t        qos   = strcmp(c->qos, "data") == 0 ? qos_data : qos_raw;
        struct flow_data first = {.send = c->question, .send_len = c->question != NULL ? c->size : 0};

        return said("allocate", flow_alloc_data(c->name, &qos, NULL, c->question != NULL ? &first : NULL));
}

static ssize_t flow_send(int fd, void *buf, size_t len)
{
        return said("write", (int)flow_write(fd, buf, len));
}

static ssize_t flow_recv(int fd, void *buf, size_t len)
{
        return flow_read(fd, buf, len);
}

static void flow_close(int fd)
{
        flow_dealloc(fd);
}

const struct net_way net_flow = {
        .name   = "flow",
        .listen = flow_listen_for,
        .accept = flow_accept_one,
        .open   = flow_open,
        .send   = flow_send,
        .recv   = flow_recv,
        .close  = flow_close,
};
