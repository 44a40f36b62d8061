/* ipcp_options.h - what "irm ipcp bootstrap" says of an IPCP's configuration. */
#ifndef O7S_TOOLS_IRM_IPCP_OPTIONS_H
#define O7S_TOOLS_IRM_IPCP_OPTIONS_H

#include <ouroboros/ipcp.h>

#include "irm/args.h"

/* The configuration of an IPCP of @type that the arguments ask for. 0, or a negative code with its sentence (irm_refuse()). */
int ipcp_options(const struct args *a, enum ipcp_type type, struct ipcp_config *conf);

#endif
