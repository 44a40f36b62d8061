#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ouroboros/errno.h>

#include "base/clock.h"

#include "cpu.h"

#define READY_TIMEOUT_MS 10000

/* -- in the peer ----------------------------------------------------------- */

struct server {
        const struct transport *transport;
        int                     listener;
};

static ssize_t answer_stamp(const struct transport *t, int fd, void *buf, size_t len)
{
        struct message *m     = buf;
        struct timespec pause = clock_timespec(m->think_ns);

        m->delay_ns = clock_now_ns() - m->sent_ns;
        clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
        m->sent_ns = clock_now_ns();
        return t->send(fd, buf, len);
}

static ssize_t answer_count(const struct transport *t, int fd, uint64_t *n)
{
        struct message m = {.kind = MSG_COUNT, .count = *n};

        *n = 0;
        return t->send(fd, &m, sizeof(m));
}

static void answer(const struct transport *t, int fd)
{
        static alignas(64) uint8_t buf[MESSAGE_MAX];
        uint64_t                   n = 0;
        ssize_t                    r = 1;
        ssize_t                    len;

        while (r > 0 && (len = t->recv(fd, buf, sizeof(buf))) > 0) {
                switch (buf[0]) {
                case MSG_DATA: n++; break;
                case MSG_ECHO: r = t->send(fd, buf, (size_t)len); break;
                case MSG_STAMP: r = answer_stamp(t, fd, buf, (size_t)len); break;
                default: r = answer_count(t, fd, &n); break;
                }
        }
}

static void *role_answer(void *arg)
{
        const struct server *s = arg;
        int                  fd;

        while ((fd = s->transport->accept(s->listener)) >= 0) {
                s->transport->tune(fd);
                answer(s->transport, fd);
                s->transport->close(fd);
        }
        return NULL;
}

static void *role_close(void *arg)
{
        const struct server *s = arg;
        int                  fd;

        while ((fd = s->transport->accept(s->listener)) >= 0)
                s->transport->close(fd);
        return NULL;
}

static void *role_keep(void *arg)
{
        const struct server *s = arg;

        while (s->transport->accept(s->listener) >= 0)
                ;
        return NULL;
}

static const struct {
        const char *name;
        void *(*run)(void *server);
} roles[] = {{"answer", role_answer}, {"close", role_close}, {"keep", role_keep}};

static void *(*find_role(const char *name))(void *)
{
        for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
                if (strcmp(roles[i].name, name) == 0)
                        return roles[i].run;
        }
        return NULL;
}

/* Runs @role in @n threads, of which the caller is one. They end when accepting fails: at the latest with the
 * daemon. */
static int serve(struct server *s, void *(*role)(void *), unsigned n)
{
        pthread_t thread;

        for (unsigned i = 1; i < n; i++) {
                if (pthread_create(&thread, NULL, role, s) != 0)
                        return 1;
                pthread_detach(thread);
        }
        role(s);
        fprintf(stderr, "o7s_bench: the %s peer cannot accept\n", s->transport->name);
        return 1;
}

int peer_main(int argc, char **argv)
{
        const struct transport *t = argc == 6 ? transport_find(argv[1]) : NULL;
        void *(*role)(void *)     = argc == 6 ? find_role(argv[2]) : NULL;
        struct server s           = {.transport = t};

        if (t == NULL || role == NULL)
                return 2;
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        cpu_pin(getpid(), atoi(argv[5]));
        s.listener = t->listen(argv[3]);
        if (s.listener < 0) {
                fprintf(stderr, "o7s_bench: %s: cannot listen: %s\n", t->name, o7s_strerror(s.listener));
                return 1;
        }
        (void)!write(STDOUT_FILENO, "\n", 1);
        return serve(&s, role, (unsigned)atoi(argv[4]));
}

/* -- in the measuring process ---------------------------------------------- */

static void become_peer(const struct peer *p, const char *role, unsigned n_threads, int cpu, int out)
{
        char    self[4096] = "";
        char    threads[16];
        char    processor[16];
        ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

        if (n < 0)
                _exit(127);
        snprintf(threads, sizeof(threads), "%u", n_threads);
        snprintf(processor, sizeof(processor), "%d", cpu);
        dup2(out, STDOUT_FILENO);
        execl(self, "o7s_bench", "peer", p->transport->name, role, p->address, threads, processor,
              (char *)NULL);
        _exit(127);
}

/* Waits for the peer's line. */
static bool is_ready(int in)
{
        struct pollfd pfd = {.fd = in, .events = POLLIN};
        char          line;

        return poll(&pfd, 1, READY_TIMEOUT_MS) == 1 && read(in, &line, 1) == 1;
}

bool peer_start(struct peer *p, const struct transport *t, const char *role, const char *address,
                unsigned n_threads, int cpu)
{
        static unsigned n_started;
        int             out[2];
        bool            ready;

        *p = (struct peer){.transport = t};
        if (address != NULL)
                snprintf(p->address, sizeof(p->address), "%s", address);
        else
                snprintf(p->address, sizeof(p->address), "o7s-bench.%d.%u", (int)getpid(), n_started++);
        if (pipe2(out, O_CLOEXEC) < 0)
                return false;
        p->pid = fork();
        if (p->pid == 0)
                become_peer(p, role, n_threads, cpu, out[1]);
        close(out[1]);
        ready = p->pid > 0 && is_ready(out[0]);
        close(out[0]);
        if (ready)
                return true;
        fprintf(stderr, "o7s_bench: no %s peer came up\n", t->name);
        peer_stop(p);
        return false;
}

int peer_connect(const struct peer *p)
{
        const struct timespec pause = clock_timespec(NS_PER_MS);
        int                   fd    = -1;

        for (int i = 0; fd < 0 && i < 1000; i++) {
                if (i > 0)
                        clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
                fd = p->transport->connect(p->address);
        }
        return fd;
}

void peer_stop(struct peer *p)
{
        if (p->pid <= 0)
                return;
        kill(p->pid, SIGTERM);
        while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
                ;
        p->transport->forget(p->address);
        p->pid = 0;
}
