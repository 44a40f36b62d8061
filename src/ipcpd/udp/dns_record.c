#include "ipcpd/udp/dns_record.h"

ldns_rr *dns_record_next(const uint8_t *p, size_t len, size_t *pos, bool question)
{
        ldns_rr *rr = NULL;

        if (ldns_wire2rr(&rr, p, len, pos, question ? LDNS_SECTION_QUESTION : LDNS_SECTION_ANSWER) !=
            LDNS_STATUS_OK)
                return NULL;
        return rr;
}
