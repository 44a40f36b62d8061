#include "irm/cmd.h"

#include <limits.h>

#include <ouroboros/errno.h>

#include "base/str.h"
#include "irm/client.h"
#include "irm/lists.h"
#include "irm/out.h"

static const struct column list_columns[] = {
        {"ID", "id", NULL},           {"STATE", "state", NULL},
        {"END", "end", NULL},         {"NAME", "name", NULL},
        {"LAYER", "layer", NULL},     {"PEER", "peer", NULL},
        {"SUITE", "suite", NULL},     {"PID", "pid", NULL},
        {"UID", "uid", NULL},         {"AGE", "age_ms", out_duration},
        {"PROGRAM", "program", NULL}, {NULL, NULL, NULL},
};

static const struct column show_columns[] = {
        {"flow", "id", NULL},         {"state", "state", NULL},
        {"end", "end", NULL},         {"name", "name", NULL},
        {"layer", "layer", NULL},     {"transport", "transport", NULL},
        {"address", "address", NULL}, {"mtu", "mtu", NULL},
        {"process", "pid", NULL},     {"user", "uid", NULL},
        {"program", "program", NULL}, {"age", "age_ms", out_duration},
        {"peer", "peer", NULL},       {"authenticated", "authenticated", out_yes},
        {"suite", "suite", NULL},     {"principal", "principal", NULL},
        {"OAP id", "oap_id", NULL},   {NULL, NULL, NULL},
};

static int run_list(const struct args *a)
{
        json_t *rows;
        int     ret = list_flows(0, &rows);

        if (ret < 0)
                return out_refused(ret, "list the flows");
        for (size_t i = json_array_size(rows); i > 0; i--) {
                const json_t *row = json_array_get(rows, i - 1);

                if (!list_match(args_get(a, "name"), list_row_text(row, "name")) ||
                    !list_match(args_get(a, "layer"), list_row_text(row, "layer")))
                        json_array_remove(rows, i - 1);
        }
        return out_rows(a, rows, list_columns);
}

/* The flow's row. 0 or a negative code. */
static int find(const char *id, json_t **row)
{
        unsigned long long n    = 0;
        json_t            *rows = NULL;
        int                ret;

        *row = NULL;
        if (!str_number(id, LLONG_MAX, &n) || n == 0)
                return irm_refuse(-EINVAL, "'%s' is no number of a flow", id);
        ret = list_flows(n, &rows);
        if (ret == 0)
                *row = json_incref(json_array_get(rows, 0));
        json_decref(rows);
        if (ret == 0 && *row == NULL)
                return irm_refuse(-EBADF, "there is none, or it is another user's");
        return ret;
}

static int run_show(const struct args *a)
{
        json_t *row;
        int     ret = find(a->operand, &row);

        return ret < 0 ? out_refused(ret, "show the flow '%s'", a->operand)
                       : out_object(a, row, show_columns);
}

static const struct key list_keys[] = {
        {"name", "N", "only those to this name, or to those that the pattern matches", 0},
        {"layer", "L", "only those in this layer, or in those that the pattern matches", 0},
        {NULL, NULL, NULL, 0},
};

const struct verb flow_verbs[] = {
        {
                .name    = "list",
                .help    = "Shows the ends of flows on this host: whose they are, to which name, in which "
                           "layer, with whom.",
                .form    = {.keys = list_keys},
                .example = "irm flow list name 'ping*'",
                .run     = run_list,
        },
        {
                .name    = "show",
                .help    = "Shows one end of a flow: who the peer is and how it was verified, the suite, and "
                           "the id that it has in the audit logs of both hosts.",
                .form    = {.operand = {"ID", NULL, "the number of the flow", KEY_NEEDED}},
                .example = "irm flow show 7",
                .run     = run_show,
        },
        {.name = NULL},
};
