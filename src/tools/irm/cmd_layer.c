/* A layer is nothing that irmd keeps: it is what IPCPs are members of, and names registered in. */
#include "irm/cmd.h"

#include <stdlib.h>
#include <string.h>

#include <ouroboros/errno.h>
#include <ouroboros/irm.h>

#include "irm/client.h"
#include "irm/lists.h"
#include "irm/out.h"
#include "pb/convert.h"

static const struct column list_columns[] = {
        {"LAYER", "layer", NULL},      {"TYPE", "type", NULL}, {"IPCPS", "ipcps", NULL},
        {"NAMES", "names", out_count}, {NULL, NULL, NULL},
};

static const struct column show_columns[] = {
        {"layer", "layer", NULL}, {"type", "type", NULL}, {"IPCPs", "ipcps", NULL},
        {"names", "names", NULL}, {NULL, NULL, NULL},
};

/* Those of @names that are registered in @layer. */
static json_t *names_in(const json_t *names, const char *layer)
{
        json_t *in = json_array();

        for (size_t i = 0; i < json_array_size(names); i++) {
                const json_t *row = json_array_get(names, i);

                if (list_row_has(row, "layers", layer) &&
                    json_array_append(in, json_object_get(row, "name")) < 0) {
                        json_decref(in);
                        return NULL;
                }
        }
        return in;
}

static json_t *find_layer(const json_t *layers, const char *layer)
{
        for (size_t i = 0; i < json_array_size(layers); i++)
                if (strcmp(list_row_text(json_array_get(layers, i), "layer"), layer) == 0)
                        return json_array_get(layers, i);
        return NULL;
}

/* Enters one IPCP under its layer, which is added when it is the first. */
static int enter(json_t *layers, const json_t *names, const struct ipcp_list_info *i)
{
        json_t *row = find_layer(layers, i->layer);

        if (row == NULL) {
                row = json_pack("{s:o, s:s, s:[], s:o}", "layer", out_text(i->layer), "type",
                                pb_ipcp_type_name(i->type), "ipcps", "names", names_in(names, i->layer));
                if (json_array_append_new(layers, row) < 0)
                        return -ENOMEM;
        }
        return json_array_append_new(json_object_get(row, "ipcps"), out_text(i->name)) < 0 ? -ENOMEM : 0;
}

static int enter_all(json_t *layers, const json_t *names, const char *pattern)
{
        struct ipcp_list_info *all;
        ssize_t                n   = irm_list_ipcps(&all);
        int                    ret = n < 0 ? (int)n : 0;

        for (ssize_t i = 0; i < n && ret == 0; i++)
                if (all[i].layer[0] != '\0' && list_match(pattern, all[i].layer))
                        ret = enter(layers, names, &all[i]);
        free(all);
        return ret;
}

/* *@layers: those that @pattern matches. 0 or a negative code, then *@layers is NULL. */
static int fetch(const char *pattern, json_t **layers)
{
        json_t *names = NULL;
        int     ret   = list_names(NULL, &names);

        *layers = json_array();
        if (ret == 0)
                ret = enter_all(*layers, names, pattern);
        json_decref(names);
        if (ret < 0) {
                json_decref(*layers);
                *layers = NULL;
        }
        return ret;
}

static int run_list(const struct args *a)
{
        json_t *layers;
        int     ret = fetch(a->operand, &layers);

        return ret < 0 ? out_refused(ret, "list the layers") : out_rows(a, layers, list_columns);
}

static int run_show(const struct args *a)
{
        json_t *layers, *layer;
        int     ret = fetch(NULL, &layers);

        if (ret == 0 && find_layer(layers, a->operand) == NULL)
                ret = irm_refuse(-ENAME, "there is none");
        if (ret < 0) {
                json_decref(layers);
                return out_refused(ret, "show the layer '%s'", a->operand);
        }
        layer = json_incref(find_layer(layers, a->operand));
        json_decref(layers);
        return out_object(a, layer, show_columns);
}

const struct verb layer_verbs[] = {
        {
                .name = "list",
                .help = "Shows the layers that this host is in, and how many names are registered in each.",
                .form = {.operand = {"LAYER", NULL, "only this layer, or those that the pattern matches", 0}},
                .example = "irm layer list",
                .run     = run_list,
        },
        {
                .name    = "show",
                .help    = "Shows one layer: its type, the IPCPs that are its members here, and the names in "
                           "it.",
                .form    = {.operand = {"LAYER", NULL, "the layer", KEY_NEEDED}},
                .example = "irm layer show home",
                .run     = run_show,
        },
        {.name = NULL},
};
