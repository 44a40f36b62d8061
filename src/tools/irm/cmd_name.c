#include "irm/cmd.h"

#include <ouroboros/irm.h>

#include "base/str.h"
#include "irm/client.h"
#include "irm/lists.h"
#include "irm/out.h"
#include "irm/registration.h"
#include "pb/convert.h"

static const struct column columns[] = {
        {"NAME", "name", NULL}, {"BALANCE", "lb", NULL},    {"PROGRAMS", "programs", NULL},
        {"PIDS", "pids", NULL}, {"LAYERS", "layers", NULL}, {NULL, NULL, NULL},
};

static int run_create(const struct args *a)
{
        struct name_info info = {.pol_lb = LB_RR};
        const char      *lb   = args_get(a, "lb");
        int              ret  = irm_check_name("name", a->operand);

        if (lb != NULL)
                pb_lb_parse(lb, &info.pol_lb);
        if (ret == 0) {
                str_copy(info.name, sizeof(info.name), a->operand);
                ret = irm_create_name(&info);
        }
        if (ret < 0)
                return out_refused(ret, "create the name '%s'", a->operand);
        return out_done(a,
                        json_pack("{s:o, s:s}", "name", out_text(info.name), "lb", pb_lb_name(info.pol_lb)));
}

static int run_list(const struct args *a)
{
        json_t *rows;
        int     ret = list_names(a->operand, &rows);

        return ret < 0 ? out_refused(ret, "list the names") : out_rows(a, rows, columns);
}

/* Prints what was destroyed also when something else was not. */
static int run_destroy(const struct args *a)
{
        int     status = EXIT_DONE, printed;
        json_t *rows, *destroyed = json_array();
        int     ret = list_meant_names(a->operand, &rows);

        if (ret < 0) {
                json_decref(destroyed);
                return out_refused(ret, "destroy the name '%s'", a->operand);
        }
        for (size_t i = 0; i < json_array_size(rows) && status != EXIT_NO_DAEMON; i++) {
                const char *name = list_row_text(json_array_get(rows, i), "name");

                ret = irm_destroy_name(name);
                if (ret < 0)
                        status = out_refused(ret, "destroy the name '%s'", name);
                else
                        json_array_append_new(destroyed, out_text(name));
        }
        json_decref(rows);
        printed = out_done(a, destroyed);
        return status != EXIT_DONE ? status : printed;
}

/* -- the table ------------------------------------------------------------- */

static const struct key create_keys[] = {
        {"lb", "round-robin|spillover", "which of several processes gets the next flow (round-robin)", 0},
        {NULL, NULL, NULL, 0},
};

static const struct key register_keys[] = {
        {"ipcp", "I", "through this IPCP, or those that the pattern matches", KEY_ANY | KEY_REPEAT},
        {"layer", "L", "in this layer, or those that the pattern matches", KEY_ANY | KEY_REPEAT},
        {NULL, NULL, NULL, 0},
};

static const struct key unregister_keys[] = {
        {"ipcp", "I", "no longer through this IPCP, or those that the pattern matches", KEY_REPEAT},
        {"layer", "L", "no longer in this layer, or those that the pattern matches", KEY_REPEAT},
        {NULL, NULL, NULL, 0},
};

const struct verb name_verbs[] = {
        {
                .name    = "create",
                .help    = "Makes a name known.",
                .form    = {.operand = {"NAME", NULL, "the name", KEY_NEEDED}, .keys = create_keys},
                .example = "irm name create ping.home lb spillover",
                .run     = run_create,
        },
        {
                .name = "destroy",
                .help = "Forgets a name, or those that a pattern matches, with bindings and registrations.",
                .form = {.operand = {"NAME", NULL, "the name or pattern", KEY_NEEDED}},
                .example = "irm name destroy ping.home",
                .run     = run_destroy,
        },
        {
                .name = "list",
                .help = "Shows the names: who answers to them, and in which layers they are.",
                .form = {.operand = {"NAME", NULL, "only this name, or those that the pattern matches", 0}},
                .example = "irm name list 'ping*'",
                .run     = run_list,
        },
        {
                .name = "register",
                .help = "Makes a name, or those that a pattern matches, reachable in layers.",
                .form = {.operand = {"NAME", NULL, "the name or pattern", KEY_NEEDED}, .keys = register_keys},
                .example = "irm name register '*' layer home layer lab",
                .run     = registration_add,
        },
        {
                .name    = "unregister",
                .help    = "Makes a name, or those that a pattern matches, unreachable: where it says, or "
                           "everywhere.",
                .form    = {.operand = {"NAME", NULL, "the name or pattern", KEY_NEEDED},
                            .keys    = unregister_keys},
                .example = "irm name unregister ping.home layer lab",
                .run     = registration_remove,
        },
        {.name = NULL},
};
