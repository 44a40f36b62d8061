/*
 * What the user wrote is two choices: names, and IPCPs (by their own name or by that of their layer). Each
 * pair is one call to irmd. One that is refused does not keep the others from being done.
 *
 * With a pattern the user means "wherever it makes a difference": pairs that are already as wanted are left
 * out. Without, irmd is asked in any case, and says if there is nothing to do.
 */
#include "irm/registration.h"

#include <stdlib.h>

#include <ouroboros/errno.h>
#include <ouroboros/irm.h>

#include "irm/client.h"
#include "irm/cmd.h"
#include "irm/lists.h"
#include "irm/out.h"

/* One direction. */
struct way {
        int (*call)(const char *name, pid_t pid);
        const char *verb, *where; /* for sentences */
        bool        registered;   /* what pairs are afterwards */
};

struct batch {
        const struct way      *way;
        struct ipcp_list_info *ipcps; /* the chosen ones */
        size_t                 n;
        bool                   pattern; /* something was chosen by one */
        json_t                *done;
        int                    status;
};

static const struct way join  = {irm_reg_name, "register", "in", true};
static const struct way leave = {irm_unreg_name, "unregister", "from", false};

/* -- choosing IPCPs -------------------------------------------------------- */

static bool by_ipcp(const struct ipcp_list_info *i, const char *value)
{
        return list_match(value, i->name);
}

static bool by_layer(const struct ipcp_list_info *i, const char *value)
{
        return i->layer[0] != '\0' && list_match(value, i->layer);
}

static const struct {
        const char *key, *what;
        bool (*match)(const struct ipcp_list_info *i, const char *value);
} choices[] = {
        {"ipcp", "IPCP", by_ipcp},
        {"layer", "layer", by_layer},
};

#define N_CHOICES (sizeof(choices) / sizeof(choices[0]))

/* Whether an argument chooses the IPCP; without any argument all members of layers are. */
static bool is_chosen(const struct args *a, const struct ipcp_list_info *i)
{
        const char *value;

        if (a->n == 0)
                return i->layer[0] != '\0';
        for (size_t c = 0; c < N_CHOICES; c++)
                for (size_t at = 0; (value = args_next(a, choices[c].key, &at)) != NULL;)
                        if (choices[c].match(i, value))
                                return true;
        return false;
}

static bool any_matches(const struct batch *b, size_t choice, const char *value)
{
        for (size_t i = 0; i < b->n; i++)
                if (choices[choice].match(&b->ipcps[i], value))
                        return true;
        return false;
}

/* Whether each argument chooses something. 0 or -EIPCP. */
static int check_choices(struct batch *b, const struct args *a)
{
        const char *value;

        for (size_t c = 0; c < N_CHOICES; c++) {
                for (size_t at = 0; (value = args_next(a, choices[c].key, &at)) != NULL;) {
                        if (!any_matches(b, c, value))
                                return irm_refuse(-EIPCP, "there is no %s '%s'", choices[c].what, value);
                        b->pattern = b->pattern || list_is_pattern(value);
                }
        }
        return 0;
}

static int choose_ipcps(struct batch *b, const struct args *a)
{
        ssize_t n = irm_list_ipcps(&b->ipcps);
        int     ret;

        if (n < 0)
                return (int)n;
        b->n = (size_t)n;
        ret  = check_choices(b, a);
        b->n = 0;
        for (ssize_t i = 0; i < n; i++)
                if (is_chosen(a, &b->ipcps[i]))
                        b->ipcps[b->n++] = b->ipcps[i];
        return ret;
}

/* -- doing ----------------------------------------------------------------- */

static void pair(struct batch *b, const json_t *row, const struct ipcp_list_info *i)
{
        const char *name = list_row_text(row, "name");
        int         ret;

        if (b->pattern && list_row_has(row, "layers", i->layer) == b->way->registered)
                return;
        ret = b->way->call(name, i->pid);
        if (ret < 0)
                b->status = out_refused(ret, "%s the name '%s' %s the layer of the IPCP '%s'", b->way->verb,
                                        name, b->way->where, i->name);
        else
                json_array_append_new(b->done, json_pack("{s:o, s:o, s:o}", "name", out_text(name), "ipcp",
                                                         out_text(i->name), "layer", out_text(i->layer)));
}

static void all_pairs(struct batch *b, const json_t *rows)
{
        for (size_t r = 0; r < json_array_size(rows); r++)
                for (size_t i = 0; i < b->n && b->status != EXIT_NO_DAEMON; i++)
                        pair(b, json_array_get(rows, r), &b->ipcps[i]);
}

static int run(const struct args *a, const struct way *way)
{
        struct batch b    = {.way = way, .status = EXIT_DONE};
        json_t      *rows = NULL;
        int          printed, ret = choose_ipcps(&b, a);

        if (ret == 0)
                ret = list_meant_names(a->operand, &rows);
        if (ret < 0) {
                free(b.ipcps);
                return out_refused(ret, "%s the name '%s'", way->verb, a->operand);
        }
        b.pattern = b.pattern || list_is_pattern(a->operand) || a->n == 0;
        b.done    = json_array();
        all_pairs(&b, rows);
        json_decref(rows);
        free(b.ipcps);
        printed = out_done(a, b.done);
        return b.status != EXIT_DONE ? b.status : printed;
}

int registration_add(const struct args *a)
{
        return run(a, &join);
}

int registration_remove(const struct args *a)
{
        return run(a, &leave);
}
