#include "irm/cmd.h"

#include "irm/lists.h"
#include "irm/out.h"

static const struct column columns[] = {
        {"ID", "id", NULL},     {"STATE", "state", NULL},        {"END", "end", NULL},
        {"NAME", "name", NULL}, {"LAYER", "layer", NULL},        {"PID", "pid", NULL},
        {"UID", "uid", NULL},   {"AGE", "age_ms", out_duration}, {"PROGRAM", "program", NULL},
        {NULL, NULL, NULL},
};

static int run_list(const struct args *a)
{
        json_t *rows;
        int     ret = list_flows(&rows);

        if (ret < 0)
                return out_refused(ret, "list the flows");
        for (size_t i = json_array_size(rows); i > 0; i--) {
                const json_t *row = json_array_get(rows, i - 1);

                if (!list_match(args_get(a, "name"), list_row_text(row, "name")) ||
                    !list_match(args_get(a, "layer"), list_row_text(row, "layer")))
                        json_array_remove(rows, i - 1);
        }
        return out_rows(a, rows, columns);
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
                           "layer.",
                .form    = {.keys = list_keys},
                .example = "irm flow list name 'ping*'",
                .run     = run_list,
        },
        {.name = NULL},
};
