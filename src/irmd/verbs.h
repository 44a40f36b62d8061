/*
 * verbs.h - the requests of irm.proto: a handler and a right for each. A handler validates into local values,
 * acts, and answers once (or lets what it started answer later).
 */
#ifndef O7S_IRMD_VERBS_H
#define O7S_IRMD_VERBS_H

#include "proc.h"

typedef void verb_fn(struct proc *p, uint32_t id, const Irm__Request *m);

struct verb {
        const char *name;
        verb_fn    *fn;
        bool        admin;
};

/* NULL: no such verb. */
const struct verb *verb_find(Irm__Request__VerbCase c);

verb_fn verb_flow_alloc, verb_flow_accept, verb_accept_watch, verb_flow_dealloc, verb_cancel, verb_flow_list;
verb_fn verb_name_create, verb_name_destroy, verb_name_list, verb_name_reg, verb_name_unreg;
verb_fn verb_bind_program, verb_unbind_program, verb_bind_process, verb_unbind_process, verb_bind_ipcp,
        verb_unbind_ipcp;
verb_fn verb_ipcp_create, verb_ipcp_bootstrap, verb_ipcp_destroy, verb_ipcp_list;
verb_fn verb_status;
verb_fn verb_security_show, verb_security_check;

/* Answers -EINVAL and returns false when @name is none; @what says of what it is the name. */
bool verb_check_name(struct proc *p, uint32_t id, const char *what, const char *name);

/* Answers -ENAME and returns NULL when @name is unknown. */
struct name *verb_find_name(struct proc *p, uint32_t id, const char *name);

#endif
