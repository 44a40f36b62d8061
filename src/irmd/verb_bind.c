#include <pwd.h>
#include <string.h>

#include <ouroboros/errno.h>

#include "base/str.h"
#include "bind.h"
#include "ipcp.h"
#include "name.h"
#include "proc.h"
#include "verbs.h"

#define ARGS_MAX 256u  /* arguments of a program that is started */
#define ARGS_LEN 8192u /* and their bytes together               */

static bool check_path(struct proc *p, uint32_t id, const char *path)
{
        if (path[0] == '/' && strnlen(path, PATH_MAX) < PATH_MAX && str_text_ok(path))
                return true;
        proc_refuse(p, id, -EINVAL, "the program is no absolute path of printable characters");
        return false;
}

static bool check_args(struct proc *p, uint32_t id, const Irm__BindProgram *b)
{
        size_t len = 0;

        for (size_t i = 0; i < b->n_args; i++)
                len += strlen(b->args[i]) + 1;
        if (b->n_args <= ARGS_MAX && len <= ARGS_LEN)
                return true;
        proc_refuse(p, id, -E2BIG, "the arguments are more than %u or longer than %u bytes", ARGS_MAX,
                    ARGS_LEN);
        return false;
}

/*
 * Who runs the program, and whose processes count. By default it is started as the caller, for root as the
 * daemon's own user and never silently as root, and anybody's process counts. With a user named, only that
 * one's do; naming another than oneself is for root.
 */
static bool choose_user(struct proc *p, uint32_t id, const char *user, struct prog_rule *rule)
{
        struct passwd *pw;

        rule->as_user = p->uid != 0 && p->uid != p->irmd->uid;
        rule->uid     = p->uid;
        if (user[0] == '\0')
                return true;
        if (!str_text_ok(user)) {
                proc_refuse(p, id, -EINVAL, "the user's name holds what cannot be printed");
                return false;
        }
        pw = getpwnam(user);
        if (pw == NULL) {
                proc_refuse(p, id, -EINVAL, "there is no user '%s'", user);
                return false;
        }
        if (p->uid != 0 && pw->pw_uid != p->uid) {
                proc_refuse(p, id, -EACCES, "only root may let a program run as another user");
                return false;
        }
        rule->one_user = true;
        rule->uid      = pw->pw_uid;
        rule->as_user  = pw->pw_uid != p->irmd->uid;
        return true;
}

void verb_bind_program(struct proc *p, uint32_t id, const Irm__Request *m)
{
        const Irm__BindProgram *b    = m->bind_program;
        struct prog_rule        rule = {
                       .path = b->path, .auto_start = b->auto_start, .args = b->args, .n_args = b->n_args};
        struct name *n;
        int          created, r;

        if (!verb_check_name(p, id, "name", b->name) || !check_path(p, id, b->path) ||
            !check_args(p, id, b) || !choose_user(p, id, b->user, &rule))
                return;
        created = name_create(p->irmd, b->name, LB_RR, &n);
        r       = created == -ENOMEM ? created : bind_program(n, &rule);
        proc_reply(p, id, r, NULL);
        if (r < 0 && created == 0)
                name_destroy(n);
}

void verb_unbind_program(struct proc *p, uint32_t id, const Irm__Request *m)
{
        const Irm__UnbindProgram *b = m->unbind_program;
        struct name              *n;

        if (!verb_check_name(p, id, "name", b->name) || !check_path(p, id, b->path))
                return;
        n = verb_find_name(p, id, b->name);
        if (n == NULL)
                return;
        if (unbind_program(n, b->path) < 0)
                proc_refuse(p, id, -ENOENT, "'%s' is not bound to %s", n->name, b->path);
        else
                proc_reply(p, id, 0, NULL);
}

static void do_bind_pid(struct proc *p, uint32_t id, const char *name, pid_t pid)
{
        struct name *n;
        int          created = name_create(p->irmd, name, LB_RR, &n);
        int          r;

        if (created == -ENOMEM) {
                proc_reply(p, id, created, NULL);
                return;
        }
        r = bind_pid(n, pid);
        if (r == -ESRCH)
                proc_refuse(p, id, r, "there is no process %d", (int)pid);
        else if (r == -EEXIST)
                proc_refuse(p, id, r, "process %d is bound to '%s' already", (int)pid, n->name);
        else
                proc_reply(p, id, r, NULL);
        if (r < 0 && created == 0)
                name_destroy(n);
}

static void do_unbind_pid(struct proc *p, uint32_t id, const char *name, pid_t pid)
{
        struct name *n = verb_find_name(p, id, name);

        if (n == NULL)
                return;
        if (unbind_pid(n, pid) < 0)
                proc_refuse(p, id, -ENOENT, "process %d is not bound to '%s'", (int)pid, name);
        else
                proc_reply(p, id, 0, NULL);
}

void verb_bind_process(struct proc *p, uint32_t id, const Irm__Request *m)
{
        if (verb_check_name(p, id, "name", m->bind_process->name))
                do_bind_pid(p, id, m->bind_process->name, m->bind_process->pid);
}

void verb_unbind_process(struct proc *p, uint32_t id, const Irm__Request *m)
{
        if (verb_check_name(p, id, "name", m->unbind_process->name))
                do_unbind_pid(p, id, m->unbind_process->name, m->unbind_process->pid);
}

/* An IPCP accepts as the process that it is. */
static struct ipcp *find_ipcp(struct proc *p, uint32_t id, const char *ipcp)
{
        struct ipcp *i = ipcp_by_name(p->irmd, ipcp);

        if (i == NULL || i->pid <= 0) {
                proc_refuse(p, id, -EIPCP, "there is no IPCP '%s'", ipcp);
                return NULL;
        }
        return i;
}

void verb_bind_ipcp(struct proc *p, uint32_t id, const Irm__Request *m)
{
        const Irm__BindIpcp *b = m->bind_ipcp;
        struct ipcp         *i;

        if (!verb_check_name(p, id, "name", b->name) || !verb_check_name(p, id, "name of the IPCP", b->ipcp))
                return;
        i = find_ipcp(p, id, b->ipcp);
        if (i != NULL)
                do_bind_pid(p, id, b->name, i->pid);
}

void verb_unbind_ipcp(struct proc *p, uint32_t id, const Irm__Request *m)
{
        const Irm__UnbindIpcp *b = m->unbind_ipcp;
        struct ipcp           *i;

        if (!verb_check_name(p, id, "name", b->name) || !verb_check_name(p, id, "name of the IPCP", b->ipcp))
                return;
        i = find_ipcp(p, id, b->ipcp);
        if (i != NULL)
                do_unbind_pid(p, id, b->name, i->pid);
}
