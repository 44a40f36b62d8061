#include <ouroboros/irm.h>

#include <stdlib.h>
#include <string.h>

#include <ouroboros/errno.h>

#include "base/err.h"
#include "base/str.h"
#include "irm/client.h"
#include "irm/program.h"
#include "pb/convert.h"
#include "pb/ipcp_config.h"

/* -- lists: an array that grows with the answers --------------------------- */

struct array {
        char  *items;
        size_t n, cap, size; /* of one item */
};

/* A new item of zeros at the end, or NULL. */
static void *array_add(struct array *a)
{
        if (a->n == a->cap) {
                size_t cap   = a->cap > 0 ? 2 * a->cap : 16;
                void  *items = reallocarray(a->items, cap, a->size);

                if (items == NULL)
                        return NULL;
                a->items = items;
                a->cap   = cap;
        }
        return memset(a->items + a->n++ * a->size, 0, a->size);
}

/* Asks for a list and gives it to the caller as *@out. */
static ssize_t call_list(const Irm__Request *req, irm_answer_fn *fn, size_t size, void **out)
{
        struct array a   = {.size = size};
        int          ret = irm_call(req, fn, &a);

        if (ret < 0) {
                free(a.items);
                a.items = NULL;
        }
        *out = a.items;
        return ret < 0 ? err_return(ret) : (ssize_t)a.n;
}

static int add_ipcp(struct array *a, const Irm__IpcpEntry *e)
{
        struct ipcp_list_info *info = array_add(a);

        if (info == NULL)
                return -ENOMEM;
        if (e->type >= IPCP_INVALID || e->state > IPCP_OPERATIONAL ||
            !str_copy(info->name, sizeof(info->name), e->name) ||
            !str_copy(info->layer, sizeof(info->layer), e->layer))
                return -EPROTO;
        info->pid   = e->pid;
        info->type  = (enum ipcp_type)e->type;
        info->state = (enum ipcp_state)e->state;
        return 0;
}

static int on_ipcps(void *ctx, const Irm__Reply *reply)
{
        int ret = 0;

        if (reply->body_case != IRM__REPLY__BODY_IPCPS)
                return -EPROTO;
        for (size_t i = 0; i < reply->ipcps->n_entry && ret == 0; i++)
                ret = add_ipcp(ctx, reply->ipcps->entry[i]);
        return ret;
}

static int add_name(struct array *a, const Irm__NameEntry *e)
{
        struct name_info *info = array_add(a);

        if (info == NULL)
                return -ENOMEM;
        if (e->pol_lb >= LB_INVALID || !str_copy(info->name, sizeof(info->name), e->name))
                return -EPROTO;
        info->pol_lb = (enum pol_balance)e->pol_lb;
        return 0;
}

static int on_names(void *ctx, const Irm__Reply *reply)
{
        int ret = 0;

        if (reply->body_case != IRM__REPLY__BODY_NAMES)
                return -EPROTO;
        for (size_t i = 0; i < reply->names->n_entry && ret == 0; i++)
                ret = add_name(ctx, reply->names->entry[i]);
        return ret;
}

/* -- IPCPs ----------------------------------------------------------------- */

static int check_pid(pid_t pid)
{
        return pid > 0 ? 0 : irm_refuse(-EINVAL, "%d is no process id", (int)pid);
}

static int on_ipcp_created(void *ctx, const Irm__Reply *reply)
{
        if (reply->body_case != IRM__REPLY__BODY_IPCP_CREATED || reply->ipcp_created->pid <= 0)
                return -EPROTO;
        *(pid_t *)ctx = reply->ipcp_created->pid;
        return 0;
}

O7S_API pid_t irm_create_ipcp(const char *name, enum ipcp_type type)
{
        Irm__IpcpCreate m   = IRM__IPCP_CREATE__INIT;
        pid_t           pid = -1;
        int             ret = irm_check_name("IPCP", name);

        if (ret == 0 && (unsigned int)type >= IPCP_INVALID)
                ret = irm_refuse(-EIPCPTYPE, "there is no type of IPCP %d", (int)type);
        if (ret == 0) {
                m.name = (char *)name;
                m.type = type;
                ret    = irm_call(&IRM_REQUEST(IPCP_CREATE, ipcp_create, &m), on_ipcp_created, &pid);
        }
        return ret < 0 ? (pid_t)err_return(ret) : pid;
}

O7S_API int irm_destroy_ipcp(pid_t pid)
{
        Irm__IpcpDestroy m   = IRM__IPCP_DESTROY__INIT;
        int              ret = check_pid(pid);

        m.pid = pid;
        if (ret == 0)
                ret = irm_call(&IRM_REQUEST(IPCP_DESTROY, ipcp_destroy, &m), NULL, NULL);
        return (int)err_return(ret);
}

static int check_config(const struct ipcp_config *conf)
{
        if (conf == NULL)
                return irm_refuse(-EINVAL, "the configuration is missing");
        if ((unsigned int)conf->type >= IPCP_INVALID)
                return irm_refuse(-EIPCPTYPE, "there is no type of IPCP %d", (int)conf->type);
        if ((unsigned int)conf->layer_info.dir_hash_algo > DIR_HASH_SHA3_512)
                return irm_refuse(-EINVAL, "there is no hash %d", (int)conf->layer_info.dir_hash_algo);
        if ((conf->type == IPCP_UDP4 && conf->udp4.n_peers > UDP_PEERS_MAX) ||
            (conf->type == IPCP_UDP6 && conf->udp6.n_peers > UDP_PEERS_MAX))
                return irm_refuse(-EINVAL, "there may be %d peers at most", UDP_PEERS_MAX);
        return irm_check_name("layer", conf->layer_info.name);
}

O7S_API int irm_bootstrap_ipcp(pid_t pid, const struct ipcp_config *conf)
{
        Irm__IpcpBootstrap    m = IRM__IPCP_BOOTSTRAP__INIT;
        struct pb_ipcp_config c;
        int                   ret = check_pid(pid);

        if (ret == 0)
                ret = check_config(conf);
        if (ret == 0) {
                pb_ipcp_config_put(&c, conf);
                m.pid    = pid;
                m.config = &c.m;
                ret      = irm_call(&IRM_REQUEST(IPCP_BOOTSTRAP, ipcp_bootstrap, &m), NULL, NULL);
        }
        return (int)err_return(ret);
}

O7S_API ssize_t irm_list_ipcps(struct ipcp_list_info **ipcps)
{
        Irm__IpcpList m     = IRM__IPCP_LIST__INIT;
        void         *items = NULL;
        ssize_t       n;

        if (ipcps == NULL)
                return err_return(irm_refuse(-EINVAL, "there is no place for the list"));
        n      = call_list(&IRM_REQUEST(IPCP_LIST, ipcp_list, &m), on_ipcps, sizeof(**ipcps), &items);
        *ipcps = items;
        return n;
}

/* -- names ----------------------------------------------------------------- */

O7S_API int irm_create_name(struct name_info *info)
{
        Irm__NameCreate m = IRM__NAME_CREATE__INIT;
        int             ret;

        if (info == NULL)
                return (int)err_return(irm_refuse(-EINVAL, "the name is missing"));
        ret = irm_check_name("name", info->name);
        if (ret == 0 && (unsigned int)info->pol_lb >= LB_INVALID)
                ret = irm_refuse(-EINVAL, "there is no load balancing %d", (int)info->pol_lb);
        if (ret == 0) {
                m.name   = info->name;
                m.pol_lb = info->pol_lb;
                ret      = irm_call(&IRM_REQUEST(NAME_CREATE, name_create, &m), NULL, NULL);
        }
        return (int)err_return(ret);
}

O7S_API int irm_destroy_name(const char *name)
{
        Irm__NameDestroy m   = IRM__NAME_DESTROY__INIT;
        int              ret = irm_check_name("name", name);

        m.name = (char *)name;
        if (ret == 0)
                ret = irm_call(&IRM_REQUEST(NAME_DESTROY, name_destroy, &m), NULL, NULL);
        return (int)err_return(ret);
}

O7S_API ssize_t irm_list_names(struct name_info **names)
{
        Irm__NameList m     = IRM__NAME_LIST__INIT;
        void         *items = NULL;
        ssize_t       n;

        if (names == NULL)
                return err_return(irm_refuse(-EINVAL, "there is no place for the list"));
        n      = call_list(&IRM_REQUEST(NAME_LIST, name_list, &m), on_names, sizeof(**names), &items);
        *names = items;
        return n;
}

/* Both arguments of a call about a name and a process. */
static int check_name_pid(const char *name, pid_t pid)
{
        int ret = irm_check_name("name", name);

        return ret < 0 ? ret : check_pid(pid);
}

O7S_API int irm_reg_name(const char *name, pid_t pid)
{
        Irm__NameReg m   = IRM__NAME_REG__INIT;
        int          ret = check_name_pid(name, pid);

        m.name = (char *)name;
        m.pid  = pid;
        if (ret == 0)
                ret = irm_call(&IRM_REQUEST(NAME_REG, name_reg, &m), NULL, NULL);
        return (int)err_return(ret);
}

O7S_API int irm_unreg_name(const char *name, pid_t pid)
{
        Irm__NameUnreg m   = IRM__NAME_UNREG__INIT;
        int            ret = check_name_pid(name, pid);

        m.name = (char *)name;
        m.pid  = pid;
        if (ret == 0)
                ret = irm_call(&IRM_REQUEST(NAME_UNREG, name_unreg, &m), NULL, NULL);
        return (int)err_return(ret);
}

/* -- bindings -------------------------------------------------------------- */

static int check_args(int argc, char **argv)
{
        if (argc < 0 || (argc > 0 && argv == NULL))
                return irm_refuse(-EINVAL, "the arguments of the program are missing");
        for (int i = 0; i < argc; i++)
                if (argv[i] == NULL)
                        return irm_refuse(-EINVAL, "argument %d of the program is missing", i + 1);
        return 0;
}

O7S_API int irm_bind_program(const char *prog, const char *name, uint16_t opts, int argc, char **argv)
{
        Irm__BindProgram m = IRM__BIND_PROGRAM__INIT;
        char             path[PATH_MAX];
        int              ret = irm_check_name("name", name);

        if (ret == 0 && (opts & ~BIND_AUTO) != 0)
                ret = irm_refuse(-EINVAL, "there are no options %#x of a binding", (unsigned int)opts);
        if (ret == 0)
                ret = check_args(argc, argv);
        if (ret == 0)
                ret = irm_find_program(prog, path);
        if (ret == 0) {
                m.path       = path;
                m.name       = (char *)name;
                m.auto_start = (opts & BIND_AUTO) != 0;
                m.n_args     = (size_t)argc;
                m.args       = argv;
                ret          = irm_call(&IRM_REQUEST(BIND_PROGRAM, bind_program, &m), NULL, NULL);
        }
        return (int)err_return(ret);
}

O7S_API int irm_unbind_program(const char *prog, const char *name)
{
        Irm__UnbindProgram m = IRM__UNBIND_PROGRAM__INIT;
        char               path[PATH_MAX];
        int                ret = irm_check_name("name", name);

        if (ret == 0)
                ret = irm_find_bound_program(prog, path);
        if (ret == 0) {
                m.path = path;
                m.name = (char *)name;
                ret    = irm_call(&IRM_REQUEST(UNBIND_PROGRAM, unbind_program, &m), NULL, NULL);
        }
        return (int)err_return(ret);
}

O7S_API int irm_bind_process(pid_t pid, const char *name)
{
        Irm__BindProcess m   = IRM__BIND_PROCESS__INIT;
        int              ret = check_name_pid(name, pid);

        m.pid  = pid;
        m.name = (char *)name;
        if (ret == 0)
                ret = irm_call(&IRM_REQUEST(BIND_PROCESS, bind_process, &m), NULL, NULL);
        return (int)err_return(ret);
}

O7S_API int irm_unbind_process(pid_t pid, const char *name)
{
        Irm__UnbindProcess m   = IRM__UNBIND_PROCESS__INIT;
        int                ret = check_name_pid(name, pid);

        m.pid  = pid;
        m.name = (char *)name;
        if (ret == 0)
                ret = irm_call(&IRM_REQUEST(UNBIND_PROCESS, unbind_process, &m), NULL, NULL);
        return (int)err_return(ret);
}
