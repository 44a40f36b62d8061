#include "irm/cmd.h"

#include <ouroboros/irm.h>

#include "irm/client.h"
#include "irm/out.h"
#include "irm/program.h"

/* Checks the name, which all bindings have, and gives the request to irmd. */
static int ask(const char *name, const Irm__Request *req)
{
        int ret = irm_check_name("name", name);

        return ret < 0 ? ret : irm_call(req, NULL, NULL);
}

/* -- programs -------------------------------------------------------------- */

static json_t *program_binding(const Irm__BindProgram *m)
{
        return json_pack("{s:o, s:o, s:b, s:o, s:o}", "program", out_text(m->path), "name", out_text(m->name),
                         "auto", (int)m->auto_start, "args", out_texts(m->args, m->n_args), "user",
                         out_text(m->user));
}

static int bind_program(const struct args *a)
{
        Irm__BindProgram m    = IRM__BIND_PROGRAM__INIT;
        const char      *user = args_get(a, "user");
        char             path[PATH_MAX];
        int              ret = irm_find_program(a->operand, path);

        m.path       = path;
        m.name       = (char *)args_get(a, "name");
        m.auto_start = args_get(a, "auto") != NULL;
        m.n_args     = a->n_rest;
        m.args       = a->rest;
        if (user != NULL)
                m.user = (char *)user;
        if (ret == 0)
                ret = ask(m.name, &IRM_REQUEST(BIND_PROGRAM, bind_program, &m));
        if (ret < 0)
                return out_refused(ret, "bind the program '%s' to '%s'", a->operand, m.name);
        return out_done(a, program_binding(&m));
}

static int unbind_program(const struct args *a)
{
        Irm__UnbindProgram m = IRM__UNBIND_PROGRAM__INIT;
        char               path[PATH_MAX];
        int                ret = irm_find_bound_program(a->operand, path);

        m.path = path;
        m.name = (char *)args_get(a, "name");
        if (ret == 0)
                ret = ask(m.name, &IRM_REQUEST(UNBIND_PROGRAM, unbind_program, &m));
        if (ret < 0)
                return out_refused(ret, "unbind the program '%s' from '%s'", a->operand, m.name);
        return out_done(a, json_pack("{s:o, s:o}", "program", out_text(path), "name", out_text(m.name)));
}

/* -- processes ------------------------------------------------------------- */

static int process_done(const struct args *a, int pid, const char *name)
{
        return out_done(a, json_pack("{s:i, s:o}", "pid", pid, "name", out_text(name)));
}

static int bind_process(const struct args *a)
{
        const char *name = args_get(a, "name");
        pid_t       pid  = args_pid(a->operand);
        int         ret  = irm_bind_process(pid, name);

        if (ret < 0)
                return out_refused(ret, "bind the process %d to '%s'", (int)pid, name);
        return process_done(a, pid, name);
}

static int unbind_process(const struct args *a)
{
        const char *name = args_get(a, "name");
        pid_t       pid  = args_pid(a->operand);
        int         ret  = irm_unbind_process(pid, name);

        if (ret < 0)
                return out_refused(ret, "unbind the process %d from '%s'", (int)pid, name);
        return process_done(a, pid, name);
}

/* -- IPCPs ----------------------------------------------------------------- */

static int ipcp_done(const struct args *a, const char *name)
{
        return out_done(a, json_pack("{s:o, s:o}", "ipcp", out_text(a->operand), "name", out_text(name)));
}

static int bind_ipcp(const struct args *a)
{
        Irm__BindIpcp m   = IRM__BIND_IPCP__INIT;
        int           ret = irm_check_name("IPCP", a->operand);

        m.ipcp = (char *)a->operand;
        m.name = (char *)args_get(a, "name");
        if (ret == 0)
                ret = ask(m.name, &IRM_REQUEST(BIND_IPCP, bind_ipcp, &m));
        if (ret < 0)
                return out_refused(ret, "bind the IPCP '%s' to '%s'", m.ipcp, m.name);
        return ipcp_done(a, m.name);
}

static int unbind_ipcp(const struct args *a)
{
        Irm__UnbindIpcp m   = IRM__UNBIND_IPCP__INIT;
        int             ret = irm_check_name("IPCP", a->operand);

        m.ipcp = (char *)a->operand;
        m.name = (char *)args_get(a, "name");
        if (ret == 0)
                ret = ask(m.name, &IRM_REQUEST(UNBIND_IPCP, unbind_ipcp, &m));
        if (ret < 0)
                return out_refused(ret, "unbind the IPCP '%s' from '%s'", m.ipcp, m.name);
        return ipcp_done(a, m.name);
}

/* -- the tables ------------------------------------------------------------ */

#define PROGRAM                                                                      \
        {                                                                            \
                "PROGRAM", NULL, "a program in PATH, or the path of one", KEY_NEEDED \
        }
#define PID                                                              \
        {                                                                \
                "PID", NULL, "the id of a process", KEY_NEEDED | KEY_PID \
        }
#define IPCP                                                    \
        {                                                       \
                "IPCP", NULL, "the name of an IPCP", KEY_NEEDED \
        }

static const struct key program_keys[] = {
        {"name", "N", "the name, which is created where it is missing", KEY_NEEDED},
        {"auto", NULL, "start the program when a flow arrives and nobody accepts it", 0},
        {"user", "U", "who it runs as, and the only one whose processes count", 0},
        {NULL, NULL, NULL, 0},
};

static const struct key bind_keys[] = {
        {"name", "N", "the name, which is created where it is missing", KEY_NEEDED},
        {NULL, NULL, NULL, 0},
};

static const struct key unbind_keys[] = {
        {"name", "N", "the name", KEY_NEEDED},
        {NULL, NULL, NULL, 0},
};

const struct verb bind_verbs[] = {
        {
                .name    = "program",
                .help    = "Lets all processes that run a program accept flows for a name.",
                .form    = {PROGRAM, program_keys, {"ARGS", "auto", "the arguments to start it with", 0}},
                .example = "irm bind program oping name ping.home auto -- -l",
                .run     = bind_program,
        },
        {
                .name    = "process",
                .help    = "Lets one process accept flows for a name.",
                .form    = {.operand = PID, .keys = bind_keys},
                .example = "irm bind process 4711 name ping.home",
                .run     = bind_process,
        },
        {
                .name    = "ipcp",
                .help    = "Lets an IPCP accept flows for a name.",
                .form    = {.operand = IPCP, .keys = bind_keys},
                .example = "irm bind ipcp router name router.home",
                .run     = bind_ipcp,
        },
        {.name = NULL},
};

const struct verb unbind_verbs[] = {
        {
                .name    = "program",
                .help    = "Ends the binding of a program; its processes go on.",
                .form    = {.operand = PROGRAM, .keys = unbind_keys},
                .example = "irm unbind program oping name ping.home",
                .run     = unbind_program,
        },
        {
                .name    = "process",
                .help    = "Ends the binding of a process.",
                .form    = {.operand = PID, .keys = unbind_keys},
                .example = "irm unbind process 4711 name ping.home",
                .run     = unbind_process,
        },
        {
                .name    = "ipcp",
                .help    = "Ends the binding of an IPCP.",
                .form    = {.operand = IPCP, .keys = unbind_keys},
                .example = "irm unbind ipcp router name router.home",
                .run     = unbind_ipcp,
        },
        {.name = NULL},
};
