/*
 * convert.h - between messages of the control plane and plain structs, and the names that users know values
 * by.
 *
 * Messages come from other processes: a get function checks every field and leaves its result untouched on
 * failure. A put function initialises the message, which borrows the strings of the struct.
 */
#ifndef O7S_PB_CONVERT_H
#define O7S_PB_CONVERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ouroboros/ipcp.h>
#include <ouroboros/name.h>
#include <ouroboros/qos.h>

#include "pb/irm.pb-c.h"

void pb_qos_put(Irm__Qos *m, const qosspec_t *qs);

/* NULL is raw. 0, or -EINVAL when a value does not fit its field. */
int pb_qos_get(const Irm__Qos *m, qosspec_t *qs);

/*
 * Serialises @m. Returns its length, or 0 when that is more than @cap. For requests, which are never empty; a
 * Reply without result and body takes no byte at all.
 */
size_t pb_pack(const ProtobufCMessage *m, uint8_t *buf, size_t cap);

/* The name of a value, "unknown" for one that is out of range; never NULL. */
const char *pb_ipcp_type_name(enum ipcp_type type);    /* "local", "eth-dix", …         */
const char *pb_ipcp_state_name(enum ipcp_state state); /* "starting", "ready", …        */
const char *pb_hash_name(enum hash_algo algo);         /* "SHA3_256", …                 */
const char *pb_lb_name(enum pol_balance lb);           /* "round-robin" or "spillover"  */

/* The value with the name @s in any letter case. False: there is none, and the value is as before. */
bool pb_ipcp_type_parse(const char *s, enum ipcp_type *type);
bool pb_hash_parse(const char *s, enum hash_algo *algo);
bool pb_lb_parse(const char *s, enum pol_balance *lb);

#endif
