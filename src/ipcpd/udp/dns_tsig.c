#include "ipcpd/udp/dns_tsig.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <openssl/crypto.h>

#include <ouroboros/errno.h>

#include "ipcpd/udp/dns_record.h"
#include "wire/cursor.h"

#define FUDGE_S   300u
#define OTHER_MAX 6u  /* the server's time, where the clocks differ */
#define COUNT_AT  10u /* of the additional records, in the header */

enum { BADSIG = 16, BADKEY = 17, BADTIME = 18 };

/* What is in a signature besides names and MAC. */
struct stamp {
        uint64_t time_s;
        uint16_t fudge_s;
        uint16_t error;
        uint16_t other_len;
        uint8_t  other[OTHER_MAX];
};

struct signature {
        size_t         at; /* where its record begins */
        struct stamp   stamp;
        struct dns_mac mac;
        uint16_t       id; /* of the message that was signed */
};

/* -- what both sides do ---------------------------------------------------- */

static void put_bytes(struct wr *w, const uint8_t *p, size_t len)
{
        for (size_t i = 0; i < len; i++)
                wr_be(w, p[i], 1);
}

static void put_name(struct wr *w, const struct dns_key_name *n)
{
        put_bytes(w, n->b, n->len);
}

static void put_other(struct wr *w, const struct stamp *s)
{
        wr_be(w, s->error, 2);
        wr_be(w, s->other_len, 2);
        put_bytes(w, s->other, s->other_len);
}

static void put_time(struct wr *w, const struct stamp *s)
{
        wr_be(w, s->time_s, 6);
        wr_be(w, s->fudge_s, 2);
}

/* The variables that are signed after the message (4.3.3). Returns their length. */
static size_t put_variables(uint8_t *out, size_t cap, const struct dns_key *k, const struct stamp *s)
{
        struct wr w = {out, out + cap, false};

        put_name(&w, dns_key_name(k));
        wr_be(&w, LDNS_RR_CLASS_ANY, 2);
        wr_be(&w, 0, 4); /* TTL */
        put_name(&w, dns_key_algorithm(k));
        put_time(&w, s);
        put_other(&w, s);
        return (size_t)(w.p - out);
}

static void be16(uint8_t out[2], size_t v)
{
        out[0] = (uint8_t)(v >> 8);
        out[1] = (uint8_t)v;
}

/* -- our messages ---------------------------------------------------------- */

/*
 * | key name | TSIG 2 | ANY 2 | TTL 4 | length 2 |
 * | algorithm | time 6 | fudge 2 | length 2 | MAC | id 2 | error 2 | other length 2 | other |
 */
static void put_record(struct wr *w, const struct dns_key *k, const struct stamp *s,
                       const struct dns_mac *mac, const uint8_t id[2])
{
        put_name(w, dns_key_name(k));
        wr_be(w, LDNS_RR_TYPE_TSIG, 2);
        wr_be(w, LDNS_RR_CLASS_ANY, 2);
        wr_be(w, 0, 4);
        wr_be(w, dns_key_algorithm(k)->len + 6 + 2 + 2 + mac->len + 2 + 2 + 2, 2);
        put_name(w, dns_key_algorithm(k));
        put_time(w, s);
        wr_be(w, mac->len, 2);
        put_bytes(w, mac->b, mac->len);
        put_bytes(w, id, 2);
        put_other(w, s);
}

int dns_tsig_sign(const struct dns_key *k, struct dns_message *m, int64_t now_s, struct dns_mac *mac)
{
        struct stamp s = {.time_s = (uint64_t)now_s, .fudge_s = FUDGE_S};
        uint8_t      variables[2 * DNS_NAME_WIRE_MAX + 32];
        size_t       n = put_variables(variables, sizeof(variables), k, &s);
        struct wr    w = {m->b + m->len, m->b + sizeof(m->b), false};
        int          r;

        r = dns_key_sign(k, (struct dns_key_piece[]){{m->b, m->len}, {variables, n}}, 2, mac);
        if (r < 0)
                return r;
        put_record(&w, k, &s, mac, m->b);
        if (w.bad)
                return -EMSGSIZE;
        m->len = (size_t)(w.p - m->b);
        be16(m->b + COUNT_AT, LDNS_ARCOUNT(m->b) + 1u);
        return 0;
}

/* -- the server's answers -------------------------------------------------- */

/* The last record of all, which ends the message, and at *@at where it begins; NULL: there is no such. */
static ldns_rr *last_record(const uint8_t *p, size_t len, size_t *at)
{
        size_t   questions = LDNS_QDCOUNT(p);
        size_t   n         = questions + LDNS_ANCOUNT(p) + LDNS_NSCOUNT(p) + LDNS_ARCOUNT(p);
        size_t   pos       = DNS_HEADER;
        ldns_rr *rr        = NULL;

        if (LDNS_ARCOUNT(p) == 0)
                return NULL;
        for (size_t i = 0; i < n; i++) {
                ldns_rr_free(rr);
                *at = pos;
                rr  = dns_record_next(p, len, &pos, i < questions);
                if (rr == NULL)
                        return NULL;
        }
        if (pos == len)
                return rr;
        ldns_rr_free(rr);
        return NULL;
}

static bool name_is(ldns_rdf *rd, const struct dns_key_name *n)
{
        ldns_dname2canonical(rd);
        return ldns_rdf_size(rd) == n->len && memcmp(ldns_rdf_data(rd), n->b, n->len) == 0;
}

static uint64_t number(const ldns_rr *rr, size_t i, size_t len)
{
        const ldns_rdf *rd = ldns_rr_rdf(rr, i);
        struct rd       r  = {ldns_rdf_data(rd), ldns_rdf_data(rd) + ldns_rdf_size(rd), false};

        return rd_be(&r, len);
}

/* A field that says its length first. */
static bool bytes(const ldns_rr *rr, size_t i, uint8_t *out, size_t cap, size_t *len)
{
        const ldns_rdf *rd = ldns_rr_rdf(rr, i);

        *len = number(rr, i, 2);
        if (*len > cap || ldns_rdf_size(rd) != *len + 2)
                return false;
        memcpy(out, ldns_rdf_data(rd) + 2, *len);
        return true;
}

/* The fields of a TSIG record with key and algorithm of @k. */
static bool get_fields(const ldns_rr *rr, const struct dns_key *k, struct signature *s)
{
        size_t other = 0;

        if (ldns_rr_get_type(rr) != LDNS_RR_TYPE_TSIG || ldns_rr_get_class(rr) != LDNS_RR_CLASS_ANY ||
            ldns_rr_ttl(rr) != 0 || ldns_rr_rd_count(rr) != 7 ||
            !name_is(ldns_rr_owner(rr), dns_key_name(k)) ||
            !name_is(ldns_rr_rdf(rr, 0), dns_key_algorithm(k)))
                return false;
        s->stamp.time_s  = number(rr, 1, 6);
        s->stamp.fudge_s = (uint16_t)number(rr, 2, 2);
        s->id            = (uint16_t)number(rr, 4, 2);
        s->stamp.error   = (uint16_t)number(rr, 5, 2);
        if (!bytes(rr, 3, s->mac.b, sizeof(s->mac.b), &s->mac.len) ||
            !bytes(rr, 6, s->stamp.other, sizeof(s->stamp.other), &other))
                return false;
        s->stamp.other_len = (uint16_t)other;
        return true;
}

static bool get_signature(const uint8_t *p, size_t len, const struct dns_key *k, struct signature *s)
{
        ldns_rr *rr = last_record(p, len, &s->at);
        bool     ok = rr != NULL && get_fields(rr, k, s);

        ldns_rr_free(rr);
        return ok;
}

/*
 * What is signed in an answer: our signature, the message as it was before it was signed, and the
 * variables.
 */
static int expected(const struct dns_key *k, const struct dns_mac *request, const uint8_t *p,
                    const struct signature *s, struct dns_mac *mac)
{
        uint8_t variables[2 * DNS_NAME_WIRE_MAX + 32];
        size_t  n = put_variables(variables, sizeof(variables), k, &s->stamp);
        uint8_t before[2];
        uint8_t header[DNS_HEADER];

        be16(before, request->len);
        memcpy(header, p, sizeof(header));
        be16(header, s->id);
        be16(header + COUNT_AT, LDNS_ARCOUNT(p) - 1u);
        return dns_key_sign(k,
                            (struct dns_key_piece[]){{before, sizeof(before)},
                                                     {request->b, request->len},
                                                     {header, sizeof(header)},
                                                     {p + DNS_HEADER, s->at - DNS_HEADER},
                                                     {variables, n}},
                            5, mac);
}

static bool recent(const struct stamp *s, int64_t now_s)
{
        int64_t age = now_s - (int64_t)s->time_s; /* 48 bits */

        return (age < 0 ? -age : age) <= (s->fudge_s < FUDGE_S ? s->fudge_s : FUDGE_S);
}

/* Of an answer whose signature is in order. */
static int verdict(const struct stamp *s, int64_t now_s, const char **why)
{
        *why = "its signature is too old or from the future";
        if (!recent(s, now_s))
                return -EAUTH;
        *why = s->error == 0         ? NULL
               : s->error == BADTIME ? "the clocks differ (BADTIME)"
                                     : "it does not accept our signature";
        return s->error != 0;
}

int dns_tsig_verify(const struct dns_key *k, const struct dns_mac *request, const uint8_t *p, size_t len,
                    int64_t now_s, const char **why)
{
        struct signature s = {0};
        struct dns_mac   mac;

        *why = NULL;
        if (!get_signature(p, len, k, &s))
                return -EAUTH;
        *why = s.stamp.error == BADKEY   ? "it does not know the key (BADKEY)"
               : s.stamp.error == BADSIG ? "its key of that name is another (BADSIG)"
                                         : "its signature is wrong";
        if (expected(k, request, p, &s, &mac) < 0 || s.mac.len != mac.len ||
            CRYPTO_memcmp(s.mac.b, mac.b, mac.len) != 0)
                return -EAUTH;
        return verdict(&s.stamp, now_s, why);
}
