#include "verbs.h"

#include <ouroboros/errno.h>

#include "base/str.h"
#include "name.h"

static const struct verb verbs[] = {
        [IRM__REQUEST__VERB_FLOW_ALLOC]     = {"allocating flows", verb_flow_alloc, false},
        [IRM__REQUEST__VERB_FLOW_ACCEPT]    = {"accepting flows", verb_flow_accept, false},
        [IRM__REQUEST__VERB_ACCEPT_WATCH]   = {"watching for flows", verb_accept_watch, false},
        [IRM__REQUEST__VERB_FLOW_DEALLOC]   = {"deallocating flows", verb_flow_dealloc, false},
        [IRM__REQUEST__VERB_CANCEL]         = {"cancelling requests", verb_cancel, false},
        [IRM__REQUEST__VERB_NAME_CREATE]    = {"creating names", verb_name_create, true},
        [IRM__REQUEST__VERB_NAME_DESTROY]   = {"destroying names", verb_name_destroy, true},
        [IRM__REQUEST__VERB_NAME_LIST]      = {"listing names", verb_name_list, true},
        [IRM__REQUEST__VERB_NAME_REG]       = {"registering names", verb_name_reg, true},
        [IRM__REQUEST__VERB_NAME_UNREG]     = {"unregistering names", verb_name_unreg, true},
        [IRM__REQUEST__VERB_BIND_PROGRAM]   = {"binding programs", verb_bind_program, true},
        [IRM__REQUEST__VERB_UNBIND_PROGRAM] = {"unbinding programs", verb_unbind_program, true},
        [IRM__REQUEST__VERB_BIND_PROCESS]   = {"binding processes", verb_bind_process, true},
        [IRM__REQUEST__VERB_UNBIND_PROCESS] = {"unbinding processes", verb_unbind_process, true},
        [IRM__REQUEST__VERB_BIND_IPCP]      = {"binding IPCPs", verb_bind_ipcp, true},
        [IRM__REQUEST__VERB_UNBIND_IPCP]    = {"unbinding IPCPs", verb_unbind_ipcp, true},
        [IRM__REQUEST__VERB_IPCP_CREATE]    = {"creating IPCPs", verb_ipcp_create, true},
        [IRM__REQUEST__VERB_IPCP_BOOTSTRAP] = {"bootstrapping IPCPs", verb_ipcp_bootstrap, true},
        [IRM__REQUEST__VERB_IPCP_DESTROY]   = {"destroying IPCPs", verb_ipcp_destroy, true},
        [IRM__REQUEST__VERB_IPCP_LIST]      = {"listing IPCPs", verb_ipcp_list, true},
        [IRM__REQUEST__VERB_FLOW_LIST]      = {"listing flows", verb_flow_list, false},
        [IRM__REQUEST__VERB_STATUS]         = {"seeing the status", verb_status, true},
        [IRM__REQUEST__VERB_SECURITY_SHOW]  = {"seeing credentials and policy", verb_security_show, true},
        [IRM__REQUEST__VERB_SECURITY_CHECK] = {"checking the credentials", verb_security_check, true},
};

const struct verb *verb_find(Irm__Request__VerbCase c)
{
        size_t i = (size_t)c;

        return i < sizeof(verbs) / sizeof(verbs[0]) && verbs[i].fn != NULL ? &verbs[i] : NULL;
}

bool verb_check_name(struct proc *p, uint32_t id, const char *what, const char *name)
{
        const char *fault = str_name_fault(name);

        if (fault != NULL)
                proc_refuse(p, id, -EINVAL, "the %s %s", what, fault);
        return fault == NULL;
}

struct name *verb_find_name(struct proc *p, uint32_t id, const char *name)
{
        struct name *n = name_find(p->irmd, name);

        if (n == NULL)
                proc_refuse(p, id, -ENAME, "there is no name '%s'", name);
        return n;
}
