#include "operf/report.h"

#include <inttypes.h>
#include <stdio.h>

#include <jansson.h>

#include "common/clock.h"
#include "common/stop.h"
#include "operf/rate.h"
#include "operf/units.h"

static const struct {
        const char  *name;
        unsigned int permille;
} shares[] = {{"p50", 500}, {"p90", 900}, {"p99", 990}, {"p99.9", 999}};

#define N_SHARES (sizeof(shares) / sizeof(shares[0]))

const char *report_test_name(enum test test)
{
        static const char *const names[] = {"", "uni", "bi", "rr", "crr"};

        return names[test];
}

static bool streams(enum test test)
{
        return test == TEST_UNI || test == TEST_BI;
}

bool report_is_good(const struct result *r, enum test test)
{
        if (!streams(test))
                return r->answered > 0;
        return r->up.known && (r->up.at.messages > 0 || r->down.at.messages > 0);
}

static uint64_t lost(const struct tally *t)
{
        return t->sent > t->messages ? t->sent - t->messages : 0;
}

static double bits_per_s(const struct tally *t, const struct options *o)
{
        return tally_per_s(t) * 8 * (double)o->size;
}

/* Of flows and answers, by the time that the test took. */
static double answered_per_s(const struct result *r)
{
        return r->time_ns > 0 ? (double)r->answered * 1e9 / (double)r->time_ns : 0;
}

/* -- text ------------------------------------------------------------------ */

static void print_way(const char *which, const struct way *w, const struct options *o)
{
        const struct tally *t = &w->at;
        char                per_s[UNITS_ROOM], bits[UNITS_ROOM];

        if (!w->known) {
                printf("%s: %" PRIu64 " sent, what arrived is not known\n", which, t->sent);
                return;
        }
        printf("%s: %" PRIu64 " sent, %" PRIu64 " arrived, %" PRIu64 " lost (%.4g%%), %" PRIu64
               " out-of-order, %" PRIu64 " duplicates\n",
               which, t->sent, t->messages, lost(t),
               t->sent > 0 ? 100.0 * (double)lost(t) / (double)t->sent : 0.0, t->out_of_order, t->duplicates);
        printf("%s: %s/s, %s messages/s, arrived in %.3f s\n", which,
               units_put(bits, bits_per_s(t, o), "bit"), units_put(per_s, tally_per_s(t), ""),
               (double)t->span_ns / NS_PER_S);
}

static void print_latency(const struct histogram *h)
{
        const double ms = NS_PER_MS;

        if (h->n == 0)
                return;
        printf("latency min/mean/max = %.4f/%.4f/%.4f ms\n", (double)h->min_ns / ms, histogram_mean(h) / ms,
               (double)h->max_ns / ms);
        printf("latency ");
        for (size_t i = 0; i < N_SHARES; i++)
                printf("%s%s", shares[i].name, i + 1 < N_SHARES ? "/" : " = ");
        for (size_t i = 0; i < N_SHARES; i++)
                printf("%.4f%s", (double)histogram_at(h, shares[i].permille) / ms,
                       i + 1 < N_SHARES ? "/" : " ms\n");
}

static void print_answers(const struct result *r, const struct options *o)
{
        const char *what = o->test == TEST_RR ? "requests" : "flows";
        char        per_s[UNITS_ROOM];

        printf("%" PRIu64 " %s, %" PRIu64 " answered, %" PRIu64 " failed, time: %.3f s, %s %s/s\n", r->sent,
               what, r->answered, r->sent - r->answered, (double)r->time_ns / NS_PER_S,
               units_put(per_s, answered_per_s(r), ""), what);
        print_latency(&r->latency);
}

bool report_text(const struct result *r, const struct options *o)
{
        printf("\n--- %s %s statistics, %s ---\n", o->name, report_test_name(o->test), o->qos->name);
        if (streams(o->test))
                print_way("to the server", &r->up, o);
        if (o->test == TEST_BI)
                print_way("from the server", &r->down, o);
        if (!streams(o->test))
                print_answers(r, o);
        return fflush(stdout) == 0;
}

/* -- JSON ------------------------------------------------------------------ */

static json_t *whole(uint64_t v)
{
        return json_integer((json_int_t)v);
}

static json_t *way_json(const struct way *w, const struct options *o)
{
        const struct tally *t = &w->at;

        if (!w->known)
                return json_pack("{s:o, s:n}", "sent", whole(t->sent), "arrived");
        return json_pack("{s:o, s:o, s:o, s:o, s:o, s:f, s:f, s:f}", "sent", whole(t->sent), "arrived",
                         whole(t->messages), "lost", whole(lost(t)), "out_of_order", whole(t->out_of_order),
                         "duplicates", whole(t->duplicates), "seconds", (double)t->span_ns / NS_PER_S,
                         "messages_per_s", tally_per_s(t), "bits_per_s", bits_per_s(t, o));
}

static json_t *latency_json(const struct histogram *h)
{
        json_t *j;

        if (h->n == 0)
                return json_null();
        j = json_pack("{s:o, s:f, s:o}", "min", whole((uint64_t)h->min_ns), "mean", histogram_mean(h), "max",
                      whole((uint64_t)h->max_ns));
        for (size_t i = 0; i < N_SHARES; i++)
                json_object_set_new(j, shares[i].name, whole((uint64_t)histogram_at(h, shares[i].permille)));
        return j;
}

static void add_answers(json_t *j, const struct result *r)
{
        json_object_set_new(j, "requests", whole(r->sent));
        json_object_set_new(j, "answered", whole(r->answered));
        json_object_set_new(j, "failed", whole(r->sent - r->answered));
        json_object_set_new(j, "answered_per_s", json_real(answered_per_s(r)));
        json_object_set_new(j, "latency_ns", latency_json(&r->latency));
}

/* What was asked for. A name that is no UTF-8 is null: jansson has no string for it. */
static void add_wish(json_t *j, const struct options *o)
{
        json_t *name = json_string(o->name);

        json_object_set_new(j, "name", name != NULL ? name : json_null());
        json_object_set_new(j, "test", json_string(report_test_name(o->test)));
        json_object_set_new(j, "qos", json_string(o->qos->name));
        json_object_set_new(j, "size", whole(o->size));
        json_object_set_new(j, "rate", o->rate > 0 ? json_real((double)o->rate / RATE_UNIT) : json_null());
}

static void add_circumstances(json_t *j, const struct result *r)
{
        json_object_set_new(j, "layer", r->flow.layer[0] != '\0' ? json_string(r->flow.layer) : json_null());
        json_object_set_new(j, "authenticated", json_boolean(r->peer.authenticated));
        json_object_set_new(j, "encrypted", json_boolean(r->peer.encrypted));
        json_object_set_new(j, "seconds", json_real((double)r->time_ns / NS_PER_S));
        json_object_set_new(j, "interrupted", json_boolean(stop_asked()));
        json_object_set_new(j, "error", r->error != NULL ? json_string(r->error) : json_null());
}

bool report_json(const struct result *r, const struct options *o)
{
        json_t *j = json_object();
        bool    ok;

        add_wish(j, o);
        add_circumstances(j, r);
        if (streams(o->test))
                json_object_set_new(j, "up", way_json(&r->up, o));
        if (o->test == TEST_BI)
                json_object_set_new(j, "down", way_json(&r->down, o));
        if (!streams(o->test))
                add_answers(j, r);
        ok = json_dumpf(j, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(12)) == 0 && putchar('\n') != EOF &&
             fflush(stdout) == 0;
        json_decref(j);
        return ok;
}
