/* der.h - whether bytes are one element in the distinguished encoding, as far as lengths go: definite, minimal. */
#ifndef O7S_IRMD_OAP_DER_H
#define O7S_IRMD_OAP_DER_H

#include <stdbool.h>

#include "oap/message.h"

/* All of @der, which is one element, and all that constructed ones hold. */
bool der_ok(struct span der);

#endif
