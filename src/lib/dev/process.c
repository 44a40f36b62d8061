#include "dev/process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ouroboros/errno.h>

#include "base/clock.h"
#include "base/fd.h"
#include "crypt/secret.h"
#include "ctl/rpc.h"
#include "dev/ask.h"
#include "dev/fset.h"
#include "dev/service.h"

#define PROTOCOL_VERSION 1
#define HELLO_NS         (5 * NS_PER_S)
#define SOCKET_NAME      "irm.sock"
#define SYSTEM_DIR       "/run/ouroboros"

struct process process = {
        .lock      = PTHREAD_MUTEX_INITIALIZER,
        .watch     = {.lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1},
        .shelf     = {.lock = PTHREAD_MUTEX_INITIALIZER},
        .sets_lock = PTHREAD_MUTEX_INITIALIZER,
};

/*
 * Sets have lists, and streams have queues, which must not be copied half changed; all else is in pieces that
 * are whole at any moment.
 */
static void before_fork(void)
{
        pthread_mutex_lock(&process.sets_lock);
        service_hold();
}

static void after_fork(void)
{
        service_release();
        pthread_mutex_unlock(&process.sets_lock);
}

static void in_child(void)
{
        pthread_mutex_init(&process.lock, NULL);
        pthread_mutex_init(&process.watch.lock, NULL);
        pthread_mutex_init(&process.sets_lock, NULL);
        shelf_forget(&process.shelf);
        fset_forget_all();
        service_forget();
        table_each(&process.flows, slot_forget);
        rpc_forget(process.rpc);
        process.rpc       = NULL;
        process.watch.rpc = NULL;
        fd_close(&process.watch.fd);
}

static void register_handlers(void)
{
        secret_prepare(); /* in_child() wipes what flows have */
        pthread_atfork(before_fork, after_fork, in_child);
}

void process_prepare(void)
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;

        pthread_once(&once, register_handlers);
}

/* The path of the socket in @dir, or NULL: out of memory. */
static char *socket_in(const char *dir)
{
        char *path;

        return asprintf(&path, "%s/" SOCKET_NAME, dir) < 0 ? NULL : path;
}

/* The socket of a daemon that a user runs for himself, or NULL: there is none. */
static char *users_socket(void)
{
        const char *dir = secure_getenv("XDG_RUNTIME_DIR");
        char       *path;

        if (geteuid() == 0 || dir == NULL || asprintf(&path, "%s/ouroboros/" SOCKET_NAME, dir) < 0)
                return NULL;
        if (access(path, F_OK) == 0)
                return path;
        free(path);
        return NULL;
}

static char *socket_path(void)
{
        const char *dir = secure_getenv("OUROBOROS_RUNTIME_DIR");
        char       *path;

        if (dir != NULL && dir[0] != '\0')
                return socket_in(dir);
        path = users_socket();
        return path != NULL ? path : socket_in(SYSTEM_DIR);
}

static int greet(struct rpc *rpc)
{
        Irm__Hello    m   = IRM__HELLO__INIT;
        Irm__Request  req = IRM__REQUEST__INIT;
        struct answer ans;
        struct ask    a;
        int           r;

        m.version     = PROTOCOL_VERSION;
        req.verb_case = IRM__REQUEST__VERB_HELLO;
        req.hello     = &m;
        r             = ask_begin(&a, rpc, &req, clock_after(clock_now_ns(), HELLO_NS));
        if (r < 0)
                return r;
        r = ask_next(&a, true, &ans);
        if (r == 0) {
                if (ans.reply->body_case != IRM__REPLY__BODY_HELLO ||
                    ans.reply->hello->version != PROTOCOL_VERSION)
                        r = -EIRMD;
                answer_free(&ans);
        }
        a.over = true;
        ask_end(&a);
        return r == 0 || r == -ENOMEM ? r : -EIRMD;
}

/*
 * With the lock. The connection is in its place before it is greeted, so that a child that is forked
 * meanwhile closes it.
 */
static int connect_anew(void)
{
        char *path = socket_path();
        int   r;

        if (path == NULL)
                return -ENOMEM;
        r = rpc_open(&process.rpc, path);
        free(path);
        if (r < 0) {
                process.rpc = NULL;
                return r;
        }
        r = greet(process.rpc);
        if (r < 0) {
                rpc_unref(process.rpc);
                process.rpc = NULL;
        }
        return r;
}

int process_connect(struct rpc **out)
{
        int r = 0;

        process_prepare();
        pthread_mutex_lock(&process.lock);
        if (process.rpc != NULL && rpc_lost(process.rpc)) {
                rpc_unref(process.rpc);
                process.rpc = NULL;
        }
        if (process.rpc == NULL)
                r = connect_anew();
        if (r == 0)
                *out = rpc_ref(process.rpc);
        pthread_mutex_unlock(&process.lock);
        return r;
}

int process_ask(struct ask *a, const Irm__Request *req, int64_t give_up_ns)
{
        struct rpc *rpc;
        int         r = -EIRMD;

        for (int tries = 0; tries < 2 && r == -EIRMD; tries++) {
                r = process_connect(&rpc);
                if (r < 0)
                        return r;
                r = ask_begin(a, rpc, req, give_up_ns);
                rpc_unref(rpc);
        }
        return r;
}
