#include "irm/cmd.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <ouroboros/errno.h>
#include <ouroboros/irm.h>

#include "irm/client.h"
#include "irm/ipcp_options.h"
#include "irm/lists.h"
#include "irm/out.h"
#include "pb/convert.h"

#define TYPES  "local|unicast|broadcast|eth-llc|eth-dix|udp4|udp6"
#define HASHES "SHA3_224|SHA3_256|SHA3_384|SHA3_512"

static const struct column columns[] = {
        {"PID", "pid", NULL},     {"NAME", "name", NULL},   {"TYPE", "type", NULL},
        {"LAYER", "layer", NULL}, {"STATE", "state", NULL}, {NULL, NULL, NULL},
};

static json_t *ipcp_row(const struct ipcp_list_info *i)
{
        return json_pack("{s:i, s:o, s:s, s:o, s:s}", "pid", (int)i->pid, "name", out_text(i->name), "type",
                         pb_ipcp_type_name(i->type), "layer", out_text(i->layer), "state",
                         pb_ipcp_state_name(i->state));
}

/* The type that was given; the form has seen to it that it is one. */
static enum ipcp_type type_of(const struct args *a)
{
        enum ipcp_type type = IPCP_INVALID;
        bool           ok   = pb_ipcp_type_parse(args_get(a, "type"), &type);

        assert(ok);
        (void)ok;
        return type;
}

static int run_create(const struct args *a)
{
        const char    *name = args_get(a, "name");
        enum ipcp_type type = type_of(a);
        pid_t          pid  = irm_create_ipcp(name, type);

        if (pid < 0)
                return out_refused(pid, "create the IPCP '%s'", name);
        return out_done(a, json_pack("{s:i, s:o, s:s}", "pid", (int)pid, "name", out_text(name), "type",
                                     pb_ipcp_type_name(type)));
}

/* -- bootstrap ------------------------------------------------------------- */

/* Finds the IPCP @name, or creates it when its type is given. *@made: it was created. */
static int find_or_create(const struct args *a, const char *name, struct ipcp_list_info *ipcp, bool *made)
{
        bool typed = args_get(a, "type") != NULL;
        int  ret   = list_find_ipcp(name, ipcp);

        if (ret == 0 && typed && ipcp->type != type_of(a))
                return irm_refuse(-EIPCPTYPE, "it is of type %s", pb_ipcp_type_name(ipcp->type));
        if (ret == -EIPCP && !typed)
                return irm_refuse(ret, "there is no such IPCP yet, and none can be created without 'type T'");
        if (ret != -EIPCP)
                return ret;
        ipcp->type = type_of(a);
        ipcp->pid  = irm_create_ipcp(name, ipcp->type);
        *made      = ipcp->pid > 0;
        return *made ? 0 : ipcp->pid;
}

static int run_bootstrap(const struct args *a)
{
        const char           *name = args_get(a, "name");
        struct ipcp_list_info ipcp = {0};
        struct ipcp_config    conf = {0};
        bool                  made = false;
        int                   status, ret = 0;

        if (args_get(a, "type") != NULL) /* what can be said before there is an IPCP */
                ret = ipcp_options(a, type_of(a), &conf);
        if (ret == 0)
                ret = find_or_create(a, name, &ipcp, &made);
        if (ret == 0)
                ret = ipcp_options(a, ipcp.type, &conf);
        if (ret == 0)
                ret = irm_bootstrap_ipcp(ipcp.pid, &conf);
        if (ret < 0) {
                status = out_refused(ret, "bootstrap the IPCP '%s'", name);
                if (made) /* nothing half done */
                        irm_destroy_ipcp(ipcp.pid);
                return status;
        }
        return out_done(a, json_pack("{s:i, s:o, s:s, s:o, s:b}", "pid", (int)ipcp.pid, "name",
                                     out_text(name), "type", pb_ipcp_type_name(ipcp.type), "layer",
                                     out_text(conf.layer_info.name), "created", (int)made));
}

/* -- list, destroy --------------------------------------------------------- */

static bool chosen(const struct args *a, const struct ipcp_list_info *i)
{
        return list_match(args_get(a, "name"), i->name) && list_match(args_get(a, "layer"), i->layer) &&
               (args_get(a, "type") == NULL || type_of(a) == i->type);
}

static int run_list(const struct args *a)
{
        struct ipcp_list_info *all;
        ssize_t                n    = irm_list_ipcps(&all);
        json_t                *rows = json_array();

        for (ssize_t i = 0; i < n; i++) {
                if (chosen(a, &all[i]) && json_array_append_new(rows, ipcp_row(&all[i])) < 0) {
                        json_decref(rows);
                        rows = NULL;
                }
        }
        free(all);
        if (n < 0) {
                json_decref(rows);
                return out_refused((int)n, "list the IPCPs");
        }
        return out_rows(a, rows, columns);
}

static int run_destroy(const struct args *a)
{
        const char           *name = args_get(a, "name");
        struct ipcp_list_info ipcp;
        int                   ret = list_find_ipcp(name, &ipcp);

        if (ret == 0)
                ret = irm_destroy_ipcp(ipcp.pid);
        if (ret < 0)
                return out_refused(ret, "destroy the IPCP '%s'", name);
        return out_done(a, json_pack("{s:i, s:o}", "pid", (int)ipcp.pid, "name", out_text(name)));
}

/* -- the table ------------------------------------------------------------- */

static const struct key create_keys[] = {
        {"name", "N", "what to call it", KEY_NEEDED},
        {"type", TYPES, "what carries its packets", KEY_NEEDED},
        {NULL, NULL, NULL, 0},
};

static const struct key bootstrap_keys[] = {
        {"name", "N", "the IPCP", KEY_NEEDED},
        {"layer", "L", "the layer that it becomes the first member of", KEY_NEEDED},
        {"type", TYPES, "creates the IPCP, of this type, where it is missing", 0},
        {"hash", HASHES, "how the layer writes names in its directory (SHA3_256)", 0},
        {"dev", "IF", "eth: the network interface", 0},
        {"ethertype", "T", "eth-dix: the type of its frames, 0x0600 to 0xFFFE (0xA000)", 0},
        {"ip", "ADDR", "udp: the own address", 0},
        {"port", "P", "udp: the own port (3435)", 0},
        {"peer", "ADDR[:PORT]", "udp: another member, asked for names; IPv6 with a port as [ADDR]:PORT",
         KEY_REPEAT},
        {"dns", "ADDR", "udp: the DNS server that is the directory", 0},
        {"dns-zone", "Z", "udp: the zone of the names there (ouroboros.internal)", 0},
        {"dns-key", "FILE", "udp: the TSIG key that signs updates, as algorithm:name:secret", 0},
        {NULL, NULL, NULL, 0},
};

static const struct key list_keys[] = {
        {"name", "N", "only those with this name or pattern", 0},
        {"type", TYPES, "only those of this type", 0},
        {"layer", "L", "only members of this layer or of those that the pattern matches", 0},
        {NULL, NULL, NULL, 0},
};

static const struct key destroy_keys[] = {
        {"name", "N", "the IPCP", KEY_NEEDED},
        {NULL, NULL, NULL, 0},
};

const struct verb ipcp_verbs[] = {
        {
                .name    = "create",
                .help    = "Starts an IPCP, which waits for its configuration.",
                .form    = {.keys = create_keys},
                .example = "irm ipcp create name local type local",
                .run     = run_create,
        },
        {
                .name    = "bootstrap",
                .help    = "Makes an IPCP the first member of a new layer.",
                .form    = {.keys = bootstrap_keys},
                .example = "irm ipcp bootstrap name local type local layer home",
                .run     = run_bootstrap,
        },
        {
                .name    = "list",
                .help    = "Shows the IPCPs: process, name, type, layer and state.",
                .form    = {.keys = list_keys},
                .example = "irm ipcp list layer 'home*'",
                .run     = run_list,
        },
        {
                .name    = "destroy",
                .help    = "Ends an IPCP and the flows that it carries.",
                .form    = {.keys = destroy_keys},
                .example = "irm ipcp destroy name local",
                .run     = run_destroy,
        },
        {.name = NULL},
};
