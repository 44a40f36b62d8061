#include "irm/lists.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include <ouroboros/errno.h>
#include <ouroboros/irm.h>

#include "crypt/suite.h"
#include "irm/client.h"
#include "irm/out.h"
#include "pb/convert.h"

bool list_is_pattern(const char *s)
{
        return strpbrk(s, "*?[\\") != NULL;
}

bool list_match(const char *pattern, const char *s)
{
        return pattern == NULL || strcmp(pattern, s) == 0 ||
               (list_is_pattern(pattern) && fnmatch(pattern, s, 0) == 0);
}

int list_find_ipcp(const char *name, struct ipcp_list_info *ipcp)
{
        struct ipcp_list_info *all;
        ssize_t                n   = irm_list_ipcps(&all);
        int                    ret = n < 0 ? (int)n : -EIPCP;

        for (ssize_t i = 0; i < n && ret < 0; i++) {
                if (strcmp(all[i].name, name) == 0) {
                        *ipcp = all[i];
                        ret   = 0;
                }
        }
        free(all);
        return ret == -EIPCP ? irm_refuse(ret, "there is no IPCP '%s'", name) : ret;
}

static json_t *integers(const int32_t *v, size_t n)
{
        json_t *list = json_array();

        for (size_t i = 0; i < n; i++) {
                if (json_array_append_new(list, json_integer(v[i])) < 0) {
                        json_decref(list);
                        return NULL;
                }
        }
        return list;
}

static json_t *name_row(const Irm__NameEntry *e)
{
        return json_pack("{s:o, s:s, s:o, s:o, s:o}", "name", out_text(e->name), "lb",
                         pb_lb_name((enum pol_balance)e->pol_lb), "programs",
                         out_texts(e->programs, e->n_programs), "pids", integers(e->pids, e->n_pids),
                         "layers", out_texts(e->layers, e->n_layers));
}

static int on_names(void *rows, const Irm__Reply *reply)
{
        if (reply->body_case != IRM__REPLY__BODY_NAMES)
                return -EPROTO;
        for (size_t i = 0; i < reply->names->n_entry; i++)
                if (json_array_append_new(rows, name_row(reply->names->entry[i])) < 0)
                        return -ENOMEM;
        return 0;
}

/* What is known of the peer, from the handshake; nothing of a flow that is not that far. */
static json_t *flow_peer(const Irm__FlowEntry *e)
{
        return json_pack("{s:o, s:b, s:s, s:o, s:o}", "peer", out_text(e->peer), "authenticated",
                         (int)e->authenticated, "suite", suite_name((enum suite)e->suite), "oap_id",
                         out_hex(e->oap_id.data, e->oap_id.len), "principal", out_text(e->principal));
}

/* How it travels. A local flow has no address, and its messages end at no MTU. */
static json_t *flow_way(const Irm__FlowEntry *e)
{
        return json_pack("{s:s, s:o, s:o}", "transport", pb_ipcp_type_name((enum ipcp_type)e->ipcp_type),
                         "address", out_text(e->address), "mtu",
                         e->packet_max != 0 ? json_integer(e->packet_max) : json_null());
}

/* Adds the members of @more, which is taken, to @row. False: out of memory. */
static bool add_members(json_t *row, json_t *more)
{
        bool ok = more != NULL && json_object_update(row, more) == 0;

        json_decref(more);
        return ok;
}

json_t *list_flow_row(const Irm__FlowEntry *e)
{
        json_t *row =
                json_pack("{s:I, s:o, s:o, s:i, s:I, s:o, s:o, s:s, s:I}", "id", (json_int_t)e->flow_id,
                          "state", out_text(e->state), "name", out_text(e->name), "pid", e->pid, "uid",
                          (json_int_t)e->uid, "program", out_text(e->program), "layer", out_text(e->layer),
                          "end", e->accepted ? "server" : "client", "age_ms", (json_int_t)e->age_ms);

        if (add_members(row, flow_peer(e)) && add_members(row, flow_way(e)))
                return row;
        json_decref(row);
        return NULL;
}

static int on_flows(void *rows, const Irm__Reply *reply)
{
        if (reply->body_case != IRM__REPLY__BODY_FLOWS)
                return -EPROTO;
        for (size_t i = 0; i < reply->flows->n_entry; i++)
                if (json_array_append_new(rows, list_flow_row(reply->flows->entry[i])) < 0)
                        return -ENOMEM;
        return 0;
}

int list_fetch(const Irm__Request *req, irm_answer_fn *fn, json_t **rows)
{
        int ret;

        *rows = json_array();
        if (*rows == NULL)
                return -ENOMEM;
        ret = irm_call(req, fn, *rows);
        if (ret < 0) {
                json_decref(*rows);
                *rows = NULL;
        }
        return ret;
}

int list_names(const char *pattern, json_t **rows)
{
        Irm__NameList m   = IRM__NAME_LIST__INIT;
        int           ret = list_fetch(&IRM_REQUEST(NAME_LIST, name_list, &m), on_names, rows);

        for (size_t i = ret == 0 ? json_array_size(*rows) : 0; i > 0; i--)
                if (!list_match(pattern, list_row_text(json_array_get(*rows, i - 1), "name")))
                        json_array_remove(*rows, i - 1);
        return ret;
}

int list_meant_names(const char *meant, json_t **rows)
{
        int ret = list_names(meant, rows);

        if (ret < 0 || json_array_size(*rows) > 0)
                return ret;
        if (list_is_pattern(meant))
                ret = irm_refuse(-ENAME, "no name matches it");
        else if (json_array_append_new(*rows, json_pack("{s:o}", "name", out_text(meant))) < 0)
                ret = -ENOMEM;
        if (ret < 0)
                json_decref(*rows);
        return ret;
}

int list_flows(uint64_t flow_id, json_t **rows)
{
        Irm__FlowList m = IRM__FLOW_LIST__INIT;

        m.flow_id = flow_id;
        return list_fetch(&IRM_REQUEST(FLOW_LIST, flow_list, &m), on_flows, rows);
}

bool list_row_has(const json_t *row, const char *key, const char *s)
{
        const json_t *list = json_object_get(row, key);

        for (size_t i = 0; i < json_array_size(list); i++)
                if (strcmp(json_string_value(json_array_get(list, i)), s) == 0)
                        return true;
        return false;
}

const char *list_row_text(const json_t *row, const char *key)
{
        const char *s = json_string_value(json_object_get(row, key));

        return s != NULL ? s : "";
}
