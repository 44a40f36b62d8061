/*
 * where.c - who has a name: registrations of this host, with the directory if there is one, and look-ups
 * of others', on the wire and in the directory at once.
 */
#include <errno.h>
#include <stdio.h>

#include <ouroboros/errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "ipcpd/shim/layer.h"

/* The first bytes of a name. */
static const char *brief(const uint8_t *hash, char out[9])
{
        snprintf(out, 9, "%02x%02x%02x%02x", hash[0], hash[1], hash[2], hash[3]);
        return out;
}

/* -- registrations --------------------------------------------------------- */

static int publish(struct shim *s, uint32_t ask, const uint8_t *hash, bool there)
{
        if (s->link_ops->publish == NULL)
                return 0;
        return s->link_ops->publish(s->link, ask, hash, s->hash_len, there);
}

int shim_reg(void *layer, uint32_t ask, const uint8_t *hash)
{
        struct shim *s = layer;
        int          r = shim_names_add(s->names, hash);
        char         text[9];

        if (r < 0)
                return r;
        r = publish(s, ask, hash, true);
        if (r < 0) {
                log_warn("name %s: the directory does not take it: %s", brief(hash, text), o7s_strerror(r));
                shim_names_remove(s->names, hash);
                return r;
        }
        if (r == IPCP_LATER)
                shim_names_expect(s->names, hash, ask);
        log_dbg("name %s: registered", brief(hash, text));
        return r;
}

/* It is gone from here whatever the directory says. */
int shim_unreg(void *layer, uint32_t ask, const uint8_t *hash)
{
        struct shim *s = layer;
        int          r = shim_names_remove(s->names, hash);
        char         text[9];

        if (r < 0)
                return r;
        log_dbg("name %s: unregistered", brief(hash, text));
        return publish(s, ask, hash, false);
}

/* -- look-ups -------------------------------------------------------------- */

static void tell(struct shim *s, struct shim_waiter who, const struct shim_places *at)
{
        struct shim_flow *f;

        if (who.flow_id == 0) {
                s->up->done(s->up->ctx, who.ask, at->n > 0 ? 0 : -ENAME);
                return;
        }
        f = shim_flow_by_id(s->flows, who.flow_id);
        if (f != NULL && f->state == SHIM_LOOKING)
                shim_flow_found(s, f, at);
}

/* All sources are counted before the first is asked. */
static void ask_sources(struct shim *s, uint32_t number, const uint8_t *hash)
{
        bool directory = s->link_ops->find != NULL;
        int  r;
        char text[9];

        shim_lookup_expect(s->lookups, number);
        if (directory)
                shim_lookup_expect(s->lookups, number);
        r = transport_query(s->transport, clock_now_ns(), NULL, hash, s->hash_len, number);
        if (directory)
                s->link_ops->find(s->link, number, hash, s->hash_len);
        if (r < 0) {
                log_warn("name %s: nobody can be asked: %s", brief(hash, text), o7s_strerror(r));
                shim_heard(s, number, NULL, 0);
        }
}

void shim_look_up(struct shim *s, const uint8_t *hash, struct shim_waiter who)
{
        static const struct shim_places nowhere = {.n = 0};
        uint32_t                        number;
        bool                            begun;
        char                            text[9];

        if (!s->works) {
                log_dbg("name %s: not looked for, since the link is down", brief(hash, text));
                tell(s, who, &nowhere);
                return;
        }
        number = shim_lookup_join(s->lookups, hash, who, &begun);
        if (number == 0) {
                log_warn("name %s: not looked for: out of memory", brief(hash, text));
                tell(s, who, &nowhere);
        } else if (begun) {
                ask_sources(s, number, hash);
        }
}

static void end_lookup(struct shim *s, struct shim_lookup *l, const struct shim_places *at)
{
        const uint8_t     *hash = shim_lookup_hash(l);
        struct shim_waiter who;
        char               text[9];

        log_dbg("name %s: found at %zu places", brief(hash, text), at->n);
        if (at->n > 0)
                shim_names_learn(s->names, clock_now_ns(), hash, at);
        while (shim_lookup_end(l, &who))
                tell(s, who, at);
}

void shim_heard(struct shim *s, uint32_t number, const struct link_addr *addrs, size_t n)
{
        struct shim_places  at = {.n = n < SHIM_PLACES ? n : SHIM_PLACES};
        struct shim_lookup *l  = shim_lookup_answer(s->lookups, number, n > 0);

        if (l == NULL)
                return;
        if (n > SHIM_PLACES)
                log_dbg("%zu places for one name: the first %u are tried", n, SHIM_PLACES);
        for (size_t i = 0; i < at.n; i++)
                at.at[i] = addrs[i];
        transport_query_cancel(s->transport, number);
        end_lookup(s, l, &at);
}

void shim_name_query(void *layer, uint32_t ask, const uint8_t *hash)
{
        struct shim       *s = layer;
        struct shim_places at;

        if (s->works && shim_names_recall(s->names, clock_now_ns(), hash, &at))
                s->up->done(s->up->ctx, ask, 0);
        else
                shim_look_up(s, hash, (struct shim_waiter){.ask = ask});
        shim_rearm(s);
}
