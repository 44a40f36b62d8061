#include "handshake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "flow.h"
#include "horizon.h"
#include "keypool.h"
#include "pace.h"
#include "wire/qos.h"
#include "source.h"
#include "work.h"

#define N_STEPS 2 /* that may run at once: agreement and signature */

typedef enum oap_reason step_fn(struct handshake *h);
typedef int             next_fn(struct handshake *h, int r);

struct step {
        struct job        job;
        struct handshake *handshake;
        step_fn          *fn;
        enum pace_kind    kind;
        int64_t           took_ns; /* of processor time */
        enum oap_reason   result;
};

struct handshake {
        struct security       *security;
        struct flow           *flow; /* NULL: nobody waits any more; freed with the last step */
        const struct creds    *creds;
        const struct identity *identity;
        struct oap_client     *client; /* one of the two */
        struct oap_server     *server;
        bool                   hold;
        bool                   keyed; /* server: has its key pair          */
        uint8_t               *in;    /* what came, or the data to be sent */
        size_t                 in_len;
        struct span            out;
        int64_t                keep_ns; /* horizon that must be on the disk first */
        struct source_tag      source;
        bool                   entered; /* counted at the source */
        struct step            step[N_STEPS];
        unsigned               running;
        next_fn               *next; /* what to do when no step runs any more */
        handshake_fn          *done;
};

/* -- birth and death ------------------------------------------------------- */

static struct handshake *handshake_new(struct flow *f, const struct identity *id, const struct stance *st)
{
        struct handshake *h = calloc(1, sizeof(*h));

        if (h == NULL)
                return NULL;
        h->security = f->irmd->security;
        h->flow     = f;
        h->creds    = creds_ref(h->security->creds);
        h->identity = st->sign ? id : NULL;
        h->hold     = st->hold;
        for (size_t i = 0; i < N_STEPS; i++)
                h->step[i].handshake = h;
        return h;
}

static void drop_in(struct handshake *h)
{
        if (h->in != NULL)
                explicit_bzero(h->in, h->in_len); /* first data may be anything */
        free(h->in);
        h->in     = NULL;
        h->in_len = 0;
}

static void leave_source(struct handshake *h)
{
        if (h->entered)
                source_leave(h->security->sources, &h->source);
        h->entered = false;
}

static void destroy(struct handshake *h)
{
        leave_source(h);
        oap_client_destroy(h->client);
        oap_server_destroy(h->server);
        creds_unref(h->creds);
        drop_in(h);
        free(h);
}

void handshake_free(struct handshake *h)
{
        if (h == NULL)
                return;
        h->flow = NULL;
        if (h->running == 0)
                destroy(h);
}

static struct oap_context context_of(const struct flow *f)
{
        struct oap_context c = {.dst = f->dst};

        qos_wire_put(&f->qos, c.qos);
        return c;
}

int handshake_client(struct handshake **out, struct flow *f, const char *principal, const char *kernel,
                     struct span data)
{
        const struct identity *id;
        struct stance          st;
        struct oap_client_conf conf;
        uint8_t                random[OAP_ID];
        enum oap_reason        r = security_client(f->irmd->security, principal, kernel != NULL, &st, &id);
        struct handshake      *h;

        if (r != OAP_OK)
                return r;
        if (!security_draw_id(f->irmd->security, random))
                return OAP_INTERNAL;
        h = handshake_new(f, id, &st);
        if (h == NULL)
                return OAP_INTERNAL;
        conf = (struct oap_client_conf){
                .ctx      = context_of(f),
                .stance   = st,
                .creds    = h->creds,
                .identity = id,
                .chains   = h->security->chains,
                .id       = random,
                .data     = data.p,
                .data_len = data.len,
                .kex      = st.suite == SUITE_PLAIN ? NULL
                                                    : keypool_take(h->security->keys, ROLE_CLIENT, st.suite),
        };
        h->keyed  = conf.kex != NULL || st.suite == SUITE_PLAIN;
        h->client = oap_client_create(&conf);
        if (h->client == NULL) {
                destroy(h);
                return OAP_INTERNAL;
        }
        *out = h;
        return OAP_OK;
}

int handshake_server(struct handshake **out, struct flow *f, const char *kernel)
{
        const struct identity *id;
        struct stance          st;
        struct oap_server_conf conf;
        enum oap_reason        r = security_server(f->irmd->security, f->dst, kernel != NULL, &st, &id);
        struct handshake      *h;

        if (r != OAP_OK)
                return r;
        h = handshake_new(f, id, &st);
        if (h == NULL)
                return OAP_INTERNAL;
        if (kernel != NULL)
                strncpy(h->source.bytes, kernel, sizeof(h->source.bytes) - 1);
        else
                h->source = f->way.source;
        conf = (struct oap_server_conf){
                .ctx      = context_of(f),
                .stance   = st,
                .creds    = h->creds,
                .identity = id,
                .chains   = h->security->chains,
                .kernel   = st.kernel ? kernel : NULL,
        };
        h->server = oap_server_create(&conf);
        if (h->server == NULL) {
                destroy(h);
                return OAP_INTERNAL;
        }
        *out = h;
        return OAP_OK;
}

/* -- steps ----------------------------------------------------------------- */

static int64_t spent_ns(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
        return clock_length_ns(&ts);
}

/* On a thread, which may not have had a processor all the time. */
static void run(struct job *j)
{
        struct step *s    = (struct step *)(void *)j;
        int64_t      from = spent_ns();

        s->result  = s->fn(s->handshake);
        s->took_ns = spent_ns() - from;
}

/* On the loop, by the clock that costs no system call. */
static void run_here(struct step *s)
{
        int64_t from = clock_now_ns();

        s->result  = s->fn(s->handshake);
        s->took_ns = clock_now_ns() - from;
}

static enum suite suite_of(const struct handshake *h)
{
        return handshake_facts(h)->suite;
}

/* All that ran have ended, @here or on threads: the first of the results that is not good. */
static int result_of(struct handshake *h, bool here)
{
        int r = OAP_OK;

        for (size_t i = 0; i < N_STEPS; i++) {
                struct step *s = &h->step[i];

                if (s->fn != NULL && s->kind != PACE_N && s->took_ns > 0)
                        pace_took(&h->security->pace, suite_of(h), s->kind, s->took_ns, here);
                if (r == OAP_OK)
                        r = s->result;
        }
        return r;
}

static void step_done(struct job *j)
{
        struct handshake *h = ((struct step *)(void *)j)->handshake;
        handshake_fn     *done;
        int               r;

        if (--h->running > 0)
                return;
        if (h->flow == NULL) {
                destroy(h);
                return;
        }
        done = h->done;
        r    = h->next(h, result_of(h, false));
        if (r != HANDSHAKE_LATER)
                done(h->flow, r);
}

static bool is_known(const struct handshake *h)
{
        return h->client != NULL || source_known(h->security->sources, &h->source, clock_now_ns());
}

/* What to do next: @fn, and at the same time or after it @also, if there is such a step. */
struct plan {
        step_fn       *fn;
        enum pace_kind kind;
        step_fn       *also;
        enum pace_kind also_kind;
        next_fn       *next;
};

static void set_step(struct step *s, step_fn *fn, enum pace_kind kind)
{
        s->fn       = fn;
        s->kind     = kind;
        s->result   = OAP_OK;
        s->took_ns  = 0;
        s->job.run  = run;
        s->job.done = step_done;
}

static void hand_over(struct handshake *h, struct step *s, bool known)
{
        if (s->fn == NULL)
                return;
        if (work_start(h->security->work, &s->job, known) == 0)
                h->running++;
        else
                s->result = OAP_BUSY;
}

/* Carries @p out: on the queue (HANDSHAKE_LATER), or at once when that is quick; or OAP_BUSY. */
static int start(struct handshake *h, const struct plan *p)
{
        bool known = is_known(h);

        h->next = p->next;
        set_step(&h->step[0], p->fn, p->kind);
        set_step(&h->step[1], p->also, p->also_kind);
        if (known &&
            pace_now(&h->security->pace, suite_of(h), p->kind, p->also != NULL ? p->also_kind : PACE_N)) {
                run_here(&h->step[0]);
                if (p->also != NULL)
                        run_here(&h->step[1]);
                return p->next(h, result_of(h, true));
        }
        hand_over(h, &h->step[0], known);
        hand_over(h, &h->step[1], true);
        /* What runs must end first, whatever did not start. */
        return h->running > 0 ? HANDSHAKE_LATER : OAP_BUSY;
}

static int take_in(struct handshake *h, struct span in)
{
        drop_in(h);
        if (in.len == 0)
                return OAP_OK;
        h->in = malloc(in.len);
        if (h->in == NULL)
                return OAP_INTERNAL;
        memcpy(h->in, in.p, in.len);
        h->in_len = in.len;
        return OAP_OK;
}

static int as_it_is(struct handshake *h, int r)
{
        (void)h;
        return r;
}

/* -- the client ------------------------------------------------------------ */

static enum oap_reason make_request(struct handshake *h)
{
        struct kex *k;

        if (!h->keyed) {
                k = kex_client(oap_client_facts(h->client)->suite);
                if (k == NULL)
                        return OAP_INTERNAL;
                oap_client_give_kex(h->client, k);
        }
        return oap_client_request(h->client, clock_wall_ns(), &h->out);
}

int handshake_request(struct handshake *h, handshake_fn *done)
{
        if (oap_client_is_light(h->client))
                return make_request(h);
        h->done = done;
        return start(h, &(struct plan){.fn = make_request, .kind = PACE_REQUEST, .next = as_it_is});
}

static enum oap_reason check_response(struct handshake *h)
{
        return oap_client_response(h->client, h->in, h->in_len, clock_wall_ns());
}

int handshake_response(struct handshake *h, struct span response, handshake_fn *done)
{
        if (oap_client_is_light(h->client))
                return oap_client_response(h->client, response.p, response.len, clock_wall_ns());
        if (take_in(h, response) != OAP_OK)
                return OAP_INTERNAL;
        h->done = done;
        return start(h, &(struct plan){.fn = check_response, .kind = PACE_CHECK, .next = as_it_is});
}

/* -- the server ------------------------------------------------------------ */

static enum oap_reason make_key(struct handshake *h)
{
        struct kex *k;

        if (h->keyed)
                return OAP_OK;
        k        = kex_server(oap_server_facts(h->server)->suite);
        h->keyed = true;
        return k == NULL ? OAP_INTERNAL : oap_server_give_kex(h->server, k);
}

/* Several threads may be at it: what is in the file never falls. */
static int raise_horizon(struct security *s, int64_t ns)
{
        int r = 0;

        uv_mutex_lock(&s->horizon_lock);
        if (ns > s->horizon_ns)
                r = horizon_keep(s->horizon_fd, ns);
        if (r == 0 && ns > s->horizon_ns)
                s->horizon_ns = ns;
        uv_mutex_unlock(&s->horizon_lock);
        return r;
}

static enum oap_reason keep_horizon(struct handshake *h)
{
        if (raise_horizon(h->security, h->keep_ns) < 0) {
                log_err("the horizon cannot be kept in the state directory: a signed request is refused");
                return OAP_INTERNAL;
        }
        return make_key(h);
}

/* On the loop: what is on the disk need not be asked for again. */
static int horizon_kept(struct handshake *h, int r)
{
        if (r == OAP_OK && h->keep_ns != 0)
                replay_kept(h->security->replay, h->keep_ns);
        return r;
}

/* The disk is not for the loop; a key pair may be. */
static int finish_admission(struct handshake *h)
{
        struct step *s = &h->step[0];

        if (h->keep_ns == 0)
                return start(h, &(struct plan){.fn = make_key, .kind = PACE_KEY, .next = as_it_is});
        h->next = horizon_kept;
        set_step(s, keep_horizon, PACE_N);
        set_step(&h->step[1], NULL, PACE_N);
        hand_over(h, s, true);
        return h->running > 0 ? HANDSHAKE_LATER : OAP_BUSY;
}

/* A key pair that was made ahead is as good as none to make: the check of the client's value costs little. */
static enum oap_reason give_ready_key(struct handshake *h)
{
        enum suite  s = oap_server_facts(h->server)->suite;
        struct kex *k = s == SUITE_PLAIN ? NULL : keypool_take(h->security->keys, ROLE_SERVER, s);

        if (k == NULL && s != SUITE_PLAIN)
                return OAP_OK;
        h->keyed = true;
        return oap_server_give_kex(h->server, k);
}

/* On the loop, after the signature was verified: test and set. */
static int admit(struct handshake *h, int r)
{
        const struct oap_facts *facts = oap_server_facts(h->server);
        enum oap_reason         reason;

        leave_source(h);
        if (r != OAP_OK)
                return r;
        reason = oap_server_admit(h->server, h->security->replay, clock_wall_ns(), &h->keep_ns);
        if (reason != OAP_OK)
                return reason;
        if (facts->authenticated) {
                source_verified(h->security->sources, &h->source, clock_now_ns());
                if (facts->peer_clock_ns > h->security->newest_ns)
                        h->security->newest_ns = facts->peer_clock_ns;
        }
        reason = give_ready_key(h);
        if (reason != OAP_OK)
                return reason;
        if (h->keep_ns == 0 && h->keyed)
                return OAP_OK;
        return finish_admission(h);
}

static enum oap_reason verify(struct handshake *h)
{
        return oap_server_verify(h->server, clock_wall_ns());
}

int handshake_verify(struct handshake *h, struct span request, handshake_fn *done)
{
        enum oap_reason r = oap_server_begin(h->server, request.p, request.len, h->security->replay,
                                             security_skew_ns(h->security), clock_wall_ns());

        if (r != OAP_OK)
                return r;
        h->done = done;
        if (oap_server_is_light(h->server))
                return admit(h, verify(h));
        h->entered = source_enter(h->security->sources, &h->source);
        if (!h->entered)
                return OAP_BUSY;
        return start(h, &(struct plan){.fn = verify, .kind = PACE_VERIFY, .next = admit});
}

static enum oap_reason agree(struct handshake *h)
{
        return oap_server_agree(h->server);
}

static enum oap_reason sign(struct handshake *h)
{
        return oap_server_sign(h->server, h->in, h->in_len, clock_wall_ns());
}

static int respond(struct handshake *h, int r)
{
        return r == OAP_OK ? (int)oap_server_respond(h->server, &h->out) : r;
}

int handshake_respond(struct handshake *h, struct span data, handshake_fn *done)
{
        if (take_in(h, data) != OAP_OK)
                return OAP_INTERNAL;
        h->done = done;
        if (oap_server_is_light(h->server)) {
                enum oap_reason r = agree(h);

                if (r == OAP_OK)
                        r = sign(h);
                return respond(h, (int)r);
        }
        return start(h, &(struct plan){.fn        = agree,
                                       .kind      = PACE_AGREE,
                                       .also      = sign,
                                       .also_kind = PACE_SIGN,
                                       .next      = respond});
}

/* -- what came of it ------------------------------------------------------- */

struct span handshake_message(const struct handshake *h)
{
        return h->out;
}

const struct oap_keys *handshake_keys(const struct handshake *h)
{
        return h->client != NULL ? oap_client_keys(h->client) : oap_server_keys(h->server);
}

const struct oap_facts *handshake_facts(const struct handshake *h)
{
        return h->client != NULL ? oap_client_facts(h->client) : oap_server_facts(h->server);
}

const struct leaf *handshake_peer(const struct handshake *h)
{
        return h->client != NULL ? oap_client_peer(h->client) : oap_server_peer(h->server);
}

struct span handshake_data(const struct handshake *h)
{
        return h->client != NULL ? oap_client_data(h->client) : oap_server_data(h->server);
}

bool handshake_holds(const struct handshake *h)
{
        return h->server != NULL && h->hold;
}

const char *handshake_principal(const struct handshake *h)
{
        return h->identity != NULL ? h->identity->name : NULL;
}
