/*
 * dns_message.c - the messages are built and taken apart by ldns. It works on memory alone and leaves
 * sockets, time and randomness to us, as a loop that must not block needs it, and it knows dynamic updates.
 * (c-ares asks questions only, on sockets of its own.)
 */
#include "ipcpd/udp/dns_message.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "ipcpd/udp/dns_record.h"

#define TTL_S 60u

/* -- building -------------------------------------------------------------- */

static ldns_rr_type type_of(int family)
{
        return family == AF_INET ? LDNS_RR_TYPE_A : LDNS_RR_TYPE_AAAA;
}

/* Takes @pkt. */
static int finish(struct dns_message *m, ldns_pkt *pkt, uint16_t id, size_t name_len)
{
        uint8_t *wire = NULL;
        size_t   len  = 0;
        bool     ok;

        ldns_pkt_set_id(pkt, id);
        ok = ldns_pkt2wire(&wire, pkt, &len) == LDNS_STATUS_OK && len <= sizeof(m->b);
        if (ok) {
                memcpy(m->b, wire, len);
                m->len      = len;
                m->question = name_len + 4; /* and type and class */
        }
        LDNS_FREE(wire);
        ldns_pkt_free(pkt);
        return ok ? 0 : -ENOMEM;
}

int dns_message_find(struct dns_message *m, uint16_t id, const char *name, int family)
{
        ldns_rdf *owner = ldns_dname_new_frm_str(name);
        size_t    len   = owner == NULL ? 0 : ldns_rdf_size(owner);
        ldns_pkt *pkt;

        if (owner == NULL)
                return -EINVAL;
        pkt = ldns_pkt_query_new(owner, type_of(family), LDNS_RR_CLASS_IN, LDNS_RD);
        if (pkt == NULL) {
                ldns_rdf_deep_free(owner);
                return -ENOMEM;
        }
        return finish(m, pkt, id, len);
}

static ldns_rdf *address_of(const struct sockaddr_storage *own)
{
        if (own->ss_family == AF_INET)
                return ldns_rdf_new_frm_data(LDNS_RDF_TYPE_A, sizeof(struct in_addr),
                                             &((const struct sockaddr_in *)own)->sin_addr);
        return ldns_rdf_new_frm_data(LDNS_RDF_TYPE_AAAA, sizeof(struct in6_addr),
                                     &((const struct sockaddr_in6 *)own)->sin6_addr);
}

/* Takes @owner and @address, which may be NULL. */
static ldns_rr *record(ldns_rdf *owner, ldns_rdf *address, int family, bool there)
{
        ldns_rr *rr = ldns_rr_new();

        if (rr == NULL || owner == NULL || address == NULL || !ldns_rr_push_rdf(rr, address)) {
                ldns_rdf_deep_free(owner);
                ldns_rdf_deep_free(address);
                ldns_rr_free(rr);
                return NULL;
        }
        ldns_rr_set_owner(rr, owner);
        ldns_rr_set_type(rr, type_of(family));
        ldns_rr_set_class(rr, there ? LDNS_RR_CLASS_IN : LDNS_RR_CLASS_NONE); /* RFC 2136, 2.5.1 and 2.5.4 */
        ldns_rr_set_ttl(rr, there ? TTL_S : 0);
        return rr;
}

/* Takes @zone and @rr. */
static ldns_pkt *update_of(ldns_rdf *zone, ldns_rr *rr)
{
        ldns_rr_list *list = ldns_rr_list_new();
        ldns_pkt     *pkt  = NULL;

        if (list != NULL && ldns_rr_list_push_rr(list, rr))                          /* false for NULL */
                pkt = ldns_update_pkt_new(zone, LDNS_RR_CLASS_IN, NULL, list, NULL); /* copies @list */
        if (pkt == NULL)
                ldns_rdf_deep_free(zone);
        else
                ldns_pkt_set_rd(pkt, false); /* means nothing in an update */
        ldns_rr_free(rr);
        ldns_rr_list_free(list);
        return pkt;
}

int dns_message_update(struct dns_message *m, uint16_t id, const char *zone, const char *name,
                       const struct sockaddr_storage *own, bool there)
{
        ldns_rdf *apex  = ldns_dname_new_frm_str(zone);
        ldns_rdf *owner = ldns_dname_new_frm_str(name);
        size_t    len   = apex == NULL ? 0 : ldns_rdf_size(apex);
        ldns_pkt *pkt;

        if (apex == NULL || owner == NULL) {
                ldns_rdf_deep_free(apex);
                ldns_rdf_deep_free(owner);
                return -EINVAL;
        }
        pkt = update_of(apex, record(owner, address_of(own), own->ss_family, there));
        return pkt == NULL ? -ENOMEM : finish(m, pkt, id, len);
}

/* -- answers --------------------------------------------------------------- */

/* An answer to an update may leave out what it answers (RFC 2136, 3.8). */
bool dns_message_fits(const struct dns_message *m, const uint8_t *p, size_t len)
{
        assert(m->len >= DNS_HEADER + m->question);
        if (len < DNS_HEADER || LDNS_ID_WIRE(p) != LDNS_ID_WIRE(m->b) || !LDNS_QR_WIRE(p) ||
            LDNS_OPCODE_WIRE(p) != LDNS_OPCODE_WIRE(m->b))
                return false;
        if (LDNS_OPCODE_WIRE(m->b) == LDNS_PACKET_UPDATE && LDNS_QDCOUNT(p) == 0)
                return true;
        return LDNS_QDCOUNT(p) == 1 && len - DNS_HEADER >= m->question &&
               memcmp(p + DNS_HEADER, m->b + DNS_HEADER, m->question) == 0;
}

bool dns_message_cut(const uint8_t *p)
{
        return LDNS_TC_WIRE(p);
}

unsigned int dns_message_code(const uint8_t *p)
{
        return LDNS_RCODE_WIRE(p);
}

static bool host4(const struct in_addr *a)
{
        uint32_t v = ntohl(a->s_addr);

        return v >> 24 != 0 && !IN_MULTICAST(v) && v != INADDR_BROADCAST;
}

static bool host6(const struct in6_addr *a)
{
        return !IN6_IS_ADDR_UNSPECIFIED(a) && !IN6_IS_ADDR_MULTICAST(a) && !IN6_IS_ADDR_V4MAPPED(a);
}

static bool get4(struct sockaddr_storage *out, const ldns_rdf *rd)
{
        struct sockaddr_in *sin = (struct sockaddr_in *)out;

        if (ldns_rdf_size(rd) != sizeof(sin->sin_addr))
                return false;
        sin->sin_family = AF_INET;
        memcpy(&sin->sin_addr, ldns_rdf_data(rd), sizeof(sin->sin_addr));
        return host4(&sin->sin_addr);
}

static bool get6(struct sockaddr_storage *out, const ldns_rdf *rd)
{
        struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)out;

        if (ldns_rdf_size(rd) != sizeof(sin6->sin6_addr))
                return false;
        sin6->sin6_family = AF_INET6;
        memcpy(&sin6->sin6_addr, ldns_rdf_data(rd), sizeof(sin6->sin6_addr));
        return host6(&sin6->sin6_addr);
}

/* The address in @rr, if that is of the name and type that @question asks for. */
static bool host_of(struct sockaddr_storage *out, const ldns_rr *rr, const ldns_rr *question)
{
        ldns_rr_type type = ldns_rr_get_type(question);

        memset(out, 0, sizeof(*out));
        if (ldns_rr_get_type(rr) != type || ldns_rr_get_class(rr) != LDNS_RR_CLASS_IN ||
            ldns_rr_rd_count(rr) != 1 || ldns_dname_compare(ldns_rr_owner(rr), ldns_rr_owner(question)) != 0)
                return false;
        return type == LDNS_RR_TYPE_A ? get4(out, ldns_rr_rdf(rr, 0)) : get6(out, ldns_rr_rdf(rr, 0));
}

static bool has(const struct sockaddr_storage *hosts, size_t n, const struct sockaddr_storage *a)
{
        while (n-- > 0)
                if (memcmp(&hosts[n], a, sizeof(*a)) == 0)
                        return true;
        return false;
}

/* Takes @rr; what address it gives becomes hosts[*@n]. */
static void collect(ldns_rr *rr, const ldns_rr *question, struct sockaddr_storage *hosts, size_t *n)
{
        if (host_of(&hosts[*n], rr, question) && !has(hosts, *n, &hosts[*n]))
                ++*n;
        ldns_rr_free(rr);
}

int dns_message_hosts(const uint8_t *p, size_t len, struct sockaddr_storage *hosts, size_t max)
{
        size_t   pos      = DNS_HEADER;
        ldns_rr *question = dns_record_next(p, len, &pos, true);
        ldns_rr *rr       = question;
        size_t   n        = 0;

        for (size_t i = 0; i < LDNS_ANCOUNT(p) && n < max && rr != NULL; i++) {
                rr = dns_record_next(p, len, &pos, false);
                if (rr != NULL)
                        collect(rr, question, hosts, &n);
        }
        ldns_rr_free(question);
        return rr == NULL ? -EPROTO : (int)n;
}
