#include "security.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "audit.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "horizon.h"
#include "keypool.h"
#include "oap/chain.h"
#include "source.h"
#include "watch.h"
#include "work.h"

#define WORK_MAX     512  /* public-key jobs at once: what two cores do in a quarter of a second */
#define CHAINS_MAX   4096 /* verified chains that are remembered */
#define SOURCES_MAX  4096
#define SOURCE_SHARE 256 /* handshakes of one source at once */

/* -- reading --------------------------------------------------------------- */

/* What creds_read() tells, until the loop can hear it. */
struct note {
        STAILQ_ENTRY(note) next;
        enum creds_note kind;
        char           *what, *text;
};

struct reading {
        struct job          job;
        struct security    *security;
        const struct creds *last, *read;
        STAILQ_HEAD(, note) notes;
};

static void tell(void *ctx, enum creds_note kind, const char *what, const char *text)
{
        struct reading *r = ctx;
        struct note    *n = calloc(1, sizeof(*n));

        if (n == NULL)
                return;
        n->kind = kind;
        n->what = strdup(what);
        n->text = strdup(text);
        STAILQ_INSERT_TAIL(&r->notes, n, next);
}

/* On a thread, or before anything runs. */
static void read_all(struct job *j)
{
        struct reading    *r    = (struct reading *)(void *)j;
        const struct conf *conf = r->security->irmd->conf;
        char               dir[PATH_MAX];

        snprintf(dir, sizeof(dir), "%s/security", conf->config_dir);
        watch_tree(r->security->watch, conf->config_dir);
        r->read = creds_read(dir, r->last, tell, r);
}

static void pass_on(struct irmd *d, const struct note *n)
{
        static const char *const words[] = {[CREDS_LOADED]  = "loaded",
                                            [CREDS_CHANGED] = "changed",
                                            [CREDS_REMOVED] = "removed",
                                            [CREDS_FAULT]   = "fault"};
        const char              *what    = n->what != NULL ? n->what : "";
        const char              *text    = n->text != NULL ? n->text : "";

        if (n->kind == CREDS_FAULT)
                log_warn("credentials: %s: %s", what, text);
        else
                log_info("credentials: %s: %s: %s", what, words[n->kind], text);
        audit_credentials(d->audit, words[n->kind], what, text);
}

static void swap(struct reading *r)
{
        struct security *s = r->security;
        struct note     *n;

        while ((n = STAILQ_FIRST(&r->notes)) != NULL) {
                STAILQ_REMOVE_HEAD(&r->notes, next);
                pass_on(s->irmd, n);
                free(n->what);
                free(n->text);
                free(n);
        }
        creds_unref(r->last);
        if (r->read != NULL) {
                creds_unref(s->creds);
                s->creds = r->read;
        } else {
                log_err("credentials: out of memory; they stay as they were");
        }
        free(r);
        if (s->replay != NULL)
                replay_set_skew(s->replay, security_skew_ns(s));
}

static void wishes_granted(struct security *s)
{
        struct security_wish *w;

        while ((w = TAILQ_FIRST(&s->being_read)) != NULL) {
                TAILQ_REMOVE(&s->being_read, w, all);
                w->done(w);
        }
}

static void was_read(struct job *j)
{
        struct reading  *r = (struct reading *)(void *)j;
        struct security *s = r->security;

        swap(r);
        s->reading = false;
        wishes_granted(s);
        if (s->again && !s->closing)
                security_reload(s, NULL);
}

static struct reading *reading_new(struct security *s)
{
        struct reading *r = calloc(1, sizeof(*r));

        if (r == NULL)
                return NULL;
        r->security = s;
        r->last     = s->creds == NULL ? NULL : creds_ref(s->creds);
        r->job.run  = read_all;
        r->job.done = was_read;
        STAILQ_INIT(&r->notes);
        return r;
}

static void start_reading(struct security *s)
{
        struct reading *r = reading_new(s);

        s->again = true; /* unless it begins */
        if (r == NULL)
                return;
        if (work_start(s->work, &r->job, true) < 0) {
                creds_unref(r->last);
                free(r);
                return;
        }
        s->again   = false;
        s->reading = true;
        TAILQ_CONCAT(&s->being_read, &s->wishes, all);
}

void security_reload(struct security *s, struct security_wish *w)
{
        if (w != NULL)
                TAILQ_INSERT_TAIL(&s->wishes, w, all);
        if (s->reading)
                s->again = true;
        else
                start_reading(s);
}

void security_forget(struct security *s, struct security_wish *w)
{
        struct security_wish *o;

        TAILQ_FOREACH (o, &s->wishes, all) {
                if (o == w) {
                        TAILQ_REMOVE(&s->wishes, w, all);
                        return;
                }
        }
        TAILQ_REMOVE(&s->being_read, w, all);
}

static void files_changed(void *ctx)
{
        security_reload(ctx, NULL);
}

/* Work has run out: time for what waits, and for key pairs. */
static void on_idle(void *ctx)
{
        struct security *s = ctx;

        if (s->closing)
                return;
        if (s->again && !s->reading)
                start_reading(s);
        else
                keypool_fill(s->keys);
}

/* -- policy ---------------------------------------------------------------- */

static const struct rule *root_rule(const struct security *s, enum oap_reason *fault)
{
        *fault = OAP_OK;
        return creds_root_rule(s->creds, fault);
}

/* What is there for @id, facing a peer in role @peer. */
static enum oap_reason holdings(const struct security *s, const struct identity *id, enum role peer,
                                bool local, struct holdings *h)
{
        enum oap_reason fault;

        if (id != NULL && id->fault != OAP_OK)
                return id->fault;
        *h             = (struct holdings){.own = id == NULL ? NULL : id->rule, .local = local};
        h->credentials = id != NULL && id->key != NULL;
        h->root        = root_rule(s, &fault);
        if (fault != OAP_OK && h->own == NULL)
                return fault;
        fault      = OAP_OK;
        h->anchors = creds_anchors(s->creds, peer, &fault) != NULL;
        return fault;
}

enum oap_reason security_client(const struct security *s, const char *principal, bool local,
                                struct stance *st, const struct identity **id)
{
        struct holdings h;
        enum oap_reason r;

        *id = creds_client(s->creds, principal);
        r   = holdings(s, *id, ROLE_SERVER, local, &h);
        return r == OAP_OK ? stance_client(&h, st) : r;
}

enum oap_reason security_server(const struct security *s, const char *name, bool local, struct stance *st,
                                const struct identity **id)
{
        struct holdings h;
        enum oap_reason r;

        *id = creds_server(s->creds, name);
        r   = holdings(s, *id, ROLE_CLIENT, local, &h);
        return r == OAP_OK ? stance_server(&h, st) : r;
}

bool security_draw_id(struct security *s, uint8_t id[OAP_ID])
{
        if (s->n_ids == 0) {
                if (RAND_bytes((uint8_t *)s->ids, sizeof(s->ids)) != 1)
                        return false;
                s->n_ids = sizeof(s->ids) / sizeof(s->ids[0]);
        }
        memcpy(id, s->ids[--s->n_ids], OAP_ID);
        return true;
}

int64_t security_skew_ns(const struct security *s)
{
        enum oap_reason    fault;
        const struct rule *r = root_rule(s, &fault);

        return (int64_t)(r != NULL ? r->clock_skew_s : RULE_SKEW_DEFAULT_S) * NS_PER_S;
}

/* -- birth and death ------------------------------------------------------- */

static int open_replay(struct security *s)
{
        const char *dir    = s->irmd->conf->state_dir;
        int64_t     now_ns = clock_wall_ns();
        int64_t     kept_ns;
        bool        first;

        s->horizon_fd = horizon_open(dir, &kept_ns, &first);
        if (s->horizon_fd < 0) {
                log_err("%s/horizon: %s", dir, strerror(-s->horizon_fd));
                return -1;
        }
        s->replay = replay_create(s->irmd->conf->limits.signed_requests,
                                  first && audit_is_new(s->irmd->audit) ? now_ns : kept_ns, now_ns,
                                  security_skew_ns(s));
        if (s->replay == NULL)
                log_err("no memory to remember %llu signed requests (limit signed-requests)",
                        (unsigned long long)s->irmd->conf->limits.signed_requests);
        return s->replay == NULL ? -1 : 0;
}

static int read_first(struct security *s)
{
        struct reading *r = reading_new(s);

        if (r == NULL)
                return -1;
        read_all(&r->job);
        swap(r);
        return s->creds == NULL ? -1 : 0;
}

struct security *security_open(struct irmd *d)
{
        struct security *s = calloc(1, sizeof(*s));

        if (s == NULL)
                return NULL;
        s->irmd       = d;
        s->horizon_fd = -1;
        if (uv_mutex_init(&s->horizon_lock) < 0) {
                free(s);
                return NULL;
        }
        TAILQ_INIT(&s->wishes);
        TAILQ_INIT(&s->being_read);
        s->chains  = chains_create(CHAINS_MAX);
        s->sources = sources_create(SOURCES_MAX, SOURCE_SHARE);
        s->work    = work_open(&d->loop, WORK_MAX, on_idle, s);
        s->keys    = s->work == NULL ? NULL : keypool_open(s->work);
        s->watch   = watch_open(&d->loop, files_changed, s);
        if (s->chains == NULL || s->sources == NULL || s->keys == NULL || s->watch == NULL ||
            read_first(s) < 0 || open_replay(s) < 0) {
                security_close(s);
                return NULL;
        }
        /* What changed while we read; and the threads of the queue are started while there is room for them. */
        security_reload(s, NULL);
        return s;
}

void security_close(struct security *s)
{
        if (s == NULL)
                return;
        s->closing = true;
        while (s->work != NULL && work_count(s->work) > 0)
                uv_run(&s->irmd->loop, UV_RUN_ONCE);
        TAILQ_CONCAT(&s->being_read, &s->wishes, all);
        wishes_granted(s);
        /* In order, the kept value need not be rounded up: a restart right after it refuses nobody. */
        if (s->horizon_fd >= 0 && s->newest_ns > 0)
                (void)horizon_keep(s->horizon_fd, s->newest_ns);
        watch_close(s->watch);
        keypool_close(s->keys);
        work_close(s->work);
        sources_destroy(s->sources);
        replay_destroy(s->replay);
        chains_destroy(s->chains);
        creds_unref(s->creds);
        fd_close(&s->horizon_fd);
        uv_mutex_destroy(&s->horizon_lock);
        free(s);
}
