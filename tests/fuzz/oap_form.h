/* oap_form.h - a message that is accepted has one form: written again, it is the same. */
#ifndef FUZZ_OAP_FORM_H
#define FUZZ_OAP_FORM_H

#include <string.h>

#include "oap/message.h"

#include "input.h"

static inline void form_check(struct span msg, enum oap_type type)
{
        static uint8_t    again[OAP_MESSAGE_MAX];
        struct oap_header h;
        struct span       kex, body;
        struct oap_body   b;
        size_t            n;

        if (!oap_header_get(msg.p, msg.len, type, &h, &kex, &body))
                return;
        n = oap_header_put(again, &h, kex.p, kex.len);
        MUST(n + body.len == msg.len && memcmp(again, msg.p, n) == 0);
        if (!oap_body_get(body, h.auth, &b))
                return;
        n += oap_body_put(again + n, b.certs, b.data);
        memcpy(again + n, b.sig.p, b.sig.len);
        MUST(n + b.sig.len == msg.len && memcmp(again, msg.p, msg.len) == 0);
}

#endif
