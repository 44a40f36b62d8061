/* flow.c - what is measured: a raw flow of libouroboros, by public calls only. */
#include "transport.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ouroboros/dev.h>
#include <ouroboros/errno.h>
#include <ouroboros/fccntl.h>
#include <ouroboros/irm.h>

/* Makes @name reachable through every IPCP there is. */
static int register_name(const char *name)
{
        struct ipcp_list_info *ipcps = NULL;
        ssize_t                n     = irm_list_ipcps(&ipcps);
        int                    r     = n == 0 ? -EIPCP : (int)n;

        for (ssize_t i = 0; i < n && r >= 0; i++)
                r = irm_reg_name(name, ipcps[i].pid);
        free(ipcps);
        return r < 0 ? r : 0;
}

static int bound_listen(const char *address)
{
        int r = irm_bind_process(getpid(), address);

        return r < 0 ? r : register_name(address);
}

static int bound_accept(int listener)
{
        (void)listener;
        return flow_accept(NULL, NULL);
}

static void bound_forget(const char *address)
{
        irm_destroy_name(address);
}

static int raw_connect(const char *address)
{
        return flow_alloc(address, NULL, NULL);
}

static int raw_start(const char *address)
{
        return flow_alloc_start(address, NULL, NULL);
}

static int raw_finish(int fd)
{
        return flow_alloc_finish(fd, NULL);
}

/* As enc.cfg calls them, by their numbers. */
static const char *secured_by(int fd)
{
        static const char *const names[] = {NULL, "p384", "p384-mlkem1024", "x25519", "x25519-mlkem768"};
        struct flow_peer         p;

        if (fccntl(fd, FLOWGPEER, &p) < 0 || !p.authenticated || !p.encrypted ||
            p.suite >= sizeof(names) / sizeof(names[0]))
                return NULL;
        return names[p.suite];
}

/* The library tunes itself. */
static void raw_tune(int fd)
{
        (void)fd;
}

static void raw_close(int fd)
{
        flow_dealloc(fd);
}

const struct transport transport_flow = {
        .name    = "ouroboros",
        .listen  = bound_listen,
        .accept  = bound_accept,
        .forget  = bound_forget,
        .connect = raw_connect,
        .start   = raw_start,
        .finish  = raw_finish,
        .started = POLLIN,
        .suite   = secured_by,
        .tune    = raw_tune,
        .send    = flow_write,
        .recv    = flow_read,
        .close   = raw_close,
};
