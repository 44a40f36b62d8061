/*
 * dns_record.h - reading an answer record by record, which ldns does: its reading of a whole message
 * (ldns_wire2pkt(), 1.8.3) loses the memory of all signatures but the last, of which an answer may have many.
 */
#ifndef O7S_IPCPD_UDP_DNS_RECORD_H
#define O7S_IPCPD_UDP_DNS_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ldns/ldns.h>

/*
 * The record (or @question, which has no data) at *@pos of the message @p; *@pos is moved behind it. For
 * ldns_rr_free(). NULL: there is no well-formed one, or no memory.
 */
ldns_rr *dns_record_next(const uint8_t *p, size_t len, size_t *pos, bool question);

#endif
