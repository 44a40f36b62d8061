/* set.c - the puppet's verbs for waiting: fqueue.h, and poll, select and epoll on flow descriptors. */
#include "puppet.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

#include <ouroboros/fqueue.h>

/* Sets are known by their number. */
static fset_t *sets[8];

static fset_t *set_arg(const struct call *c)
{
        return sets[call_long(c, 0) & 7];
}

static long do_set_create(struct call *c)
{
        for (int i = 0; i < 8; i++)
                if (sets[i] == NULL && (sets[i] = fset_create()) != NULL)
                        return i;
        (void)c;
        return -1;
}

static long do_set_destroy(struct call *c)
{
        fset_destroy(set_arg(c));
        sets[call_long(c, 0) & 7] = NULL;
        return 0;
}

static long do_set_add(struct call *c)
{
        return fset_add(set_arg(c), (int)call_long(c, 1));
}

static long do_set_del(struct call *c)
{
        fset_del(set_arg(c), (int)call_long(c, 1));
        return 0;
}

static long do_set_has(struct call *c)
{
        return fset_has(set_arg(c), (int)call_long(c, 1));
}

static long do_set_zero(struct call *c)
{
        fset_zero(set_arg(c));
        return 0;
}

static long do_set_fd(struct call *c)
{
        return fset_fd(set_arg(c));
}

static long do_event(struct call *c)
{
        struct timespec ts;
        fqueue_t       *fq  = fqueue_create();
        ssize_t         n   = fevent(set_arg(c), fq, call_time(c, 1, &ts));
        int             err = errno, fd;
        const char     *sep = "";

        fprintf(c->more, ", \"events\": [");
        while (n > 0 && (fd = fqueue_next(fq)) >= 0) {
                fprintf(c->more, "%s[%d, %d]", sep, fd, (int)fqueue_type(fq));
                sep = ", ";
        }
        fprintf(c->more, "]");
        fqueue_destroy(fq);
        errno = err;
        return n;
}

static long do_poll(struct call *c)
{
        struct pollfd p = {.fd = (int)call_long(c, 0), .events = POLLIN};
        int           r = poll(&p, 1, (int)call_long(c, 1));

        /* As for any pipe: a hang-up is something that a read does not wait for either. */
        fprintf(c->more, ", \"in\": %s", (p.revents & (POLLIN | POLLHUP)) ? "true" : "false");
        return r;
}

static long do_select(struct call *c)
{
        long           ms = call_long(c, 1);
        int            fd = (int)call_long(c, 0);
        struct timeval tv = {ms / 1000, ms % 1000 * 1000};
        fd_set         set;
        int            r;

        FD_ZERO(&set);
        FD_SET(fd, &set);
        r = select(fd + 1, &set, NULL, NULL, &tv);
        fprintf(c->more, ", \"in\": %s", r > 0 && FD_ISSET(fd, &set) ? "true" : "false");
        return r;
}

/* An epoll set that outlives the verb: a closed flow must vanish from it. */
static long do_epoll_create(struct call *c)
{
        (void)c;
        return epoll_create1(EPOLL_CLOEXEC);
}

static long do_epoll_add(struct call *c)
{
        struct epoll_event e = {.events = EPOLLIN, .data.fd = (int)call_long(c, 1)};

        return epoll_ctl((int)call_long(c, 0), EPOLL_CTL_ADD, e.data.fd, &e);
}

static long do_epoll_wait(struct call *c)
{
        struct epoll_event e[16];
        int                n = epoll_wait((int)call_long(c, 0), e, 16, (int)call_long(c, 1));

        fprintf(c->more, ", \"fds\": [");
        for (int i = 0; i < n; i++)
                fprintf(c->more, "%s%d", i > 0 ? ", " : "", e[i].data.fd);
        fprintf(c->more, "]");
        return n;
}

const struct verb set_verbs[] = {
        {"set_create", 0, do_set_create},
        {"set_destroy", 1, do_set_destroy},
        {"set_add", 2, do_set_add},
        {"set_del", 2, do_set_del},
        {"set_has", 2, do_set_has},
        {"set_zero", 1, do_set_zero},
        {"set_fd", 1, do_set_fd},
        {"event", 2, do_event},
        {"poll", 2, do_poll},
        {"select", 2, do_select},
        {"epoll_create", 0, do_epoll_create},
        {"epoll_add", 2, do_epoll_add},
        {"epoll_wait", 2, do_epoll_wait},
        {NULL, 0, NULL},
};
